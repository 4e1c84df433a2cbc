/*
 * doctor_imap - connects to the running Cyrus as a phone does: what its greeting says, and whether
 * TLS works.
 *
 * A phone uses a TLS service (imaps, port 993), which Debian's cyrus.conf has commented out, or
 * STARTTLS, which Cyrus 3.10 and later offer only with allowstarttls.  It tries both.  Another port
 * helps only those who set it in their account, a loopback address those whom a proxy leads there.
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_IMAP_H
#define MAILPUSH_DOCTOR_DOCTOR_IMAP_H

#include "checkup/report.h"
#include "doctor/cyrusconf.h"
#include "doctor/doctor_cyrus.h"

#define DOCTOR_IMAP_URL_SIZE 512

/* Where a service of imapd is reached. */
struct doctor_imap_place {
	char url[DOCTOR_IMAP_URL_SIZE]; /* as in "imap://127.0.0.1:143/" */
	unsigned port;
	bool is_local; /* it listens on a loopback address alone */
};

/* False: it has no address that can be reached. */
bool doctor_imap_place(const struct cyrusconf_service *service, struct doctor_imap_place *ret);
/* Waits.  False: no Cyrus answers. */
bool doctor_imap_examine(struct report *findings, const struct cyrusconf *services);
/* Waits.  Can a phone connect with TLS?  Not for a Cyrus that does not answer at all.
   `cyrus->services` is known. */
void doctor_imap_examine_tls(struct report *report, const struct doctor_cyrus *cyrus);

#endif
