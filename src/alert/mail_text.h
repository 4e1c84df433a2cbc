/*
 * mail_text - a message about alarms, as it goes to the mail server (RFC 5322).
 *
 * Nothing that an alarm says can become a header or a command: the header has only checked
 * addresses, a checked name of this host, and printable ASCII; lines of the body are cut, and have
 * no control characters.  Lines end in CRLF; the sender of the mail doubles leading dots.
 *
 * Pure.
 */
#ifndef MAILPUSH_ALERT_MAIL_TEXT_H
#define MAILPUSH_ALERT_MAIL_TEXT_H

#include "alert/mail_diary.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define MAIL_TEXT_ADDRESS_MAX 254

/* Is it "local@domain" of plain ASCII, without quotes?  Anything else could end the command it is
 * in. */
bool mail_text_is_address(const char *text);

struct mail_text_envelope {
	const char *address; /* to it and from it; mail_text_is_address */
	const char *host;    /* this one; what no name of a host can have is left out */
	int64_t now_unix_ms;
	uint64_t id; /* a random one */
};

/* What was chosen in the diary. */
void mail_text_write(
	const struct mail_text_envelope *envelope, const struct mail_diary *diary, struct buf *ret);
/* The message of `mailpushctl alarm test`. */
void mail_text_write_test(const struct mail_text_envelope *envelope, struct buf *ret);

#endif
