/*
 * page_text - the status page, which page/embed.py makes of the files in page/.
 */
#ifndef MAILPUSH_MONITOR_PAGE_TEXT_H
#define MAILPUSH_MONITOR_PAGE_TEXT_H

#include <stddef.h>

extern const unsigned char page_text_html[];
extern const size_t page_text_html_size;
/* Its Content-Security-Policy, which allows its own script and style and nothing else. */
extern const char page_text_policy[];

#endif
