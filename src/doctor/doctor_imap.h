/*
 * doctor_imap - connects to the running Cyrus and judges its greeting.
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_IMAP_H
#define MAILPUSH_DOCTOR_DOCTOR_IMAP_H

#include "doctor/cyrusconf.h"
#include "doctor/report.h"

#define DOCTOR_IMAP_URL_SIZE 512

/* "imap://127.0.0.1:143/" of a service of imapd; false: it has no address that can be reached. */
bool doctor_imap_url(const struct cyrusconf_service *service, char ret[DOCTOR_IMAP_URL_SIZE]);
/* Does it speak TLS from the first byte on? */
bool doctor_imap_is_tls(const struct cyrusconf_service *service);

enum doctor_imap_tls { DOCTOR_IMAP_AT_ONCE, DOCTOR_IMAP_STARTTLS };

/* Waits.  NULL: TLS works there; otherwise the reason (static). */
const char *doctor_imap_try_tls(const char *url, enum doctor_imap_tls tls);
/* Waits.  False: no Cyrus answers. */
bool doctor_imap_examine(struct report *findings, const struct cyrusconf *services);

#endif
