/*
 * mailpush-dovecot-keep - keeps news of a mailbox for a user who may not write into the spool
 * folder.
 *
 * Where Dovecot's processes run as their users, its plugin (src/dovecot) runs this program when
 * mailpushd does not take the news.  It is setgid to the spool folder's group; the file belongs to
 * its caller, by whom the daemon judges it.  So nothing of the caller is believed: neither the
 * environment (unless it is not setgid) nor the request, which must be one of Dovecot's, nor that
 * there are few of them.
 *
 * Its caller waits for it: so it goes into the background first.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/version.h"
#include "intake/dlist.h"
#include "intake/spoolfile.h"
#include "notify/spool_write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define DEFAULT_SPOOL "/var/spool/mailpush"
#define CLASS "DOVECOT"
#define REQUEST_MAX (64 * 1024) /* bytes */
#define REQUEST_MS 10000	/* to read it; the plugin wrote it already */
#define LOOK_S 60		/* longest that it lives */
/*
 * Of one user, so that none fills the disk.  Copies that look at the same time can pass it by as
 * many as they are: a lock could be held by a copy that its caller stopped.
 */
#define FILES_MAX 1000

static int read_request(struct buf *ret, struct err *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + REQUEST_MS;
	for (;;) {
		struct pollfd pollfd = {.fd = STDIN_FILENO, .events = POLLIN};
		int64_t left_ms = deadline_ms - clock_monotonic_ms();
		if (left_ms <= 0)
			return err_set(err, -ETIMEDOUT, "standard input did not end within %d s",
				REQUEST_MS / 1000);
		if (poll(&pollfd, 1, (int)left_ms) <= 0)
			continue;
		ssize_t n = read(STDIN_FILENO, buf_reserve(ret, 4096), 4096);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return err_set(
				err, -errno, "cannot read standard input: %s", strerror(errno));
		if (n == 0)
			return 0;
		buf_commit(ret, (size_t)n);
		if (ret->used > REQUEST_MAX)
			return err_set(
				err, -EMSGSIZE, "a request of more than %d bytes", REQUEST_MAX);
	}
}

static bool is_of_dovecot(const struct notification *notification)
{
	return notification->class.size == strlen(CLASS) &&
		!memcmp(notification->class.bytes, CLASS, strlen(CLASS));
}

static int check_request(const struct buf *request, struct err *err)
{
	struct dlist_scan scan = {0};
	struct notification notification;
	size_t size;
	int code = dlist_parse(
		&scan, (const char *)request->data, request->used, &notification, &size, err);
	if (!code || (code > 0 && size != request->used))
		code = err_set(err, -EBADMSG, "not one whole request");
	else if (code > 0 && !is_of_dovecot(&notification))
		code = err_set(err, -EBADMSG, "a request of another class than " CLASS);
	dlist_scan_fini(&scan);
	return code < 0 ? code : 0;
}

static int count_own(const char *spool, struct err *err)
{
	int count = 0;
	DIR *folder = opendir(spool);
	if (!folder)
		return err_set(err, -errno, "cannot read '%s': %s", spool, strerror(errno));
	for (struct dirent *file; (file = readdir(folder));) {
		struct stat status;
		if (!fstatat(dirfd(folder), file->d_name, &status, AT_SYMLINK_NOFOLLOW))
			count += status.st_uid == geteuid();
	}
	closedir(folder);
	return count;
}

static int keep(struct err *err)
{
	buf_auto struct buf request;
	buf_init(&request);
	const char *spool = secure_getenv("MAILPUSH_SPOOL");
	if (!spool || !*spool)
		spool = DEFAULT_SPOOL;
	int code = read_request(&request, err);
	if (!code)
		code = check_request(&request, err);
	if (!code && (code = count_own(spool, err)) > FILES_MAX)
		code = err_set(err, -EDQUOT, "already %d files of this user in '%s'", code, spool);
	if (code >= 0)
		code = spool_write(spool, request.data, request.used, err);
	return code;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "-V")) {
		puts("mailpush-dovecot-keep " MAILPUSH_VERSION);
		return 0;
	}
	if (argc != 1) {
		fputs("usage: mailpush-dovecot-keep <request\n"
		      "       mailpush-dovecot-keep -V\n"
		      "\n"
		      "It is run by the plugin of Dovecot; see mailpush-dovecot-keep(8).\n",
			stderr);
		return 2;
	}
	pid_t pid = fork();
	if (pid)
		_exit(pid < 0);
	/* Connections of imap's may be among them. */
	closefrom(STDERR_FILENO + 1);
	setsid();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGALRM, SIG_DFL);
	alarm(LOOK_S);
	umask(027);
	struct err err;
	if (!keep(&err))
		return 0;
	openlog("mailpush-dovecot-keep", LOG_PID, LOG_MAIL);
	syslog(LOG_ERR, "uid %ld: %s; news is lost", (long)geteuid(), err.text);
	return 1;
}
