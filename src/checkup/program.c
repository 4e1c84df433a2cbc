#include "checkup/program.h"

#include "base/clock.h"
#include "platform/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define OF_NOBODY 65534
#define SECOND_MS 1000
#define LOOK_MS 5

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

static _Noreturn void become(const struct program *program, int answer)
{
	static const struct rlimit nothing = {0, 0};
	rlim_t time_s = (rlim_t)(program->time_ms / SECOND_MS) + 1;
	struct rlimit seconds = {time_s, time_s};
	char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
	int null = open("/dev/null", O_RDWR);
	/* Ends the whole session; a script is read through its descriptor. */
	if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(answer, STDOUT_FILENO) >= 0 &&
		dup2(program->has_errors ? answer : null, STDERR_FILENO) >= 0 && setsid() >= 0 &&
		!chdir("/") && !setrlimit(RLIMIT_CORE, &nothing) &&
		(program->writes_files || !setrlimit(RLIMIT_FSIZE, &nothing)) &&
		!setrlimit(RLIMIT_CPU, &seconds) && (!program->is_doubted || drop_privileges()) &&
		!fcntl(program->fd, F_SETFD, 0))
		fexecve(program->fd, program->arguments, environment);
	_exit(127);
}

/* Until its output ends, the room is full or the time is over. */
static void read_answer(int fd, int64_t deadline_ms, char *ret, size_t size)
{
	size_t used = 0;
	while (used < size - 1) {
		struct pollfd pollfd = {.fd = fd, .events = POLLIN};
		int64_t left_ms = deadline_ms - clock_monotonic_ms();
		if (left_ms <= 0)
			break;
		if (poll(&pollfd, 1, (int)left_ms) <= 0)
			continue;
		ssize_t n = read(fd, ret + used, size - 1 - used);
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			break;
		used += n > 0 ? (size_t)n : 0;
	}
	ret[used] = '\0';
}

/* It may have closed its output and go on. */
static bool has_ended(pid_t pid, int64_t deadline_ms)
{
	for (;;) {
		siginfo_t info = {0};
		if (!waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) && info.si_pid)
			return true;
		if (clock_monotonic_ms() >= deadline_ms)
			return false;
		poll(NULL, 0, LOOK_MS);
	}
}

/* It and all of its session end. */
static int end(pid_t pid, int64_t deadline_ms)
{
	int status = 0;
	bool is_killed = !has_ended(pid, deadline_ms);
	/* A process that is not waited for yet keeps its number. */
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return !is_killed && WIFEXITED(status) ? WEXITSTATUS(status) : PROGRAM_KILLED;
}

int program_run(const struct program *program, char *ret, size_t size)
{
	int ends[2];
	int64_t deadline_ms = clock_monotonic_ms() + program->time_ms;
	if (pipe2(ends, O_CLOEXEC))
		return -1;
	pid_t pid = fork();
	if (pid == 0)
		become(program, ends[1]);
	int code = errno;
	close(ends[1]);
	if (pid > 0)
		read_answer(ends[0], deadline_ms, ret, size);
	close(ends[0]);
	errno = code;
	return pid < 0 ? -1 : end(pid, deadline_ms);
}

bool program_may_others_write(const struct stat *status)
{
	bool is_group_s = status->st_gid != 0 && status->st_gid != getegid();
	return status->st_mode & (is_group_s ? S_IWGRP | S_IWOTH : S_IWOTH);
}

bool program_is_trusted(const struct stat *status)
{
	return (status->st_uid == 0 || status->st_uid == geteuid()) &&
		!program_may_others_write(status);
}
