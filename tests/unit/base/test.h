#pragma once

/* What every test of the room begins with: cmocka wants these headers, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
