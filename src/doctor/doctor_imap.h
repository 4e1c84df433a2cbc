/*
 * doctor_imap - connects to the running Cyrus as a phone does: what its greeting says, and whether
 * TLS works.
 *
 * A phone uses a TLS service (imaps, port 993), which Debian's cyrus.conf has commented out, or
 * STARTTLS, which Cyrus 3.10 and later offer only with allowstarttls.  It tries both.
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_IMAP_H
#define MAILPUSH_DOCTOR_DOCTOR_IMAP_H

#include "checkup/report.h"
#include "doctor/cyrusconf.h"
#include "doctor/doctor_cyrus.h"

#define DOCTOR_IMAP_URL_SIZE 512

/* "imap://127.0.0.1:143/" of a service of imapd; false: it has no address that can be reached. */
bool doctor_imap_url(const struct cyrusconf_service *service, char ret[DOCTOR_IMAP_URL_SIZE]);
/* Waits.  False: no Cyrus answers. */
bool doctor_imap_examine(struct report *findings, const struct cyrusconf *services);
/* Waits.  Can a phone connect with TLS?  Not for a Cyrus that does not answer at all.
   `cyrus->services` is known. */
void doctor_imap_examine_tls(struct report *report, const struct doctor_cyrus *cyrus);

#endif
