#pragma once

/*
 * Functions that are easy to use wrongly do not compile. Included first in every file by the build.
 * The system headers that declare them come before, so that only our own uses are refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* clang's FORTIFY has macros of these names. */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol gmtime localtime ctime tmpnam
#pragma GCC poison system popen
