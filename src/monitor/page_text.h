/*
 * page_text - the status page as it is sent; made of the files of page/ by page/embed.py.
 */
#ifndef MAILPUSH_MONITOR_PAGE_TEXT_H
#define MAILPUSH_MONITOR_PAGE_TEXT_H

#include <stddef.h>

extern const unsigned char page_text_html[];
extern const size_t page_text_html_size;
/* Its Content-Security-Policy: it runs its own script and style, and nothing else. */
extern const char page_text_policy[];

#endif
