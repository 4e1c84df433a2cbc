#include "intake/peer.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

bool peer_is_self(const struct peer_rules *rules, const struct peercred *peer)
{
	return rules->self && rules->self == peer->pid;
}

bool peer_is_allowed(const struct peer_rules *rules, uid_t uid)
{
	for (size_t i = 0; i < rules->count; i++) {
		if (rules->allowed[i] == uid)
			return true;
	}
	return false;
}

void peer_allow(struct peer_rules *rules, uid_t uid)
{
	if (peer_is_allowed(rules, uid))
		return;
	assert(rules->count < PEER_UIDS_MAX);
	rules->allowed[rules->count++] = uid;
}

void peer_guests_init(struct peer_guests *guests, size_t each_max, size_t all_max)
{
	*guests = (struct peer_guests){.each_max = each_max, .all_max = all_max};
}

void peer_guests_fini(struct peer_guests *guests)
{
	free(mem_steal(guests->list));
}

static struct peer_guest *find_guest(const struct peer_guests *guests, uid_t uid)
{
	for (size_t i = 0; i < guests->count; i++)
		if (guests->list[i].uid == uid)
			return &guests->list[i];
	return NULL;
}

static struct peer_guest *add_guest(struct peer_guests *guests, uid_t uid)
{
	if (guests->count == guests->room) {
		guests->room = guests->room ? 2 * guests->room : 8;
		guests->list = mem_realloc_array(guests->list, guests->room, sizeof(*guests->list));
	}
	struct peer_guest *guest = &guests->list[guests->count++];
	*guest = (struct peer_guest){.uid = uid};
	return guest;
}

bool peer_guests_enter(struct peer_guests *guests, uid_t uid)
{
	struct peer_guest *guest = find_guest(guests, uid);
	if (guests->all >= guests->all_max || (guest && guest->connections >= guests->each_max))
		return false;
	if (!guest)
		guest = add_guest(guests, uid);
	guest->connections++;
	guests->all++;
	return true;
}

void peer_guests_leave(struct peer_guests *guests, uid_t uid)
{
	struct peer_guest *guest = find_guest(guests, uid);
	assert(guest);
	guests->all--;
	if (--guest->connections == 0)
		*guest = guests->list[--guests->count];
}

int peer_of_stream(int fd, struct peercred *ret, struct err *err)
{
	int failed = peercred_of_stream(fd, ret);
	if (failed)
		return err_set(err, failed, "cannot get the peer's user: %s", strerror(-failed));
	return 0;
}

static int connect_to(const struct sockaddr_un *address, int type)
{
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int r = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* Removes a socket whose process has ended. */
static int make_way(const struct sockaddr_un *address, int type, struct err *err)
{
	const char *path = address->sun_path;
	struct stat st;
	if (lstat(path, &st) < 0) {
		if (errno == ENOENT)
			return 0;
		return err_set(err, -errno, "cannot make socket '%s': %s", path, strerror(errno));
	}
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -EADDRINUSE,
			"cannot make socket '%s': a file that is not a socket is in its place; "
			"remove it or choose another path",
			path);
	int r = connect_to(address, type);
	switch (r) {
	case -ECONNREFUSED:
		break;
	case -ENOENT:
		return 0;
	case 0:
	case -EAGAIN:	  /* its backlog is full */
	case -EPROTOTYPE: /* it is of the other type */
		return err_set(err, -EADDRINUSE,
			"cannot make socket '%s': another process serves it; stop that process or "
			"choose another path",
			path);
	default:
		return err_set(err, r, "cannot determine whether socket '%s' is in use: %s", path,
			strerror(-r));
	}
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(
			err, -errno, "cannot remove stale socket '%s': %s", path, strerror(errno));
	return 0;
}

static const char *remedy_of(int code)
{
	switch (code) {
	case ENOENT:
		return "; make its folder";
	case EACCES:
		return "; make its folder writable for the daemon's user";
	case EPERM:
		return "; put the daemon's user into socket_group, or set another one";
	case EROFS:
		return "; " ERR_READ_ONLY_REMEDY;
	default:
		return "";
	}
}

int peer_bind(const char *path, int type, mode_t mode, gid_t gid, int *ret_fd, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(path);
	if (length >= sizeof(address.sun_path))
		return err_set(err, -ENAMETOOLONG,
			"cannot make socket '%s': the path is longer than %zu bytes", path,
			sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, length);

	if (type == SOCK_DGRAM && (mode & S_IWOTH) && !peercred_is_sent())
		return err_set(err, -EPERM,
			"cannot make socket '%s': this system does not show who sends, and with "
			"mode %04o everybody may; set socket_mode = 0660",
			path, (unsigned)mode);
	int r = make_way(&address, type, err);
	if (r < 0)
		return r;

	bool bound = false;
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		goto failed;
	if (type == SOCK_DGRAM && (errno = -peercred_request(fd)))
		goto failed;
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		goto failed;
	bound = true;
	if (gid != (gid_t)-1 && lchown(path, (uid_t)-1, gid) < 0)
		goto failed;
	if (chmod(path, mode) < 0)
		goto failed;
	*ret_fd = fd;
	return 0;

failed:
	r = err_set(err, -errno, "cannot make socket '%s': %s%s", path, strerror(errno),
		remedy_of(errno));
	if (bound)
		unlink(path);
	if (fd >= 0)
		close(fd);
	return r;
}

struct peer_file peer_file_at(const char *path)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return (struct peer_file){0};
	return (struct peer_file){.device = st.st_dev, .number = st.st_ino};
}

bool peer_file_is(const struct peer_file *file, const struct peer_file *other)
{
	return file->number && file->number == other->number && file->device == other->device;
}

void peer_unlink(const char *path, const struct peer_file *file)
{
	struct peer_file there = peer_file_at(path);
	if (peer_file_is(file, &there))
		unlink(path);
}
