/*
 * samepath - do two paths name the same file, though a folder of one is a symbolic link?
 */
#ifndef MAILPUSH_CHECKUP_SAMEPATH_H
#define MAILPUSH_CHECKUP_SAMEPATH_H

#include <stdbool.h>

/* Follows the links of folders, as /var/run is one.  The file need not exist.  "" is no path. */
bool samepath(const char *left, const char *right);

#endif
