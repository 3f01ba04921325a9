#pragma once

#include "base/err.h"
#include "base/own.h"
#include "repo/git.h"

/*
 * App layer: the files of one commit at home/user/app of a tree that an engine mounts above the
 * environment. The hub writes it as its own user, so that the privileged runner never parses a
 * repository; the mount maps that one user to the app's.
 *
 * A tree is not trusted: names are checked, a link is made only if it is relative and its target
 * lies inside of the app, and nothing is ever written through one. Links that would lead outside
 * and submodules are left out.
 *
 * Threads: any; it reads a repository and waits for the disk.
 */
enum { APP_LAYER_ROOM = 80, APP_FILES_MAX = 200000 };

/* "app-HEX-COMMIT" */
void app_layer_name(const char *hex, const char *commit, char out[static APP_LAYER_ROOM]);

/*
 * Make layers/app-HEX-COMMIT, whole and durable, where it is missing. `layers` is the folder.
 * Errors: ERR_NO_REVISION, ERR_UNPROCESSED for names that can't be files, ERR_TOO_LARGE, ERR_FULL.
 */
must_check int app_layer_make(const char *git_path, const char *hex, const char *commit,
			      const char *layers, struct err *err);

/* Write the files of a commit to a new folder, without waiting for the disk. Errors: the same. */
must_check int app_write(const char *git_path, const char *commit, const char *folder,
			 struct err *err);
