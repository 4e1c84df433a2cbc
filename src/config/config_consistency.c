#include "config/config_consistency.h"

#include "config/notify_socket.h"
#include "database/database.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static bool is_same_place(const char *path, const char *other)
{
	struct stat one, two;
	return !strcmp(path, other) ||
		(*other && !stat(path, &one) && !stat(other, &two) && one.st_dev == two.st_dev &&
			one.st_ino == two.st_ino);
}

static int check_sockets(const struct config *config, struct err *err)
{
	if (!*config->notify_socket && !*config->stream_socket)
		return err_set(err, -EINVAL,
			"notify_socket and stream_socket are both \"\"; without a socket events "
			"cannot come");
	if (!strcmp(config->notify_socket, config->stream_socket))
		return err_set(err, -EINVAL,
			"notify_socket and stream_socket are the same path '%s'",
			config->notify_socket);
	if (*config->control_socket &&
		(!strcmp(config->control_socket, config->notify_socket) ||
			!strcmp(config->control_socket, config->stream_socket)))
		return err_set(err, -EINVAL, "control_socket is the path of another socket");
	return 0;
}

static int check_forward(const struct config *config, struct err *err)
{
	bool is_dlist;
	const char *path = notify_socket_path(config->forward_socket, &is_dlist);
	if (!path)
		return config->forward_events ? err_set(err, -EINVAL,
							"forward_events is yes, but no "
							"forward_socket is set; set it, "
							"or write no")
					      : 0;
	const struct {
		const char *key;
		const char *path;
	} own[] = {
		{"notify_socket", config->notify_socket},
		{"stream_socket", config->stream_socket},
		{"control_socket", config->control_socket},
	};
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (is_same_place(path, own[i].path))
			return err_set(err, -EINVAL,
				"forward_socket '%s' is our own %s: notifications passed on would "
				"come back for ever; name the socket of the program that should "
				"get them",
				config->forward_socket, own[i].key);
	return 0;
}

int config_consistency_check(const struct config *config, struct err *err)
{
	const char *path = database_file(config->registry);
	if (path && !strcmp(path, config->queue))
		return err_set(err, -EINVAL,
			"registry and queue are the same file '%s'; each needs its own",
			config->queue);
	if (config->proxy_login && !config->proxy_host)
		return err_set(
			err, -EINVAL, "proxy_password_file is set, but no proxy; set that too");
	if (!config->subtopic_count)
		return err_set(err, -EINVAL,
			"subtopics is empty, so no phone could register; remove the line");
	int failed = check_sockets(config, err);
	return failed ? failed : check_forward(config, err);
}
