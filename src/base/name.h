#pragma once

#include <stdbool.h>

/*
 * Names of users, organisations and repositories (Wire: A2). The longest full name is
 * namespace/name, with its NUL.
 */
enum { NAME_MAX_LENGTH = 96, NAME_ROOM = 97, FULL_NAME_ROOM = 2 * 97 };

/* [A-Za-z0-9_-][A-Za-z0-9_.-]{0,95}, not starting or ending in '-' or '.', without "--" or "..",
 * not ending in ".git". */
bool name_is_valid(const char *name);

/* Why a name is not valid, as "it ends with .git"; NULL where it is. */
const char *name_fault(const char *name);

/*
 * A path inside of a repository: relative, no empty, "." or ".." component, none that some machine
 * takes for ".git", no backslash, no control character, valid UTF-8, at most 1024 bytes, 64 levels
 * and 255 bytes in each.
 */
enum { NAME_PATH_MAX = 1024 };
bool name_path_is_valid(const char *path);

/* Why a path is not valid, as "it has a backslash"; NULL where it is. */
const char *name_path_fault(const char *path);
