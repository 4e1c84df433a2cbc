/*
 * doctor_tls - can a phone connect to this Cyrus with TLS?
 *
 * A phone uses a TLS service (imaps, port 993), which Debian's cyrus.conf has commented out, or
 * STARTTLS, which Cyrus 3.10 and later offer only with allowstarttls.  It tries both with the
 * running Cyrus.
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_TLS_H
#define MAILPUSH_DOCTOR_DOCTOR_TLS_H

#include "doctor/doctor_cyrus.h"
#include "doctor/report.h"

/* Waits.  Not for a Cyrus that does not answer at all.  `cyrus->services` is known. */
void doctor_tls_examine(struct report *report, const struct doctor_cyrus *cyrus);

#endif
