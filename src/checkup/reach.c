#include "checkup/reach.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define START "systemctl start mailpush"
#define RESTART "systemctl restart mailpush"

bool reach_folders(
	struct report *findings, const char *path, const char *who, const struct person *person)
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
		if (!person_may(person, &status, PERSON_MAY_ENTER)) {
			report_add(findings, REPORT_FAIL, "socket",
				"%s, who cannot enter the folder %s", who, folder);
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

bool reach_socket(struct report *findings, const char *path, int kind, struct stat *ret)
{
	if (lstat(path, ret)) {
		report_add(findings, REPORT_FAIL, "socket", "%s is missing: %s", path,
			strerror(errno));
		report_run(findings, START);
		return false;
	}
	if (!S_ISSOCK(ret->st_mode)) {
		report_add(findings, REPORT_FAIL, "socket",
			"%s is not a socket; remove it, and mailpushd creates one", path);
		report_run(findings, "rm %s && " RESTART, path);
		return false;
	}
	judge_listener(findings, path, kind);
	return true;
}
