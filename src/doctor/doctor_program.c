#include "doctor/doctor_program.h"

#include "base/clock.h"
#include "platform/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "mailpush-notify"
#define ANSWER_MAX 128
#define ANSWER_MS 2000
#define MAY_RUN 1
#define OF_NOBODY 65534

static void close_cleanup(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define fd_auto __attribute__((cleanup(close_cleanup))) int

static bool drop_privileges(void)
{
	const struct passwd *nobody = getpwnam("nobody");
	uid_t uid = nobody ? nobody->pw_uid : OF_NOBODY;
	gid_t gid = nobody ? nobody->pw_gid : OF_NOBODY;
	/* A setuid program cannot regain these privileges. */
	if (!confine_rights())
		return false;
	return geteuid() != 0 || (!setgroups(0, NULL) && !setgid(gid) && !setuid(uid));
}

static _Noreturn void become(int program, int answer)
{
	static const struct rlimit nothing = {0, 0};
	static const struct rlimit seconds = {2, 2};
	char *const arguments[] = {NAME, "-V", NULL};
	char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
	int null = open("/dev/null", O_RDWR);
	/* Ends the whole session; a script is read through its descriptor. */
	if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(answer, STDOUT_FILENO) >= 0 &&
		dup2(null, STDERR_FILENO) >= 0 && setsid() >= 0 && !chdir("/") &&
		!setrlimit(RLIMIT_CORE, &nothing) && !setrlimit(RLIMIT_FSIZE, &nothing) &&
		!setrlimit(RLIMIT_CPU, &seconds) && drop_privileges() &&
		fcntl(program, F_SETFD, 0) == 0)
		fexecve(program, arguments, environment);
	_exit(127);
}

static void read_answer(int fd, char ret[ANSWER_MAX])
{
	int64_t deadline_ms = clock_monotonic_ms() + ANSWER_MS;
	size_t used = 0;
	for (;;) {
		struct pollfd pollfd = {.fd = fd, .events = POLLIN};
		int64_t left_ms = deadline_ms - clock_monotonic_ms();
		if (left_ms <= 0 || used == ANSWER_MAX - 1)
			break;
		if (poll(&pollfd, 1, (int)left_ms) <= 0)
			continue;
		ssize_t n = read(fd, ret + used, ANSWER_MAX - 1 - used);
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			break;
		used += n > 0 ? (size_t)n : 0;
	}
	ret[used] = '\0';
	ret[strcspn(ret, "\r\n")] = '\0';
}

/* False: it could not be run.  What it printed may be "". */
static bool ask(int program, char ret[ANSWER_MAX])
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC))
		return false;
	fd_auto from = ends[0];
	fd_auto to = ends[1];
	pid_t pid = fork();
	if (pid < 0)
		return false;
	if (pid == 0)
		become(program, to);
	close(to);
	to = -1;
	read_answer(from, ret);
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return true;
}

static bool is_ours(const char *answer)
{
	return !strncmp(answer, NAME " ", strlen(NAME " "));
}

static void judge_answer(struct report *findings, const struct doctor_cyrus *cyrus,
	const char *program, const char *answer)
{
	if (is_ours(answer))
		report_add(findings, REPORT_OK, "notify_external", "%s is %s", program, answer);
	else
		doctor_cyrus_refuse_program(findings, cyrus, program);
}

static bool may_others_write(const struct stat *status)
{
	bool is_group_s = status->st_gid != 0 && status->st_gid != getegid();
	return status->st_mode & (is_group_s ? S_IWGRP | S_IWOTH : S_IWOTH);
}

static void judge_file(struct report *findings, const struct doctor_cyrus *cyrus,
	const char *program, int fd, const struct stat *status)
{
	char answer[ANSWER_MAX] = "";
	if (status->st_uid != 0 && status->st_uid != geteuid()) {
		report_add(findings, REPORT_WARN, "notify_external",
			"%s belongs to uid %u, not to root, so it was not asked whether it "
			"is " NAME,
			program, (unsigned)status->st_uid);
		report_run(findings, "chown root %s", program);
	} else if (may_others_write(status)) {
		report_add(findings, REPORT_WARN, "notify_external",
			"%s may be written by others than its owner (mode %04o), so it was not "
			"asked "
			"whether it is " NAME,
			program, status->st_mode & 07777);
		report_run(findings, "chmod go-w %s", program);
	} else if (!ask(fd, answer)) {
		report_add(findings, REPORT_WARN, "notify_external",
			"%s could not be run to ask whether it is " NAME ": %s", program,
			strerror(errno));
	} else {
		judge_answer(findings, cyrus, program, answer);
	}
}

void doctor_program_examine(struct report *findings, const struct doctor_cyrus *cyrus,
	const char *program, const struct doctor_person *person)
{
	struct stat status;
	/* It runs the very file that it checked, wherever the path leads by then. */
	fd_auto fd = confine_open(program);
	if (fd < 0 || fstat(fd, &status)) {
		report_add(findings, errno == EACCES ? REPORT_WARN : REPORT_FAIL, "notify_external",
			"%s: %s", program, strerror(errno));
	} else if (!S_ISREG(status.st_mode)) {
		report_add(findings, REPORT_FAIL, "notify_external", "%s is not a file", program);
	} else if (!doctor_socket_may(person, &status, MAY_RUN)) {
		report_add(findings, REPORT_FAIL, "notify_external",
			"Cyrus runs as user %s, who may not run %s (mode %04o)", person->name,
			program, status.st_mode & 07777);
		report_run(findings, "chmod 0755 %s", program);
	} else {
		judge_file(findings, cyrus, program, fd, &status);
	}
}
