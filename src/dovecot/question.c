#include "dovecot/question.h"

#include <ioloop.h>
#include <poll.h>

struct question {
	struct buf request;
	struct daemon_client client;
	int status; /* of what came before the first step */
	struct err err;
	question_answered_fn *answered;
	void *ctx;
	struct io *io;
	short io_events;
	struct timeout *again;
	struct timeout *end;
};

static void free_question(struct question *question)
{
	io_remove(&question->io);
	timeout_remove(&question->again);
	timeout_remove(&question->end);
	if (!question->status)
		daemon_client_end(&question->client);
	buf_fini(&question->request);
	i_free(question);
}

static void finish(struct question *question, const char *topic, const struct err *err)
{
	question_answered_fn *answered = question->answered;
	void *ctx = question->ctx;
	free_question(question);
	answered(ctx, topic, err);
}

static void on_step(struct question *question);

static void await(struct question *question)
{
	short events = daemon_client_awaits(&question->client);
	timeout_remove(&question->again);
	if (!events) {
		question->again = timeout_add_short(DAEMON_CLIENT_AGAIN_MS, on_step, question);
		return;
	}
	if (question->io && question->io_events == events)
		return;
	io_remove(&question->io);
	question->io_events = events;
	question->io = io_add(question->client.fd, events & POLLOUT ? IO_READ | IO_WRITE : IO_READ,
		on_step, question);
}

static void on_step(struct question *question)
{
	char topic[DAEMON_CLIENT_VALUE_SIZE];
	struct err err = question->err;
	int status = question->status;
	if (!status && !(status = daemon_client_step(&question->client, &err))) {
		await(question);
		return;
	}
	if (status > 0)
		status = daemon_client_value(&question->client, topic, &err);
	finish(question, status ? NULL : topic, &err);
}

static void on_end(struct question *question)
{
	struct err err;
	err_set(&err, -ETIMEDOUT, "mailpushd at '%s' gave no answer within %d s",
		question->client.path, QUESTION_WAIT_MS / 1000);
	finish(question, NULL, &err);
}

struct question *question_ask(const struct delivery *way, const void *json, size_t size,
	question_answered_fn *answered, void *ctx)
{
	struct question *question = i_new(struct question, 1);
	question->answered = answered;
	question->ctx = ctx;
	question->status = delivery_write(json, size, &question->request, &question->err);
	if (!question->status)
		question->status = daemon_client_begin(&question->client, way->socket,
			question->request.data, question->request.used, &question->err);
	question->again = timeout_add_short(0, on_step, question);
	question->end = timeout_add(QUESTION_WAIT_MS, on_end, question);
	return question;
}

void question_cancel(struct question **question)
{
	if (*question)
		free_question(*question);
	*question = NULL;
}
