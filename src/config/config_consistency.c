#include "config/config_consistency.h"

#include "config/config_credential.h"
#include "config/listen.h"
#include "config/notify_socket.h"
#include "database/database.h"
#include "event/xaps_event.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

bool config_consistency_has_xaps(const struct config *config)
{
	return *config->xaps_socket || config->xaps_listen.ss_family != AF_UNSPEC;
}

static bool is_same_place(const char *path, const char *other)
{
	struct stat one, two;
	return !strcmp(path, other) ||
		(*other && !stat(path, &one) && !stat(other, &two) && one.st_dev == two.st_dev &&
			one.st_ino == two.st_ino);
}

struct own_socket {
	const char *key;
	const char *path; /* "": none */
};

#define OWN_SOCKETS 5

static void list_sockets(const struct config *config, struct own_socket ret[OWN_SOCKETS])
{
	ret[0] = (struct own_socket){"notify_socket", config->notify_socket};
	ret[1] = (struct own_socket){"stream_socket", config->stream_socket};
	ret[2] = (struct own_socket){"dovecot_socket", config->dovecot_socket};
	ret[3] = (struct own_socket){"xaps_socket", config->xaps_socket};
	ret[4] = (struct own_socket){"control_socket", config->control_socket};
}

static int check_sockets(const struct config *config, struct err *err)
{
	if (!*config->notify_socket && !*config->stream_socket && !*config->dovecot_socket &&
		!config_consistency_has_xaps(config))
		return err_set(err, -EINVAL,
			"notify_socket, stream_socket, dovecot_socket, xaps_listen and "
			"xaps_socket are all \"\"; without one of them events cannot come");
	if (!*config->imapd_conf && (*config->notify_socket || *config->stream_socket))
		return err_set(err, -EINVAL,
			"imapd_conf is \"\", so there is no Cyrus, but %s is set; remove that, or "
			"set imapd_conf to the file that Cyrus reads",
			*config->notify_socket ? "notify_socket" : "stream_socket");
	struct own_socket own[OWN_SOCKETS];
	list_sockets(config, own);
	for (size_t i = 0; i < OWN_SOCKETS; i++)
		for (size_t j = 0; *own[i].path && j < i; j++)
			if (!strcmp(own[i].path, own[j].path))
				return err_set(err, -EINVAL, "%s and %s are the same path '%s'",
					own[j].key, own[i].key, own[i].path);
	return 0;
}

static int check_forward(const struct config *config, struct err *err)
{
	bool is_dlist;
	const char *path = notify_socket_path(config->forward_socket, &is_dlist);
	if (!path)
		return config->forward_events ? err_set(err, -EINVAL,
							"forward_events is yes, but no "
							"forward_socket is set; set it, "
							"or write no")
					      : 0;
	struct own_socket own[OWN_SOCKETS];
	list_sockets(config, own);
	for (size_t i = 0; i < OWN_SOCKETS; i++)
		if (is_same_place(path, own[i].path))
			return err_set(err, -EINVAL,
				"forward_socket '%s' is our own %s: notifications passed on would "
				"come back for ever; name the socket of the program that should "
				"get them",
				config->forward_socket, own[i].key);
	return 0;
}

/* Whoever reaches it can register a phone for any mailbox. */
static int check_xaps(const struct config *config, struct err *err)
{
	bool listens = config->xaps_listen.ss_family != AF_UNSPEC;
	if (listens && !listen_is_loopback(&config->xaps_listen) && !config->xaps_client_count)
		return err_set(err, -EINVAL,
			"xaps_listen is not a loopback address, and xaps_clients is empty; name "
			"the addresses of the mail servers there, as whoever reaches xaps_listen "
			"can register a phone for any mailbox");
	return 0;
}

/* Tokens and names of people are not encrypted on their way. */
static int check_page(const struct config *config, struct err *err)
{
	if (config->page_login && config->http_listen.ss_family == AF_UNSPEC)
		return err_set(err, -EINVAL,
			"page_login is set, but http_listen is not, so there is no page to log in "
			"to; set http_listen = \"127.0.0.1:9105\", or remove page_login");
	if (config->page_login && !listen_is_loopback(&config->http_listen))
		return err_set(err, -EINVAL,
			"page_login is set, but http_listen is not a loopback address: tokens and "
			"names of users would pass unencrypted; write \"127.0.0.1:9105\", and put "
			"a web server with TLS in front");
	return 0;
}

struct warnings {
	config_consistency_warning_fn *warn;
	void *ctx;
};

static void warn_of_topic(const struct warnings *warnings, const char *topic)
{
	char text[ERR_TEXT_MAX];
	if (!*topic || strlen(topic) > XAPS_EVENT_SHORT_TOPIC)
		return;
	snprintf(text, sizeof(text), "the topic %s is " XAPS_EVENT_SHORT_TEXT, topic);
	warnings->warn(warnings->ctx, "xaps_listen", text);
}

/* Each topic that phones of the plugin for xapsd can get. */
static void warn_of_topics(const struct warnings *warnings, const struct config *config,
	const struct input_files *input_files)
{
	const struct imapdconf *imapdconf = input_files->imapdconf;
	const char *of_others =
		input_files_topic(config, input_files, imapdconf ? imapdconf->aps_topic : "");
	warn_of_topic(warnings, of_others);
	for (unsigned i = 0; i < input_files->credential_count; i++) {
		const struct credential *credential = input_files->credentials[i];
		if (credential && config_credential_has_domains(config, i) &&
			strcmp(credential->topic, of_others) != 0)
			warn_of_topic(warnings, credential->topic);
	}
}

static void warn_of_domains(const struct warnings *warnings, const struct config *config,
	const struct input_files *input_files)
{
	const struct imapdconf *imapdconf = input_files->imapdconf;
	bool has_own = *config->dovecot_socket;
	bool has_xaps = config_consistency_has_xaps(config);
	/* mailpush's own plugin never gets aps_topic. */
	bool needs_credential = has_own || (has_xaps && imapdconf && !*imapdconf->aps_topic);
	if (config->domain_count && !has_own && !has_xaps)
		warnings->warn(warnings->ctx, "domains",
			"those of credentials have no effect, as dovecot_socket, xaps_listen and "
			"xaps_socket are \"\": Cyrus tells the phones of all domains its "
			"aps_topic");
	else if (needs_credential && config_credential_all_have_domains(config))
		warnings->warn(warnings->ctx, "domains",
			"every credential lists some, so Dovecot's users of other domains, and "
			"those without a domain, get no topic, and their phones cannot register; "
			"if there are such users, remove domains from one credential, or add a "
			"credential without them");
}

static void warn_of_policy(const struct warnings *warnings, const struct config *config)
{
	char urgent[ERR_TEXT_MAX];
	char deferred[ERR_TEXT_MAX];
	relay_policy_print(&config->policy, RELAY_URGENT, urgent, sizeof(urgent));
	relay_policy_print(&config->policy, RELAY_DEFERRED, deferred, sizeof(deferred));
	/* What the plugin for xapsd reports is pushed whatever these say. */
	if (!*urgent && !*deferred && !config_consistency_has_xaps(config))
		warnings->warn(warnings->ctx, "urgent_events",
			"it is empty, and so is deferred_events: phones can register, but no event "
			"is pushed; remove one of the two lines for its default");
}

/* To connect to a socket needs the right to write to it. */
static void warn_of_mode(const struct warnings *warnings, const struct config *config)
{
	bool is_used = *config->notify_socket || *config->stream_socket;
	if (is_used && !(config->socket_mode & 0222))
		warnings->warn(warnings->ctx, "socket_mode",
			"nobody but root can connect to a socket with it, so no events come; "
			"remove the line for 0660");
}

/* Whoever has a shell is then believed about the user of Cyrus who is called so. */
static void warn_of_system_users(const struct warnings *warnings, const struct config *config,
	const struct input_files *input_files)
{
	const char *site = input_files->site ? input_files_dovecot_site(config, input_files)
					     : config->dovecot_site;
	if (config->dovecot_system_users && *config->dovecot_socket && *config->imapd_conf &&
		!*site)
		warnings->warn(warnings->ctx, "dovecot_system_users",
			"users of the system can speak for Cyrus' users of the same name; set "
			"dovecot_site");
}

void config_consistency_warn(const struct config *config, const struct input_files *input_files,
	config_consistency_warning_fn *warn, void *ctx)
{
	const struct warnings warnings = {warn, ctx};
	if (config->xaps_listen.ss_family != AF_UNSPEC)
		warn_of_topics(&warnings, config, input_files);
	warn_of_domains(&warnings, config, input_files);
	warn_of_policy(&warnings, config);
	warn_of_mode(&warnings, config);
	warn_of_system_users(&warnings, config, input_files);
}

int config_consistency_check(const struct config *config, struct err *err)
{
	const char *path = database_file(config->registry);
	if (path && !strcmp(path, config->queue))
		return err_set(err, -EINVAL,
			"registry and queue are the same file '%s'; each needs its own",
			config->queue);
	if (config->proxy_login && !config->proxy_host)
		return err_set(
			err, -EINVAL, "proxy_password_file is set, but no proxy; set that too");
	if (!config->subtopic_count)
		return err_set(err, -EINVAL,
			"subtopics is empty, so no phone could register; remove the line");
	int failed = check_sockets(config, err);
	if (!failed)
		failed = check_xaps(config, err);
	if (!failed)
		failed = check_page(config, err);
	return failed ? failed : check_forward(config, err);
}
