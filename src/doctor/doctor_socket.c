#include "doctor/doctor_socket.h"

#include "base/mem.h"
#include "platform/dgramlimit.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SYSCTL_FILE "/etc/sysctl.d/60-mailpush.conf"
#define START "systemctl start mailpush"
#define RESTART "systemctl restart mailpush"

enum { MAY_ENTER = 1, MAY_WRITE = 2 };

bool doctor_socket_find_person(const char *name, struct doctor_person *ret)
{
	const struct passwd *passwd = getpwnam(name);
	if (!passwd)
		return false;
	*ret = (struct doctor_person){
		.name = name, .uid = passwd->pw_uid, .gid_count = DOCTOR_GROUPS_MAX};
	if (getgrouplist(name, passwd->pw_gid, ret->gids, &ret->gid_count) < 0)
		ret->gid_count = DOCTOR_GROUPS_MAX;
	return true;
}

static bool is_member(const struct doctor_person *person, gid_t gid)
{
	for (int i = 0; i < person->gid_count; i++)
		if (person->gids[i] == gid)
			return true;
	return false;
}

bool doctor_socket_may(
	const struct doctor_person *person, const struct stat *status, unsigned rights)
{
	unsigned shift = person->uid == status->st_uid ? 6
		: is_member(person, status->st_gid)    ? 3
						       : 0;
	return person->uid == 0 || ((status->st_mode >> shift) & rights) == rights;
}

/* Each folder on the way to `path`. */
static bool may_reach(struct report *findings, const char *path, const struct doctor_person *person)
{
	mem_auto char *folder = mem_dup(path);
	for (char *slash = folder; (slash = strchr(slash + 1, '/'));) {
		struct stat status;
		*slash = '\0';
		if (stat(folder, &status)) {
			bool is_hidden = errno == EACCES;
			report_add(findings, is_hidden ? REPORT_WARN : REPORT_FAIL, "socket",
				"the folder %s: %s%s", folder, strerror(errno),
				is_hidden ? ": run mailpushctl doctor as root" : "");
			if (!is_hidden)
				report_run(findings, RESTART);
			return false;
		}
		if (!doctor_socket_may(person, &status, MAY_ENTER)) {
			report_add(findings, REPORT_FAIL, "socket",
				"Cyrus runs as user %s, who cannot enter the folder %s",
				person->name, folder);
			report_run(findings, "chmod a+x %s", folder);
			return false;
		}
		*slash = '/';
	}
	return true;
}

/* A connection of the other kind is refused, so the listener never sees it. */
static int probe(const char *path, int *ret_kind)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int code = connect(fd, (struct sockaddr *)&address, sizeof(address)) ? errno : 0;
	close(fd);
	*ret_kind = code == EPROTOTYPE ? SOCK_STREAM : SOCK_DGRAM;
	return code == EPROTOTYPE ? 0 : code;
}

static void judge_listener(struct report *findings, const char *path, int wanted)
{
	int kind;
	int code = probe(path, &kind);
	if (code == EACCES) {
		report_add(findings, REPORT_WARN, "socket",
			"%s: run mailpushctl doctor as root to learn whether a program listens "
			"there",
			path);
	} else if (code) {
		report_add(findings, REPORT_FAIL, "socket", "no program listens at %s (%s)", path,
			strerror(code));
		report_run(findings, RESTART);
	} else if (kind != wanted) {
		report_add(findings, REPORT_FAIL, "socket",
			"%s is a socket of the other kind, so it belongs to another program: stop "
			"that program",
			path);
		report_run(findings, RESTART);
	} else {
		report_add(findings, REPORT_OK, "socket", "mailpushd listens at %s", path);
	}
}

static void judge_rights(struct report *findings, const struct config *config, const char *path,
	const struct stat *status, const struct doctor_person *person)
{
	if (doctor_socket_may(person, status, MAY_WRITE)) {
		report_add(findings, REPORT_OK, "permissions",
			"Cyrus runs as user %s, who may write to %s", person->name, path);
		return;
	}
	const struct group *group = getgrgid(person->gids[0]);
	report_add(findings, REPORT_FAIL, "permissions",
		"Cyrus runs as user %s, who may not write to %s (mode %04o)", person->name, path,
		status->st_mode & 07777);
	if (is_member(person, status->st_gid) || !group)
		report_put(findings, config->path, "socket_mode = 0660");
	else
		report_put(findings, config->path, "socket_group = \"%s\"", group->gr_name);
	report_run(findings, RESTART);
}

static void examine_socket(struct report *findings, const struct config *config, const char *path,
	int kind, const struct doctor_person *person)
{
	struct stat status;
	if (!may_reach(findings, path, person))
		return;
	if (lstat(path, &status)) {
		report_add(findings, REPORT_FAIL, "socket", "%s is missing: %s", path,
			strerror(errno));
		report_run(findings, START);
	} else if (!S_ISSOCK(status.st_mode)) {
		report_add(findings, REPORT_FAIL, "socket",
			"%s is not a socket; remove it, and mailpushd creates one", path);
		report_run(findings, "rm %s && " RESTART, path);
	} else {
		judge_listener(findings, path, kind);
		judge_rights(findings, config, path, &status, person);
	}
}

static void judge_allowed(
	struct report *findings, const struct config *config, const struct doctor_person *person)
{
	const char *listed = "";
	if (peer_is_allowed(&config->peers, person->uid)) {
		report_add(findings, REPORT_OK, "allowed_users", "user %s may send events",
			person->name);
		return;
	}
	for (unsigned i = 0; i < config->setting_count; i++)
		if (!strcmp(config->settings[i].key, "allowed_users"))
			listed = config->settings[i].value;
	report_add(findings, REPORT_FAIL, "allowed_users",
		"Cyrus runs as user %s, who is not listed, so its events are refused",
		person->name);
	report_put(findings, config->path, "allowed_users = { %s%s%s }", listed,
		*listed ? ", " : "", person->name);
	report_run(findings, RESTART);
}

static void examine_spool(
	struct report *findings, const struct config *config, const struct doctor_person *person)
{
	struct stat status;
	const char *folder = config->spool_dir;
	if (!*folder) {
		report_add(findings, REPORT_WARN, "spool",
			"spool_dir is \"\": mailpushd never takes in the events that "
			"mailpush-notify keeps while it is away");
		report_put(findings, config->path, "spool_dir = \"/var/spool/mailpush\"");
		report_run(findings, RESTART);
	} else if (stat(folder, &status)) {
		bool is_hidden = errno == EACCES;
		report_add(findings, is_hidden ? REPORT_WARN : REPORT_FAIL, "spool", "%s: %s",
			folder, strerror(errno));
		if (!is_hidden)
			report_run(findings, "install -d -o mailpush -g mail -m 2770 %s", folder);
	} else if (!doctor_socket_may(person, &status, MAY_ENTER | MAY_WRITE)) {
		report_add(findings, REPORT_FAIL, "spool",
			"Cyrus runs mailpush-notify as user %s, who may not write into %s (mode "
			"%04o)",
			person->name, folder, status.st_mode & 07777);
		report_run(findings, "chgrp %u %s && chmod 2770 %s", (unsigned)person->gids[0],
			folder, folder);
	} else if (status.st_mode & S_IWOTH) {
		report_add(findings, REPORT_WARN, "spool",
			"every user may write into %s (mode %04o)", folder, status.st_mode & 07777);
		report_run(findings, "chmod 2770 %s", folder);
	} else {
		report_add(findings, REPORT_OK, "spool", "%s", folder);
	}
}

void doctor_socket_judge_queue(struct report *findings, long length)
{
	if (length >= DOCTOR_QUEUE_WANTED) {
		report_add(findings, REPORT_OK, "max_dgram_qlen", "%ld", length);
		return;
	}
	report_add(findings, REPORT_WARN, "max_dgram_qlen",
		"net.unix.max_dgram_qlen is %ld: once that many events wait, Cyrus waits too, with "
		"its mailboxes locked",
		length);
	report_put(findings, SYSCTL_FILE, "net.unix.max_dgram_qlen = %d", DOCTOR_QUEUE_WANTED);
	report_run(findings, "sysctl -p " SYSCTL_FILE " && " RESTART);
}

static void examine_queue(struct report *findings)
{
	long length = dgramlimit_read();
	if (length >= 0)
		doctor_socket_judge_queue(findings, length);
}

void doctor_socket_examine(struct report *findings, const struct config *config,
	enum doctor_way way, const struct doctor_person *person)
{
	if (way == DOCTOR_NO_WAY)
		return;
	if (way == DOCTOR_DATAGRAM)
		examine_socket(findings, config, config->notify_socket, SOCK_DGRAM, person);
	else if (*config->stream_socket)
		examine_socket(findings, config, config->stream_socket, SOCK_STREAM, person);
	else
		report_add(findings, REPORT_FAIL, "socket",
			"mailpush-notify connects to stream_socket, which is \"\"");
	judge_allowed(findings, config, person);
	if (way == DOCTOR_NOTIFYD)
		examine_spool(findings, config, person);
	if (way != DOCTOR_DLIST)
		examine_queue(findings);
}
