/*
 * doveconf - the configuration of the Dovecot of this machine, as its own doveconf reports it.
 *
 * The programs are asked only if nobody but root or the caller may change them; each has ten
 * seconds. They run with the caller's rights, as the files they read may be closed to others.
 */
#ifndef MAILPUSH_DOCTOR_DOVECOT_DOVECONF_H
#define MAILPUSH_DOCTOR_DOVECOT_DOVECONF_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define DOVECONF_DEFAULT "/etc/dovecot/dovecot.conf"

/* The programs that change mailboxes. */
enum doveconf_protocol {
	DOVECONF_IMAP,
	DOVECONF_LMTP,
	DOVECONF_LDA,
	DOVECONF_POP3,
	DOVECONF_DOVEADM,
	DOVECONF_PROTOCOLS
};

struct doveconf {
	const char *path; /* the caller's */
	char *version;
	unsigned major;
	unsigned minor;
	char *module_folder;
	char *user;	       /* as whom mail processes work, a name or a number; "": not known */
	char *group;	       /* their group, the same */
	char *groups;	       /* further ones, with blanks between and around */
	bool has_system_users; /* `user` is not known, and each user is one of the system's */
	char *socket;	       /* of the plugin's settings, as the next ones */
	char *spool;
	char *keep;
	char *plugins[DOVECONF_PROTOCOLS]; /* see doveconf_text_list */
	bool is_offered[DOVECONF_PROTOCOLS];
};

/* As in `protocol NAME { }`. */
const char *doveconf_protocol_name(enum doveconf_protocol protocol);
/* Plugins and settings are written otherwise. */
bool doveconf_is_2_4(const struct doveconf *conf);

/* Waits.  -ENOENT: Dovecot is not installed here; -EPERM: its programs are not trusted. */
int doveconf_read(const char *path, struct doveconf **ret, struct err *err);
void doveconf_free(struct doveconf *conf);

#endif
