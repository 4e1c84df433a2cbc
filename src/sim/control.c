#include "sim/control.h"

#include "base/buf.h"
#include "base/mem.h"
#include "sim/command.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct control {
	struct server *server;
	char *path;
	unsigned clients;
	int open_handles;
	bool is_stopping;
	uv_pipe_t listener;
	LIST_HEAD(, client) all;
};

struct client {
	struct control *control;
	uv_pipe_t pipe;
	struct buf line;
	LIST_ENTRY(client) of_control;
};

struct reply {
	uv_write_t write;
	struct buf text;
};

static void free_if_last(struct control *control)
{
	if (--control->open_handles)
		return;
	free(control->path);
	free(control);
}

static void on_client_closed(uv_handle_t *handle)
{
	struct client *client = handle->data;
	free_if_last(client->control);
	buf_fini(&client->line);
	free(client);
}

static void close_client(struct client *client)
{
	if (uv_is_closing((uv_handle_t *)&client->pipe))
		return;
	LIST_REMOVE(client, of_control);
	client->control->clients--;
	uv_close((uv_handle_t *)&client->pipe, on_client_closed);
}

static void on_replied(uv_write_t *write, int status)
{
	(void)status;
	struct reply *reply = MEM_CONTAINER(write, struct reply, write);
	buf_fini(&reply->text);
	free(reply);
}

static void execute_lines(struct client *client)
{
	struct reply *reply = mem_alloc_zero(1, sizeof(*reply));
	buf_init(&reply->text);
	const uint8_t *start = client->line.data;
	const uint8_t *end = start + client->line.used;
	const uint8_t *newline;
	while ((newline = memchr(start, '\n', (size_t)(end - start)))) {
		command_execute(client->control->server, (const char *)start,
			(size_t)(newline - start), &reply->text);
		start = newline + 1;
	}
	buf_consume(&client->line, (size_t)(start - client->line.data));

	uv_buf_t text = uv_buf_init((char *)reply->text.data, (unsigned)reply->text.used);
	if (!text.len ||
		uv_write(&reply->write, (uv_stream_t *)&client->pipe, &text, 1, on_replied))
		on_replied(&reply->write, 0);
}

static void on_room_wanted(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	(void)suggested;
	struct client *client = handle->data;
	size_t room = CONTROL_LINE_MAX - client->line.used;
	*ret = uv_buf_init((char *)buf_reserve(&client->line, room), (unsigned)room);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
	(void)bytes;
	struct client *client = stream->data;
	if (n < 0) {
		close_client(client);
		return;
	}
	buf_commit(&client->line, (size_t)n);
	execute_lines(client);
	/* A client that does not read its answers, or whose line has no end, is dropped. */
	if (client->line.used >= CONTROL_LINE_MAX ||
		uv_stream_get_write_queue_size(stream) > CONTROL_LINE_MAX)
		close_client(client);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct control *control = listener->data;
	if (status < 0)
		return;
	struct client *client = mem_alloc_zero(1, sizeof(*client));
	client->control = control;
	buf_init(&client->line);
	uv_pipe_init(control->server->loop, &client->pipe, 0);
	client->pipe.data = client;
	LIST_INSERT_HEAD(&control->all, client, of_control);
	control->open_handles++;
	control->clients++;
	if (uv_accept(listener, (uv_stream_t *)&client->pipe) ||
		control->clients > CONTROL_CLIENTS_MAX ||
		uv_read_start((uv_stream_t *)&client->pipe, on_room_wanted, on_read))
		close_client(client);
}

static void on_listener_closed(uv_handle_t *handle)
{
	free_if_last(handle->data);
}

int control_start(struct server *server, const char *path, struct control **ret, struct err *err)
{
	struct stat st;
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return err_set(
			err, -ENAMETOOLONG, "control socket '%s': the path is too long", path);
	if (!lstat(path, &st) && S_ISSOCK(st.st_mode))
		unlink(path);

	struct control *control = mem_alloc_zero(1, sizeof(*control));
	control->server = server;
	control->path = mem_dup(path);
	control->open_handles = 1;
	LIST_INIT(&control->all);
	uv_pipe_init(server->loop, &control->listener, 0);
	control->listener.data = control;
	mode_t old_mask = umask(0077);
	int r = uv_pipe_bind(&control->listener, path);
	umask(old_mask);
	if (r == 0)
		r = uv_listen(
			(uv_stream_t *)&control->listener, CONTROL_CLIENTS_MAX, on_connection);
	if (r < 0) {
		uv_close((uv_handle_t *)&control->listener, on_listener_closed);
		return err_set(err, r, "control socket '%s': %s", path, uv_strerror(r));
	}
	*ret = control;
	return 0;
}

void control_stop(struct control *control)
{
	if (!control)
		return;
	struct client *client;
	while ((client = LIST_FIRST(&control->all)))
		close_client(client);
	uv_close((uv_handle_t *)&control->listener, on_listener_closed);
}
