/*
 * dovecot_plugins - does each program of Dovecot that changes mailboxes load the plugin, and does
 * its module fit?
 */
#ifndef MAILPUSH_DOCTOR_DOVECOT_DOVECOT_PLUGINS_H
#define MAILPUSH_DOCTOR_DOVECOT_DOVECOT_PLUGINS_H

#include "checkup/report.h"
#include "doctor_dovecot/doveconf.h"

/* Pure.  Whether mail_plugins has what is needed, and nothing that disturbs it. */
void dovecot_plugins_judge(struct report *findings, const struct doveconf *conf);
/* Reads the modules' files. */
void dovecot_plugins_examine_modules(struct report *findings, const struct doveconf *conf);

#endif
