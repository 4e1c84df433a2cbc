/*
 * dlist - parses the request of `notifysocket: dlist:/path` (EVENTS.md section 2b).
 *
 *     NOTIFY %(METHOD external CLASS EVENT ... MESSAGE {327+}\r\n{json} FILEPATH NIL)\r\n
 *
 * Any field may be an atom, a "quoted string", a literal ({n} or {n+}; nothing is sent to ask for
 * either) or NIL; OPTIONS is a list of such or NIL; keys in any order and case, none twice, unknown
 * keys skipped whatever their value.  CLASS and MESSAGE must be there and not NIL.  A bare LF ends
 * a line as well.
 *
 * Beside the keys of Cyrus there is RECEIVED, from mailpush-notify: an atom of at most
 * DLIST_RECEIVED_DIGITS digits, the Unix time in milliseconds at which Cyrus sent it.
 *
 * The caller repeats the call when more bytes came.  The scan remembers how far it got, so that a
 * large request is not scanned over and over: outside literals a request is one line, so only a
 * further newline can complete it.  With each literal that comes, what stands outside literals is
 * scanned anew: before the last one that is DLIST_OUTSIDE_MAX bytes at most.  Bytes after the last
 * newline do not count until the next one (except that a request begins with NOTIFY), so the result
 * does not depend on how the bytes were split.
 *
 * The bytes stay as they came, so that a request can be passed on; the scan holds text unescaped
 * from quoted strings.
 *
 * Pure.
 */
#ifndef MAILPUSH_INTAKE_DLIST_H
#define MAILPUSH_INTAKE_DLIST_H

#include "base/err.h"
#include "intake/notification.h"

#define DLIST_REQUEST_MAX (1024 * 1024)
#define DLIST_OUTSIDE_MAX (64 * 1024) /* before a literal; Cyrus sends some 100 */
#define DLIST_VALUES_MAX 256	      /* a request, lists and what is in them counted */
#define DLIST_DEPTH_MAX 8	      /* lists in lists, in a value that is skipped */
#define DLIST_RECEIVED_DIGITS 15

/* Begins zeroed; belongs to one request. */
struct dlist_scan {
	size_t skip;	 /* newlines before this offset do not count */
	char *unescaped; /* of a complete request; NULL: nothing in it was escaped */
};

/* A zeroed scan is fine too. */
void dlist_scan_fini(struct dlist_scan *scan);

/*
 * 1: complete: *ret filled (borrowing from bytes and scan), *ret_size is the request's size.  0:
 * more bytes are needed.  -EBADMSG: malformed; -EMSGSIZE: it is or announces more than
 * DLIST_REQUEST_MAX, or has more than DLIST_OUTSIDE_MAX before a literal, other literals not
 * counted.  Texts quote nothing of the request.
 */
int dlist_parse(struct dlist_scan *scan, const char *bytes, size_t size, struct notification *ret,
	size_t *ret_size, struct err *err);

#endif
