#pragma once

#include <jansson.h>

#include "base/err.h"
#include "base/own.h"
#include "engine/engine.h"
#include "runner/runner.h"

/*
 * The bundle of a run, run/bundles/KEY: runc's config.json, the three files of /etc that are a
 * run's own, and the secrets of a Streamlit app as the file that it reads. It lies on tmpfs and is
 * root's alone, since the environment may hold secrets.
 */

/* Write it. The folder is there already (runner/record.h). */
must_check int bundle_write(const struct runner_config *config, const struct engine_spec *spec,
			    unsigned slot, const json_t *seccomp, struct err *err);

/* The configuration (OCI runtime specification 1.0.2). For json_decref(). */
json_t *bundle_config(const struct runner_config *config, const struct engine_spec *spec,
		      unsigned slot, const json_t *seccomp);
