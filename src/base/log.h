#pragma once

#include "base/own.h"

/*
 * The log: one event, one line on stderr. A dotted name that can be grepped, then key=value:
 *
 *     log_info("space.stage", "space=%s from=%s to=%s", id, from, to);
 *
 * error: somebody must act; warn: odd, we went on; info: a state changed; debug: the rest.
 * Line breaks and control characters inside values are escaped. Never log a secret.
 * An error or warning that repeats itself many times is counted instead (base/flood.h): a line
 * "log.held" says how often.
 * Threads: any. Each line is one write().
 */
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* `program` names the process in each line: "keeper", "hub", "runner". Kept by reference. */
void log_setup(const char *program, enum log_level level);

/* The request that this thread serves, for each of its lines; NULL: none. Kept by reference. */
void log_request(const char *request_id);

void log_line(enum log_level level, const char *event, const char *format, ...) like_printf(3, 4);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
