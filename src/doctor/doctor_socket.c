#include "doctor/doctor_socket.h"

#include "base/mem.h"
#include "checkup/reach.h"
#include "config/setting.h"
#include "platform/dgramlimit.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define SYSCTL_FILE "/etc/sysctl.d/60-mailpush.conf"
#define RESTART "systemctl restart mailpush"

static void judge_rights(struct report *findings, const struct config *config, const char *path,
	const struct stat *status, const struct person *person)
{
	if (person_may(person, status, PERSON_MAY_WRITE)) {
		report_add(findings, REPORT_OK, "permissions",
			"Cyrus runs as user %s, who may write to %s", person->name, path);
		return;
	}
	const struct group *group = getgrgid(person->gids[0]);
	report_add(findings, REPORT_FAIL, "permissions",
		"Cyrus runs as user %s, who may not write to %s (mode %04o)", person->name, path,
		status->st_mode & 07777);
	if (person_is_member(person, status->st_gid) || !group)
		report_put(findings, config->path, "socket_mode = 0660");
	else
		report_put(findings, config->path, "socket_group = \"%s\"", group->gr_name);
	report_run(findings, RESTART);
}

static void examine_socket(struct report *findings, const struct config *config, const char *path,
	int kind, const struct person *person)
{
	struct stat status;
	mem_auto char *who = mem_printf("Cyrus runs as user %s", person->name);
	if (reach_folders(findings, path, who, person) &&
		reach_socket(findings, path, kind, &status))
		judge_rights(findings, config, path, &status, person);
}

static void judge_allowed(
	struct report *findings, const struct config *config, const struct person *person)
{
	if (peer_is_allowed(&config->peers, person->uid)) {
		report_add(findings, REPORT_OK, "allowed_users", "user %s may send events",
			person->name);
		return;
	}
	const struct config_setting *setting = setting_find(config, "allowed_users");
	const char *listed = setting ? setting->value : "";
	report_add(findings, REPORT_FAIL, "allowed_users",
		"Cyrus runs as user %s, who is not listed, so its events are refused",
		person->name);
	report_put(findings, config->path, "allowed_users = { %s%s%s }", listed,
		*listed ? ", " : "", person->name);
	report_run(findings, RESTART);
}

static void examine_spool(
	struct report *findings, const struct config *config, const struct person *person)
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
	} else if (!person_may(person, &status, PERSON_MAY_ENTER | PERSON_MAY_WRITE)) {
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
	enum doctor_way way, const struct person *person)
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
