#pragma once

/*
 * The content type of a file, by its name. Whatever a browser would run or render as a page is
 * plain text: repositories are written by anyone, and the hub's origin is everybody's (Wire: B6).
 */
const char *media_type(const char *path);
