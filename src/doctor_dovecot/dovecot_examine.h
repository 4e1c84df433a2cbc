/*
 * dovecot_examine - examines the Dovecot of this machine: its configuration, the plugin, the way to
 * mailpushd, its processes.
 */
#ifndef MAILPUSH_DOCTOR_DOVECOT_DOVECOT_EXAMINE_H
#define MAILPUSH_DOCTOR_DOVECOT_DOVECOT_EXAMINE_H

#include "checkup/report.h"
#include "config/config.h"

#include <stdbool.h>

struct dovecot_to_examine {
	const struct config *config;
	const char *dovecot_conf; /* NULL: the usual one */
	const char *topic;	  /* of users whose domain has none of its own; "": there is none */
	bool has_domains_alone;	  /* no credential is for users of other domains */
};

/* Waits.  Only for a site whose mailpush.conf has a dovecot_socket. */
void dovecot_examine(struct report *findings, const struct dovecot_to_examine *site);

#endif
