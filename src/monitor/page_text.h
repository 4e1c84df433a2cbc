/*
 * page_text - the pages for browsers, which page/embed.py makes of the files in page/.
 */
#ifndef MAILPUSH_MONITOR_PAGE_TEXT_H
#define MAILPUSH_MONITOR_PAGE_TEXT_H

#include <stddef.h>

struct page_text {
	const unsigned char *html;
	size_t size;
	/* Its Content-Security-Policy, which allows its own script and style and nothing else. */
	const char *policy;
};

extern const struct page_text page_text_status;
extern const struct page_text page_text_phones;

#endif
