/*
 * mailpush-notify - hands one notification to mailpushd, or keeps it on disk.
 *
 * notifyd of Cyrus runs it for each notification (`notify_external`), one at a time, and mail waits
 * meanwhile: so it never waits long, and depends on libc alone, to start quickly.
 *
 *   main.c           options, and which way it goes
 *   request.c        command line and message → one dlist request
 *   daemon_client.c  to the daemon's socket, WAIT_MS for everything
 *   spool_write.c    else into the spool folder, from where the daemon takes it
 *
 * notifyd ignores the exit status and hides the output: complaints go to syslog too.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/version.h"
#include "intake/dlist.h"
#include "notify/daemon_client.h"
#include "notify/request.h"
#include "notify/spool_write.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/mailpush/cyrus"
#define DEFAULT_SPOOL "/var/spool/mailpush"
#define WAIT_MS 200
#define MESSAGE_MS 10000 /* to read the message; notifyd writes it at once */
#define COMPLAIN_S 2	 /* a stuck log must not hold up mail either */

static volatile sig_atomic_t exit_status;

static void on_alarm(int number)
{
	(void)number;
	_exit(exit_status);
}

static void complain(int priority, int status, const char *text)
{
	exit_status = status;
	signal(SIGALRM, on_alarm);
	alarm(COMPLAIN_S);
	openlog("mailpush-notify", LOG_PID, LOG_MAIL);
	syslog(priority, "%s", text);
	fprintf(stderr, "mailpush-notify: %s\n", text);
	alarm(0);
}

static int fail(int status, const struct err *err)
{
	complain(LOG_ERR, status, err->text);
	return status;
}

static void print_usage(FILE *to)
{
	fputs("usage: mailpush-notify -c class [-p priority] [-u user] [-m mailbox] [-f [file]]\n"
	      "       mailpush-notify -h | -V\n"
	      "\n"
	      "Hands the notification on standard input to mailpushd.  It is run by notifyd of\n"
	      "Cyrus; see mailpush-notify(8).\n",
		to);
}

/* Files opened later must not become standard error. */
static void open_standard_files(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* Up to the end of the file, and in time. */
static int read_message(struct buf *ret, struct err *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + MESSAGE_MS;
	for (;;) {
		struct pollfd pollfd = {.fd = STDIN_FILENO, .events = POLLIN};
		int64_t left_ms = deadline_ms - clock_monotonic_ms();
		if (left_ms <= 0)
			return err_set(err, -ETIMEDOUT,
				"the message on standard input did not end within %d s; the "
				"notification is lost",
				MESSAGE_MS / 1000);
		if (poll(&pollfd, 1, (int)left_ms) <= 0)
			continue;
		ssize_t n = read(STDIN_FILENO, buf_reserve(ret, 65536), 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, -errno,
				"cannot read the message from standard input: %s; the notification "
				"is lost",
				strerror(errno));
		if (n == 0)
			break;
		buf_commit(ret, (size_t)n);
		if (ret->used > DLIST_REQUEST_MAX)
			return err_set(err, -EMSGSIZE,
				"the message has more than %d bytes, the limit of mailpushd; the "
				"notification is lost",
				DLIST_REQUEST_MAX);
	}
	if (!ret->used)
		return err_set(err, -EINVAL,
			"standard input is empty; notifyd of Cyrus writes the message there");
	/* The newline is notifyd's. */
	if (ret->data[ret->used - 1] == '\n')
		ret->used--;
	return 0;
}

static const char *setting(const char *name, const char *fallback)
{
	const char *value = getenv(name);
	return value && *value ? value : fallback;
}

static int hand_over_or_keep(const struct buf *request)
{
	const char *socket = setting("MAILPUSH_SOCKET", DEFAULT_SOCKET);
	const char *spool = setting("MAILPUSH_SPOOL", DEFAULT_SPOOL);
	struct err why;
	int status = -EAGAIN;
	bool was_silent = spool_write_is_silent(spool);
	if (was_silent)
		err_set(&why, status, "mailpushd gave no answer a moment ago");
	else
		status = daemon_client_try(socket, request->data, request->used, WAIT_MS, &why);
	if (!status)
		return 0;

	struct err err;
	char text[2 * ERR_TEXT_MAX + 64];
	if (spool_write(spool, request->data, request->used, &err)) {
		snprintf(text, sizeof(text), "%s; the notification is lost (%s)", err.text,
			why.text);
		complain(LOG_ERR, 1, text);
		return 1;
	}
	if (was_silent)
		return 0;
	/* A daemon that answers, even with NO, is present. */
	if (status != -EPROTO)
		spool_write_note_silence(spool);
	snprintf(text, sizeof(text), "%s; the notification is kept in '%s'", why.text, spool);
	complain(LOG_WARNING, 0, text);
	return 0;
}

int main(int argc, char **argv)
{
	struct err err;
	bool has_input = fcntl(STDIN_FILENO, F_GETFD) >= 0;
	open_standard_files();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (argc == 2 && !strcmp(argv[1], "-h")) {
		print_usage(stdout);
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], "-V")) {
		puts("mailpush-notify " MAILPUSH_VERSION);
		return 0;
	}
	struct request_fields fields;
	if (request_read_arguments(argc - 1, argv + 1, &fields, &err)) {
		print_usage(stderr);
		return fail(2, &err);
	}
	if (!has_input) {
		err_set(&err, -EBADF, "standard input is closed; the notification is lost");
		return fail(1, &err);
	}
	buf_auto struct buf message;
	buf_auto struct buf request;
	buf_init(&message);
	buf_init(&request);
	int64_t received_ms = clock_unix_ms();
	if (read_message(&message, &err) ||
		request_write(&fields, message.data, message.used, received_ms, &request, &err))
		return fail(1, &err);
	return hand_over_or_keep(&request);
}
