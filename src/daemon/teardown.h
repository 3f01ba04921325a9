#pragma once

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"
#include "daemon/settings.h"

/*
 * End everything of a data directory that has no keeper, hub or runner any more: nginx, Spaces,
 * dnsmasq, links, cgroups, the nft table, run/. Works after a kill -9 of everything; idempotent.
 */
must_check int teardown(const struct datadir *dir, const struct settings *settings,
			struct err *err);
