#include "dovecot/delivery.h"

#include "base/buf.h"
#include "base/clock.h"
#include "notify/request.h"
#include "notify/spool_write.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLASS "DOVECOT"
#define SAID_MS (10 * CLOCK_SECOND_MS) /* between two lines of the log about the same outcome */
/* How the daemon's refusal of a peer begins (docs/dovecot-events.md). */
#define REFUSAL "NO \"not allowed"

#define UNREAPED_MAX 16

static int64_t silent_until_ms; /* monotonic, as all of these */
static int64_t unsaid_until_ms[DELIVERY_LOST + 1];
static int64_t left_ms = DELIVERY_WAIT_MS; /* that mail may wait, */
static int64_t left_at_ms;		   /* as it was then */
static pid_t unreaped[UNREAPED_MAX];	   /* runs of mailpush-dovecot-keep */
static unsigned unreaped_count;

/* What mail may wait now. */
static int64_t begin_to_wait(void)
{
	int64_t now_ms = clock_monotonic_ms();
	left_ms += now_ms - left_at_ms;
	if (left_ms > DELIVERY_WAIT_MS)
		left_ms = DELIVERY_WAIT_MS;
	left_at_ms = now_ms;
	return left_ms;
}

static void end_waiting(void)
{
	int64_t now_ms = clock_monotonic_ms();
	left_ms -= now_ms - left_at_ms;
	if (left_ms < 0)
		left_ms = 0;
	left_at_ms = now_ms;
}

int delivery_write(const void *json, size_t size, struct buf *ret, struct err *err)
{
	const struct request_fields fields = {
		.class = CLASS, .priority = "", .user = "", .mailbox = ""};
	return request_write(&fields, json, size, clock_unix_ms(), ret, err);
}

bool delivery_is_silent(const struct delivery *way)
{
	return clock_monotonic_ms() < silent_until_ms || spool_write_is_silent(way->spool);
}

/* A daemon that is away is noticed at once; only one that hangs costs time. */
static void note_silence(const struct delivery *way)
{
	silent_until_ms = clock_monotonic_ms() + SPOOL_WRITE_SILENT_MS;
	spool_write_note_silence(way->spool);
}

/* The outcome, if something of it is to be said now. */
static enum delivery_outcome said_seldom(enum delivery_outcome outcome)
{
	int64_t now_ms = clock_monotonic_ms();
	if (now_ms < unsaid_until_ms[outcome])
		return DELIVERY_DONE;
	unsaid_until_ms[outcome] = now_ms + SAID_MS;
	return outcome;
}

static int spawn_keep(const struct delivery *way, int input, pid_t *ret)
{
	/* A setgid program takes no folder from its caller. */
	char spool[4096 + 32];
	snprintf(spool, sizeof(spool), "MAILPUSH_SPOOL=%s", way->spool);
	char *arguments[] = {(char *)(uintptr_t)way->keep, NULL};
	char *environment[] = {spool, NULL};
	posix_spawn_file_actions_t actions;
	int code = posix_spawn_file_actions_init(&actions);
	if (code)
		return -code;
	if (!(code = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)) &&
		!(code = posix_spawn_file_actions_addopen(
			  &actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)) &&
		!(code = posix_spawn_file_actions_addopen(
			  &actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)))
		code = posix_spawn(ret, way->keep, &actions, NULL, arguments, environment);
	posix_spawn_file_actions_destroy(&actions);
	return -code;
}

/* True: it has ended; how is in `status`, or nobody knows. */
static bool reap(pid_t pid, int *status)
{
	pid_t ended = waitpid(pid, status, WNOHANG);
	return ended == pid || (ended < 0 && errno != EINTR);
}

static void reap_the_late(void)
{
	for (unsigned i = unreaped_count; i-- > 0;)
		if (reap(unreaped[i], &(int){0}))
			unreaped[i] = unreaped[--unreaped_count];
}

/* It goes into the background by itself, before it reads; if that takes long, it is left alone. */
static int wait_for_keep(pid_t pid)
{
	int status = 0;
	int64_t wait_ms = begin_to_wait();
	int64_t until_ms = left_at_ms + wait_ms;
	bool has_ended;
	while (!(has_ended = reap(pid, &status)) && clock_monotonic_ms() < until_ms)
		poll(NULL, 0, 1);
	end_waiting();
	if (!has_ended)
		unreaped[unreaped_count++] = pid;
	return has_ended && (!WIFEXITED(status) || WEXITSTATUS(status)) ? -ECHILD : 0;
}

static int have_it_kept(const struct delivery *way, const struct buf *request, struct err *err)
{
	int ends[2];
	int code = 0;
	if (unreaped_count == UNREAPED_MAX)
		return err_set(err, -EAGAIN, "%d runs of '%s' do not end", UNREAPED_MAX, way->keep);
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return err_set(err, -errno, "cannot make a pipe: %s", strerror(errno));
	if (write(ends[1], request->data, request->used) != (ssize_t)request->used)
		code = -EMSGSIZE;
	close(ends[1]);
	pid_t pid;
	if (!code && !(code = spawn_keep(way, ends[0], &pid)))
		code = wait_for_keep(pid);
	close(ends[0]);
	if (code)
		return err_set(err, code, "cannot run '%s': %s", way->keep, strerror(-code));
	return 0;
}

static int keep(const struct delivery *way, const struct buf *request, struct err *err)
{
	int code = spool_write(way->spool, request->data, request->used, err);
	if (code == -EACCES || code == -EPERM)
		code = have_it_kept(way, request, err);
	return code;
}

enum delivery_outcome delivery_news(
	const struct delivery *way, const void *json, size_t size, struct err *err)
{
	buf_auto struct buf request;
	buf_init(&request);
	if (size > DELIVERY_NEWS_MAX) {
		err_set(err, -EMSGSIZE, "news of %zu bytes is too long for mailpushd", size);
		return DELIVERY_LOST;
	}
	if (delivery_write(json, size, &request, err))
		return DELIVERY_LOST;

	struct err why;
	int status = -EAGAIN;
	reap_the_late();
	if (delivery_is_silent(way)) {
		err_set(&why, status, "mailpushd gave no answer a moment ago");
	} else {
		status = daemon_client_try(
			way->socket, request.data, request.used, begin_to_wait(), &why);
		end_waiting();
	}
	if (!status)
		return DELIVERY_DONE;
	if (status == -EPROTO && strstr(why.text, REFUSAL)) {
		*err = why;
		return said_seldom(DELIVERY_REFUSED);
	}
	if (status == -ETIMEDOUT)
		note_silence(way);
	struct err not_kept;
	enum delivery_outcome outcome = DELIVERY_KEPT;
	if (keep(way, &request, &not_kept)) {
		outcome = DELIVERY_LOST;
		err_set(err, -EIO, "%.200s; news is lost (%.240s)", not_kept.text, why.text);
	} else {
		err_set(err, status, "%.240s; news is kept in '%.200s'", why.text, way->spool);
	}
	return said_seldom(outcome);
}

int delivery_ask(const struct delivery *way, const void *json, size_t size,
	char ret_topic[DAEMON_CLIENT_VALUE_SIZE], struct err *err)
{
	buf_auto struct buf request;
	buf_init(&request);
	int status = delivery_write(json, size, &request, err);
	if (status)
		return status;
	status = daemon_client_ask(
		way->socket, request.data, request.used, begin_to_wait(), ret_topic, err);
	end_waiting();
	if (status == -ETIMEDOUT)
		note_silence(way);
	return status;
}
