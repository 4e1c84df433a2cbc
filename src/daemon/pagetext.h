/*
 * pagetext - the status page as it is sent; made of the files of page/ by page/embed.py.
 */
#ifndef MAILPUSH_DAEMON_PAGETEXT_H
#define MAILPUSH_DAEMON_PAGETEXT_H

#include <stddef.h>

extern const unsigned char pagetext_html[];
extern const size_t pagetext_html_size;
/* Its Content-Security-Policy: it runs its own script and style, and nothing else. */
extern const char pagetext_policy[];

#endif
