/*
 * greeting - the line with which Cyrus greets a client: its version and capabilities.
 *
 * Pure.
 */
#ifndef MAILPUSH_DOCTOR_GREETING_H
#define MAILPUSH_DOCTOR_GREETING_H

#include <stdbool.h>

struct greeting {
	bool offers_push;	      /* XAPPLEPUSHSERVICE is among the capabilities */
	bool has_version;	      /* serverinfo in imapd.conf may hide it */
	unsigned major, minor, patch; /* of Cyrus */
	unsigned debian, update;      /* the numbers of +deb12u5; 0: another build */
	bool is_packaged;	      /* may have the fix without another version number */
};

enum greeting_hole { GREETING_UNKNOWN, GREETING_OPEN, GREETING_CLOSED };

void greeting_parse(const char *text, struct greeting *ret);
/* CVE-2026-47081: can users register the mailboxes of others? */
enum greeting_hole greeting_hole(const struct greeting *greeting);

#endif
