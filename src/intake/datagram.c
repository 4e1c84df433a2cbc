#include "intake/datagram.h"

#include "base/mem.h"
#include "platform/receive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BATCH 64
#define SENDER_SIZE 24
/* datagram_free takes in no more, as a peer may keep sending over an open descriptor. */
#define DRAIN_MAX (16 * DATAGRAM_TURN_MAX)

/* Pages of a buffer that no datagram reached stay untouched: 64 short datagrams cost 256 KiB. */
struct slot {
	char bytes[DATAGRAM_SIZE_MAX];
};

struct datagram {
	uv_poll_t poll;
	int fd;
	char *path;
	mode_t mode;
	gid_t gid;
	struct peer_file file;
	const struct peer_rules *peers;
	struct datagram_callbacks callbacks;
	void *ctx;

	struct receive messages[BATCH];
	struct iovec pieces[BATCH];
	_Alignas(struct cmsghdr) char controls[BATCH][PEERCRED_CONTROL_MAX];
	struct slot *slots;
};

struct cursor {
	const char *at;
	const char *end;
};

static bool take_field(struct cursor *cursor, struct notification_field *ret)
{
	const char *nul = memchr(cursor->at, '\0', (size_t)(cursor->end - cursor->at));
	if (!nul)
		return false;
	ret->bytes = cursor->at;
	ret->size = (size_t)(nul - cursor->at);
	cursor->at = nul + 1;
	return true;
}

static bool parse_count(const struct notification_field *field, unsigned *ret)
{
	unsigned count = 0;
	if (field->size < 1 || field->size > 2)
		return false;
	for (size_t i = 0; i < field->size; i++) {
		char c = field->bytes[i];
		if (c < '0' || c > '9')
			return false;
		count = count * 10 + (unsigned)(c - '0');
	}
	if (count > NOTIFICATION_OPTIONS_MAX)
		return false;
	*ret = count;
	return true;
}

int datagram_parse(const char *bytes, size_t size, struct notification *ret, struct err *err)
{
	struct cursor cursor = {bytes, bytes + size};
	struct notification n;
	struct notification_field count;
	memset(&n.filepath, 0, sizeof(n.filepath));

	if (!take_field(&cursor, &n.method) || !take_field(&cursor, &n.class) ||
		!take_field(&cursor, &n.priority) || !take_field(&cursor, &n.user) ||
		!take_field(&cursor, &n.mailbox) || !take_field(&cursor, &count))
		return err_set(
			err, -EBADMSG, "malformed datagram of %zu bytes: too few fields", size);
	if (!parse_count(&count, &n.option_count))
		return err_set(err, -EBADMSG,
			"malformed datagram of %zu bytes: the number of options is not a number up "
			"to %d",
			size, NOTIFICATION_OPTIONS_MAX);
	for (unsigned i = 0; i < n.option_count; i++) {
		if (!take_field(&cursor, &n.options[i]))
			return err_set(err, -EBADMSG,
				"malformed datagram of %zu bytes: too few options", size);
	}
	if (!take_field(&cursor, &n.message))
		return err_set(err, -EBADMSG,
			"malformed datagram of %zu bytes: the message is missing or cut", size);
	if (cursor.at < cursor.end && !take_field(&cursor, &n.filepath))
		return err_set(err, -EBADMSG,
			"malformed datagram of %zu bytes: the file path is cut", size);
	if (cursor.at < cursor.end)
		return err_set(err, -EBADMSG,
			"malformed datagram of %zu bytes: bytes follow the last field", size);

	/* Copies only the options in use: 64 unused ones are most of the struct. */
	ret->method = n.method;
	ret->class = n.class;
	ret->priority = n.priority;
	ret->user = n.user;
	ret->mailbox = n.mailbox;
	ret->message = n.message;
	ret->filepath = n.filepath;
	ret->option_count = n.option_count;
	ret->received_ms = 0;
	memcpy(ret->options, n.options, n.option_count * sizeof(n.options[0]));
	ret->raw = (struct notification_field){bytes, size};
	ret->is_dlist = false;
	return 0;
}

static void reject_stranger(struct datagram *d, uid_t uid)
{
	struct err err;
	err_set(&err, -EACCES,
		"uid %u: not allowed to send events; if it is the mail server's uid, add it to "
		"allowed_users",
		(unsigned)uid);
	d->callbacks.rejected(d->ctx, NOTIFICATION_NOT_ALLOWED, "stranger's datagrams", err.text);
}

/* `ret_name`: the sender, for people. */
static bool may_send(struct datagram *d, struct msghdr *header, char ret_name[SENDER_SIZE])
{
	struct peercred sender;
	strcpy(ret_name, "somebody");
	if (!peercred_is_sent())
		return true;
	if (!peercred_of_message(header, &sender)) {
		d->callbacks.rejected(d->ctx, NOTIFICATION_NOT_ALLOWED,
			"datagrams without a sender",
			"received a datagram without its sender's uid");
		return false;
	}
	if (peer_is_self(d->peers, &sender)) {
		d->callbacks.rejected(
			d->ctx, NOTIFICATION_NOT_ALLOWED, "datagrams of our own", PEER_SELF_TEXT);
		return false;
	}
	if (!peer_is_allowed(d->peers, sender.uid)) {
		reject_stranger(d, sender.uid);
		return false;
	}
	snprintf(ret_name, SENDER_SIZE, "uid %u", (unsigned)sender.uid);
	return true;
}

static void take(struct datagram *d, struct receive *message)
{
	struct err err;
	struct msghdr *header = &message->header;
	char sender[SENDER_SIZE];
	if (!may_send(d, header, sender))
		return;
	if (header->msg_flags & MSG_TRUNC) {
		err_set(&err, -EMSGSIZE, "%s sent a datagram of more than %d bytes", sender,
			DATAGRAM_SIZE_MAX);
		d->callbacks.rejected(
			d->ctx, NOTIFICATION_MALFORMED, "datagrams too large", err.text);
		return;
	}
	struct notification notification;
	int r = datagram_parse(header->msg_iov->iov_base, message->size, &notification, &err);
	if (r < 0) {
		err_prefix(&err, r, "%s", sender);
		d->callbacks.rejected(
			d->ctx, NOTIFICATION_MALFORMED, "malformed datagrams", err.text);
		return;
	}
	d->callbacks.came(d->ctx, &notification);
}

static int receive_batch(struct datagram *d)
{
	for (unsigned i = 0; i < BATCH; i++) {
		d->messages[i].header.msg_controllen = (socklen_t)peercred_control_size();
		d->messages[i].header.msg_flags = 0;
	}
	return receive_waiting(d->fd, d->messages, BATCH);
}

static void take_queued(struct datagram *d, unsigned limit)
{
	for (unsigned taken = 0; taken < limit; taken += BATCH) {
		int n = receive_batch(d);
		for (int i = 0; i < n; i++)
			take(d, &d->messages[i]);
		if (n < BATCH)
			return;
	}
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	take_queued(poll->data, DATAGRAM_TURN_MAX);
}

static void on_closed(uv_handle_t *handle)
{
	struct datagram *d = handle->data;
	free(d->slots);
	free(d->path);
	free(d);
}

int datagram_new(uv_loop_t *loop, const char *path, mode_t mode, gid_t gid,
	const struct peer_rules *peers, const struct datagram_callbacks *callbacks, void *ctx,
	struct datagram **ret, struct err *err)
{
	int fd;
	int r = peer_bind(path, SOCK_DGRAM, mode, gid, &fd, err);
	if (r < 0)
		return r;

	struct datagram *d = mem_alloc_zero(1, sizeof(*d));
	r = uv_poll_init(loop, &d->poll, fd);
	if (r < 0) {
		r = err_set(err, r, "cannot watch socket '%s': %s", path, uv_strerror(r));
		unlink(path);
		close(fd);
		free(d);
		return r;
	}
	d->poll.data = d;
	d->fd = fd;
	d->path = mem_dup(path);
	d->mode = mode;
	d->gid = gid;
	d->file = peer_file_at(path);
	d->peers = peers;
	d->callbacks = *callbacks;
	d->ctx = ctx;
	d->slots = mem_alloc(BATCH * sizeof(*d->slots));
	for (unsigned i = 0; i < BATCH; i++) {
		d->pieces[i] = (struct iovec){d->slots[i].bytes, sizeof(d->slots[i].bytes)};
		d->messages[i].header = (struct msghdr){
			.msg_iov = &d->pieces[i],
			.msg_iovlen = 1,
			.msg_control = d->controls[i],
		};
	}
	uv_poll_start(
		&d->poll, UV_READABLE, on_readable); /* cannot fail after its initialisation */
	*ret = d;
	return 0;
}

const struct peer_file *datagram_file(const struct datagram *datagram)
{
	return &datagram->file;
}

int datagram_rebind(struct datagram *datagram, struct err *err)
{
	int fd;
	int r = peer_bind(datagram->path, SOCK_DGRAM, datagram->mode, datagram->gid, &fd, err);
	if (r < 0)
		return r;
	uv_poll_stop(&datagram->poll);
	take_queued(datagram, DRAIN_MAX);
	/* With the old descriptor's number, which the loop knows. */
	dup3(fd, datagram->fd, O_CLOEXEC);
	close(fd);
	datagram->file = peer_file_at(datagram->path);
	uv_poll_start(&datagram->poll, UV_READABLE, on_readable);
	return 0;
}

void datagram_free(struct datagram *datagram)
{
	if (!datagram)
		return;
	/* First the name, so that no more datagrams come that would get lost in the kernel's queue.
	 */
	peer_unlink(datagram->path, &datagram->file);
	take_queued(datagram, DRAIN_MAX);
	uv_close((uv_handle_t *)&datagram->poll, on_closed);
	close(datagram->fd);
}
