/*
 * dovecot_way - can Dovecot's processes tell mailpushd, and keep news while it is away?
 */
#ifndef MAILPUSH_DOCTOR_DOVECOT_DOVECOT_WAY_H
#define MAILPUSH_DOCTOR_DOVECOT_DOVECOT_WAY_H

#include "checkup/report.h"
#include "config/config.h"
#include "doctor_dovecot/doveconf.h"

void dovecot_way_examine(
	struct report *findings, const struct doveconf *conf, const struct config *config);

#endif
