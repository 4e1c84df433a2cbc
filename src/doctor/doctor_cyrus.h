/*
 * doctor_cyrus - do imapd.conf and cyrus.conf send events to mailpushd?
 *
 * It judges files that were read; on disk it only follows symbolic links of folders and looks for
 * the programs of services.
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_CYRUS_H
#define MAILPUSH_DOCTOR_DOCTOR_CYRUS_H

#include "checkup/report.h"
#include "doctor/cyrusconf.h"
#include "doctor/greeting.h"
#include "event/imapdconf.h"

/* How events reach mailpushd. */
enum doctor_way {
	DOCTOR_NO_WAY,
	DOCTOR_DLIST,
	DOCTOR_DATAGRAM,
	DOCTOR_NOTIFYD, /* Cyrus' own notifyd runs mailpush-notify */
};

struct doctor_cyrus {
	const char *path; /* of imapd.conf */
	const struct imapdconf *conf;
	const char *services_path;	  /* of cyrus.conf */
	const struct cyrusconf *services; /* NULL: not known */
	const char *programs;		  /* the folder of programs without a path */
	/* Of mailpush.conf: */
	const char *stream_socket; /* "": none, as the next ones */
	const char *notify_socket;
	const char *forward_socket;
	const char *site;
};

void doctor_cyrus_judge_events(struct report *findings, const struct doctor_cyrus *cyrus);
enum doctor_way doctor_cyrus_judge_way(struct report *findings, const struct doctor_cyrus *cyrus);
void doctor_cyrus_judge_services(struct report *findings, const struct doctor_cyrus *cyrus);
void doctor_cyrus_judge_site(struct report *findings, const struct doctor_cyrus *cyrus);
/* notify_external turned out to be another program than mailpush-notify. */
void doctor_cyrus_refuse_program(
	struct report *findings, const struct doctor_cyrus *cyrus, const char *program);
/* `greeting` of the Cyrus that runs. */
void doctor_cyrus_judge_greeting(struct report *findings, const struct greeting *greeting);

/* Which user Cyrus runs as. */
const char *doctor_cyrus_user(const struct imapdconf *conf);

#endif
