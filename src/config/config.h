/*
 * config - the values of mailpush.conf, which config_file.h reads.
 *
 * A value changes by config_diff_take alone, at a reload; what else reads one copies it or asks
 * anew. The loop thread owns it.
 */
#ifndef MAILPUSH_CONFIG_CONFIG_H
#define MAILPUSH_CONFIG_CONFIG_H

#include "base/err.h"
#include "base/log.h"
#include "credential/credential.h"
#include "credential/logins.h"
#include "event/groups.h"
#include "event/relay.h"
#include "event/user_settings.h"
#include "intake/peer.h"
#include "loop/network.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

#define CONFIG_CREDENTIALS_MAX 16
#define CONFIG_SUBTOPICS_MAX 16
#define CONFIG_CLIENTS_MAX 64
#define CONFIG_DOMAINS_MAX 4096

/* A domain whose users' phones get the topic of a credential. */
struct config_domain {
	char *name;
	unsigned credential; /* its place in `credentials` */
};

struct config {
	char *imapd_conf;   /* "": there is no Cyrus */
	char *site;	    /* "": imapd.conf's servername */
	char *dovecot_site; /* "": none of its own; see input_files_dovecot_site */

	char *notify_socket; /* "": none */
	char *stream_socket; /* "": none */
	gid_t socket_gid;
	mode_t socket_mode;
	struct peer_rules peers;
	int64_t ack_timeout_ms;
	uint64_t max_waiting;
	char *spool_dir;      /* "": none */
	char *forward_socket; /* "": none; see notify_socket.h */
	bool forward_events;

	struct sockaddr_storage xaps_listen;		 /* AF_UNSPEC: none */
	struct network xaps_clients[CONFIG_CLIENTS_MAX]; /* beside this machine */
	unsigned xaps_client_count;
	char *xaps_socket; /* "": none */
	bool xaps_fold_users;
	char *dovecot_socket; /* "": none */
	struct peer_rules dovecot_peers;
	bool dovecot_system_users; /* the others may speak, each for itself */

	char *registry;		      /* has no password in it */
	char *registry_password_file; /* "": none */
	int64_t registry_timeout_ms;
	char *queue;
	int64_t registration_ttl_ms;
	unsigned registrations_per_user;
	int64_t deleted_user_grace_ms;
	bool shared_mailboxes;
	struct groups *groups; /* that ACLs may name */
	struct user_settings *users;
	char *subtopics[CONFIG_SUBTOPICS_MAX];
	unsigned subtopic_count;

	struct relay_policy policy;
	int64_t min_interval_ms;
	int64_t deferred_delay_ms;
	unsigned max_push_rate;

	char *apns_host;
	uint16_t apns_port;
	char *apns_ca_file;		/* "": the system's store */
	int64_t apns_check_interval_ms; /* 0: never */
	unsigned connections;
	int priority;
	char *proxy_host; /* NULL: none */
	uint16_t proxy_port;
	char *proxy_login; /* "user:password"; NULL: none */

	struct credential_files credentials[CONFIG_CREDENTIALS_MAX]; /* strings are owned */
	unsigned credential_count;
	struct config_domain *domains; /* of all credentials, none twice */
	unsigned domain_count;

	char *control_socket; /* "": none */
	gid_t control_gid;
	mode_t control_mode;
	struct peer_rules control_peers;
	struct sockaddr_storage http_listen; /* AF_UNSPEC: none */
	bool status_page_names;
	struct logins *page_login; /* NULL: nobody sees phones there */

	int64_t trace_keep_ms; /* 0: no trace */
	int64_t trace_size;    /* bytes */

	enum log_level log_level;
	enum log_target log_target;
	char *alarm_command; /* "": none */
	char *alarm_mail;    /* an address; "": none */
	char *alarm_mail_host;
	uint16_t alarm_mail_port;
	char *user; /* "": keep the user that started the daemon */

	char *include; /* "": none; its files are read with mailpush.conf */
	char *written; /* config_diff_record */

	/* Each value with its source, in the order of the file, then the defaults. */
	char *path;
	struct config_setting {
		const char *key; /* of a credential: "credential NAME: KEY", owned */
		char *value;
		int line;   /* 0: the default */
		char *file; /* NULL: mailpush.conf */
	} * settings;
	unsigned setting_count;
	char **included; /* the files */
	size_t included_count;
};

/* Is the subtopic one of those in `subtopics`? */
static inline bool config_has_subtopic(const struct config *config, const char *subtopic)
{
	for (unsigned i = 0; i < config->subtopic_count; i++)
		if (!strcmp(config->subtopics[i], subtopic))
			return true;
	return false;
}

#endif
