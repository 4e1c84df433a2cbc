/*
 * confine - what a program that we doubt is opened with, and run under.
 */
#ifndef MAILPUSH_PLATFORM_CONFINE_H
#define MAILPUSH_PLATFORM_CONFINE_H

#include <stdbool.h>

/*
 * A descriptor for fstat and fexecve, closed on exec; or -1 and errno.  On Linux the file need not
 * be readable.
 */
int confine_open(const char *program);
/*
 * From now on this process gains no rights by what it runs; false: the kernel refused.  Only Linux
 * can: elsewhere nothing changes, and who owns the program is to be looked at.
 */
bool confine_rights(void);

#endif
