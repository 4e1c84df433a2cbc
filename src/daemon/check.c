#include "daemon/check.h"

#include "apns/sender.h"
#include "base/clock.h"
#include "base/mem.h"
#include "config/config_consistency.h"
#include "config/input_files.h"
#include "config/listen.h"
#include "config/notify_socket.h"
#include "database/database.h"
#include "flow/keyring.h"
#include "platform/journal.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct check {
	const char *path; /* of mailpush.conf */
	int failed;
};

static void fault(struct check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void fault(struct check *check, const char *format, ...)
{
	fprintf(stderr, "%s: ", check->path);
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	check->failed = 1;
}

/* A file that the daemon creates if it is missing: its folder must exist, and nothing of another
 * kind may be in its place.
 */
static void check_place(struct check *check, const char *key, const char *file, mode_t kind)
{
	struct stat status;
	/* A socket replaces whatever has its name; a link to a database is followed. */
	bool is_there = !(kind == S_IFSOCK ? lstat(file, &status) : stat(file, &status));
	if (is_there && (status.st_mode & S_IFMT) != kind) {
		fault(check, "%s: '%s' already exists and is %s; remove it or choose another path",
			key, file, kind == S_IFSOCK ? "not a socket" : "not a file");
		return;
	}
	if (!is_there && errno == ELOOP) {
		fault(check, "%s: '%s': %s; choose another path", key, file, strerror(errno));
		return;
	}
	mem_auto char *folder = mem_dup(file);
	char *slash = strrchr(folder, '/');
	slash[slash == folder] = '\0';
	if (stat(folder, &status))
		fault(check, "%s: the folder '%s': %s; create it, writable for the daemon's user",
			key, folder, strerror(errno));
	else if (!S_ISDIR(status.st_mode))
		fault(check, "%s: '%s' is not a folder", key, folder);
	else if (access(folder, W_OK | X_OK))
		fault(check, "%s: the folder '%s': %s; let the daemon's user write there", key,
			folder, strerror(errno));
	else if (kind == S_IFREG && !access(file, F_OK) && access(file, R_OK | W_OK))
		fault(check,
			"%s: '%s': %s; make it readable and writable for the daemon's user, who "
			"owns it unless another user ran mailpushd",
			key, file, strerror(errno));
}

/* Root can give a socket to any group, others to those that they are in. */
static void check_group(struct check *check, const char *key, gid_t group)
{
	gid_t groups[NGROUPS_MAX];
	int count = getgroups(NGROUPS_MAX, groups);
	bool is_ours = !geteuid() || group == (gid_t)-1 || group == getegid();
	for (int i = 0; i < count && !is_ours; i++)
		is_ours = groups[i] == group;
	const struct group *entry = is_ours ? NULL : getgrgid(group);
	if (!is_ours)
		fault(check,
			"%s: the daemon's user is not in the group, so it cannot give the socket "
			"to it; as root: usermod -aG %s USER",
			key, entry ? entry->gr_name : "GROUP");
}

static void check_listen(const struct check *check, const struct sockaddr_storage *address)
{
	if (address->ss_family != AF_UNSPEC && !listen_is_loopback(address))
		fprintf(stderr,
			"%s: warning: http_listen is not a loopback address: everybody who can "
			"reach it can "
			"read the metrics and the status page, without a password and "
			"unencrypted\n",
			check->path);
}

/* A folder in which the daemon works. */
static void check_spool(struct check *check, const char *folder)
{
	struct stat status;
	if (stat(folder, &status)) {
		mem_auto char *parent = mem_dup(folder);
		char *slash = strrchr(parent, '/');
		slash[slash == parent] = '\0';
		if (errno != ENOENT || access(parent, W_OK | X_OK))
			fault(check,
				"spool_dir: '%s': %s; create it: install -d -o mailpush -g mail "
				"-m 2770, or set \"\" if mailpush-notify is not in use",
				folder, strerror(errno));
	} else if (!S_ISDIR(status.st_mode)) {
		fault(check, "spool_dir: '%s' is not a folder; remove it or choose another path",
			folder);
	} else if (access(folder, R_OK | W_OK | X_OK)) {
		fault(check,
			"spool_dir: '%s': %s; the daemon's user needs all rights on the folder",
			folder, strerror(errno));
	}
}

/* It may be missing: Cyrus may start after us. */
static void check_forward(struct check *check, const char *target)
{
	bool is_dlist;
	const char *path = notify_socket_path(target, &is_dlist);
	struct stat status;
	if (path && !stat(path, &status) && !S_ISSOCK(status.st_mode))
		fault(check,
			"forward_socket: '%s' is not a socket; set the socket of Cyrus' notifyd",
			path);
}

static void check_command(struct check *check, const char *command)
{
	struct stat status;
	const char *why = NULL;
	if (!*command)
		return;
	if (stat(command, &status) || access(command, X_OK))
		why = strerror(errno);
	else if (!S_ISREG(status.st_mode))
		why = "it is not a file";
	if (why)
		fault(check,
			"alarm_command: cannot run '%s': %s; set the path of a program that the "
			"daemon's user may run, without arguments",
			command, why);
}

static void check_log(struct check *check, enum log_target target)
{
	if (target == LOG_TARGET_JOURNAL && !journal_is_here())
		fault(check,
			"log_target: there is no journal on this system; write auto, stderr or "
			"syslog");
}

static void on_stopped(void *ctx)
{
	*(bool *)ctx = true;
}

/* Read as the sender would. */
static void check_trust(struct check *check, const struct config *config)
{
	static const struct sender_callbacks none;
	uv_loop_t loop;
	struct err err;
	struct sender *sender = NULL;
	struct sender_settings settings;
	sender_settings_init(&settings);
	settings.host = config->apns_host;
	settings.port = config->apns_port;
	settings.ca_file = *config->apns_ca_file ? config->apns_ca_file : NULL;
	uv_loop_init(&loop);
	bool is_stopped = false;
	if (sender_new(&loop, &settings, &none, NULL, &sender, &err)) {
		fault(check, "%s", err.text);
	} else {
		sender_stop(sender, 0, on_stopped, &is_stopped);
		while (!is_stopped)
			uv_run(&loop, UV_RUN_ONCE);
		sender_free(sender);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
}

/* Warnings, of what will fail later or should be corrected. */
static void warn_of(const struct check *check, const struct credential *credential)
{
	char day[CREDENTIAL_DAY_SIZE];
	int64_t left_ms = credential->not_after_unix_ms - clock_unix_ms();
	for (unsigned i = 0; i < credential->warning_count; i++)
		fprintf(stderr, "%s: warning: credential \"%s\": %s\n", check->path,
			credential->name, credential->warnings[i]);
	if (left_ms >= 0 && left_ms < KEYRING_WARN_BEFORE_MS)
		fprintf(stderr, "%s: warning: credential \"%s\": %s expires on %s; renew it\n",
			check->path, credential->name, credential->file,
			credential_last_day(credential, day));
}

/* Returns how many it could load. */
static unsigned check_credentials(
	struct check *check, const struct config *config, const struct input_files *input_files)
{
	unsigned loaded = 0;
	for (unsigned i = 0; i < input_files->credential_count; i++) {
		const struct credential *credential = input_files->credentials[i];
		const char *name = config->credentials[i].name;
		struct err err;
		if (!credential) {
			fault(check, "credential \"%s\": %s", name,
				input_files->credential_errors[i].text);
			continue;
		}
		loaded++;
		if (credential_check_dates(credential, clock_unix_ms(), &err))
			fault(check, "credential \"%s\": %s", name, err.text);
		warn_of(check, credential);
		for (unsigned j = 0; j < i; j++)
			if (input_files->credentials[j] &&
				!strcmp(input_files->credentials[j]->topic, credential->topic))
				fault(check,
					"credentials \"%s\" and \"%s\" are for the same topic %s; "
					"remove one, or set `topic`",
					config->credentials[j].name, config->credentials[i].name,
					credential->topic);
	}
	if (!input_files->credential_count)
		fprintf(stderr,
			"%s: warning: no credential: phones can register, nothing is pushed\n",
			check->path);
	return loaded;
}

static void check_topic(struct check *check, const struct config *config,
	const struct input_files *input_files, unsigned loaded)
{
	const char *topic = input_files->imapdconf->aps_topic;
	bool is_served = false;
	for (unsigned i = 0; i < input_files->credential_count; i++)
		is_served = is_served ||
			(input_files->credentials[i] &&
				!strcmp(input_files->credentials[i]->topic, topic));
	if (!*config->imapd_conf)
		return;
	if (!*topic)
		fault(check,
			"imapd_conf: aps_topic is not set in %s, so Cyrus does not offer push to "
			"phones; "
			"set it to the topic of the certificate",
			config->imapd_conf);
	else if (loaded && !is_served)
		fault(check,
			"imapd_conf: no credential is for aps_topic %s of %s; set it to the topic "
			"of the certificate",
			topic, config->imapd_conf);
}

static void on_warning(void *ctx, const char *key, const char *text)
{
	const struct check *check = ctx;
	fprintf(stderr, "%s: warning: %s: %s\n", check->path, key, text);
}

int check_run(const char *path, const struct config *config)
{
	struct check check = {.path = path};
	struct input_files *input_files = input_files_read(config);
	if (!input_files->imapdconf)
		fault(&check, "imapd_conf: %s", input_files->imapdconf_error.text);
	unsigned loaded = check_credentials(&check, config, input_files);
	if (input_files->imapdconf)
		check_topic(&check, config, input_files, loaded);
	config_consistency_warn(config, input_files, on_warning, &check);
	input_files_free(input_files);
	const char *registry = database_file(config->registry);
	if (registry)
		check_place(&check, "registry", registry, S_IFREG);
	check_place(&check, "queue", config->queue, S_IFREG);
	if (*config->notify_socket)
		check_place(&check, "notify_socket", config->notify_socket, S_IFSOCK);
	if (*config->stream_socket)
		check_place(&check, "stream_socket", config->stream_socket, S_IFSOCK);
	if (*config->dovecot_socket)
		check_place(&check, "dovecot_socket", config->dovecot_socket, S_IFSOCK);
	if (*config->xaps_socket)
		check_place(&check, "xaps_socket", config->xaps_socket, S_IFSOCK);
	if (*config->control_socket)
		check_place(&check, "control_socket", config->control_socket, S_IFSOCK);
	check_group(&check, "socket_group", config->socket_gid);
	if (*config->control_socket)
		check_group(&check, "control_group", config->control_gid);
	check_listen(&check, &config->http_listen);
	if (*config->spool_dir)
		check_spool(&check, config->spool_dir);
	check_forward(&check, config->forward_socket);
	check_command(&check, config->alarm_command);
	check_log(&check, config->log_target);
	check_trust(&check, config);
	if (!check.failed)
		printf("%s: ok\n", path);
	return check.failed;
}
