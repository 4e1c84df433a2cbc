#include "notify/daemon_client.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int cannot_reach(const struct daemon_client *client, int code, struct err *err)
{
	return err_set(
		err, -code, "cannot reach mailpushd at '%s': %s", client->path, strerror(code));
}

int daemon_client_begin(struct daemon_client *client, const char *path, const void *request,
	size_t size, struct err *err)
{
	*client = (struct daemon_client){.path = path, .unsent = request, .unsent_size = size};
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return cannot_reach(client, ENAMETOOLONG, err);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return client->fd < 0 ? cannot_reach(client, errno, err) : 0;
}

void daemon_client_end(struct daemon_client *client)
{
	close(client->fd);
}

/* 0: the backlog of a daemon that does not accept is full, which poll cannot wait for. */
static int connect_now(struct daemon_client *client, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, client->path);
	if (!connect(client->fd, (const struct sockaddr *)&address, sizeof(address))) {
		client->is_connected = true;
		return 1;
	}
	return errno == EAGAIN || errno == EINTR ? 0 : cannot_reach(client, errno, err);
}

/* The daemon may have answered although the rest cannot be sent. */
static void send_some(struct daemon_client *client)
{
	ssize_t n = send(client->fd, client->unsent, client->unsent_size, MSG_NOSIGNAL);
	if (n >= 0) {
		client->unsent += n;
		client->unsent_size -= (size_t)n;
	} else if (errno != EAGAIN && errno != EINTR) {
		client->unsent_size = 0;
	}
}

/* False: nothing more will come. */
static bool receive_some(struct daemon_client *client)
{
	ssize_t n = recv(client->fd, client->answer + client->answer_size,
		DAEMON_CLIENT_VALUE_SIZE - client->answer_size, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	for (ssize_t i = 0; i < n; i++) {
		char *c = &client->answer[client->answer_size++];
		bool is_shown = (*c >= ' ' && *c < 0x7f) || *c == '\r' || *c == '\n';
		*c = is_shown ? *c : '?';
	}
	client->answer[client->answer_size] = '\0';
	return n > 0;
}

static bool is_answered(struct daemon_client *client)
{
	char *end = strpbrk(client->answer, "\r\n");
	if (!end && client->answer_size < DAEMON_CLIENT_VALUE_SIZE)
		return false;
	if (end)
		*end = '\0';
	return true;
}

int daemon_client_step(struct daemon_client *client, struct err *err)
{
	if (!client->is_connected) {
		int connected = connect_now(client, err);
		if (connected <= 0)
			return connected;
	}
	if (client->unsent_size)
		send_some(client);
	bool has_more = receive_some(client);
	if (is_answered(client))
		return 1;
	if (has_more)
		return 0;
	if (client->answer_size)
		return 1;
	return err_set(err, -ECONNRESET,
		"mailpushd at '%s' closed the connection without an answer", client->path);
}

short daemon_client_awaits(const struct daemon_client *client)
{
	if (!client->is_connected)
		return 0;
	return client->unsent_size ? POLLIN | POLLOUT : POLLIN;
}

static int unexpected(const struct daemon_client *client, struct err *err)
{
	return err_set(
		err, -EPROTO, "mailpushd at '%s' answered: %s", client->path, client->answer);
}

/* A quoted string in which nothing is escaped. */
static bool take_value(const char *answer, char *ret)
{
	size_t size = strlen(answer);
	if (size < 2 || answer[0] != '"' || answer[size - 1] != '"' ||
		strcspn(answer + 1, "\"\\") != size - 2)
		return false;
	memcpy(ret, answer + 1, size - 2);
	ret[size - 2] = '\0';
	return true;
}

int daemon_client_value(
	struct daemon_client *client, char ret_value[DAEMON_CLIENT_VALUE_SIZE], struct err *err)
{
	if (strncmp(client->answer, "OK ", 3) != 0 || !take_value(client->answer + 3, ret_value))
		return unexpected(client, err);
	return 0;
}

static int wait_for_answer(struct daemon_client *client, int64_t wait_ms, struct err *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + wait_ms;
	int status;
	while (!(status = daemon_client_step(client, err))) {
		int64_t left_ms = deadline_ms - clock_monotonic_ms();
		if (left_ms <= 0)
			return err_set(err, -ETIMEDOUT,
				"mailpushd at '%s' gave no answer within %d ms", client->path,
				(int)wait_ms);
		struct pollfd pollfd = {.fd = client->fd, .events = daemon_client_awaits(client)};
		if (pollfd.events)
			poll(&pollfd, 1, (int)left_ms);
		else
			poll(NULL, 0,
				left_ms < DAEMON_CLIENT_AGAIN_MS ? (int)left_ms
								 : DAEMON_CLIENT_AGAIN_MS);
	}
	return status < 0 ? status : 0;
}

int daemon_client_try(
	const char *path, const void *request, size_t size, int64_t wait_ms, struct err *err)
{
	struct daemon_client client;
	int status = daemon_client_begin(&client, path, request, size, err);
	if (status)
		return status;
	status = wait_for_answer(&client, wait_ms, err);
	if (!status && strcmp(client.answer, "OK ()") != 0)
		status = unexpected(&client, err);
	daemon_client_end(&client);
	return status;
}

int daemon_client_ask(const char *path, const void *request, size_t size, int64_t wait_ms,
	char ret_value[DAEMON_CLIENT_VALUE_SIZE], struct err *err)
{
	struct daemon_client client;
	int status = daemon_client_begin(&client, path, request, size, err);
	if (status)
		return status;
	status = wait_for_answer(&client, wait_ms, err);
	if (!status)
		status = daemon_client_value(&client, ret_value, err);
	daemon_client_end(&client);
	return status;
}
