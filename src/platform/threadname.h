/*
 * threadname - the name of a thread, for those who look at the process with ps(1) or a debugger.
 */
#ifndef MAILPUSH_PLATFORM_THREADNAME_H
#define MAILPUSH_PLATFORM_THREADNAME_H

/* Of the calling thread; at most 15 bytes. */
void threadname_set(const char *name);

#endif
