#include "driver/password_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Some more than the longest and the end of its line. */
#define ROOM (PASSWORD_FILE_MAX + 16)

/* How many; a negative errno; or 0 and why not. */
static ssize_t read_bytes(int fd, char *ret, const char **why)
{
	struct stat status;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode)) {
		*why = "it is not a regular file";
		return 0;
	}
	size_t used = 0;
	while (used < ROOM) {
		ssize_t size = read(fd, ret + used, ROOM - used);
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return -errno;
		if (size == 0)
			break;
		used += (size_t)size;
	}
	return (ssize_t)used;
}

static const char *trouble_with(const char *bytes, size_t size)
{
	if (size == 0)
		return "it is empty";
	if (memchr(bytes, '\0', size))
		return "a NUL is in it";
	if (memchr(bytes, '\n', size) || memchr(bytes, '\r', size))
		return "it has more than one line";
	return size < PASSWORD_FILE_MAX ? NULL : "the password is longer than 1023 bytes";
}

int password_file_read(const char *path, char ret[PASSWORD_FILE_MAX], struct err *err)
{
	char bytes[ROOM];
	const char *why = NULL;
	/* A pipe would make it hang. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t size = fd < 0 ? -errno : read_bytes(fd, bytes, &why);
	if (fd >= 0)
		close(fd);
	while (size > 0 && (bytes[size - 1] == '\n' || bytes[size - 1] == '\r'))
		size--;
	if (size < 0)
		why = strerror((int)-size);
	else if (!why)
		why = trouble_with(bytes, (size_t)size);
	if (!why) {
		memcpy(ret, bytes, (size_t)size);
		ret[size] = '\0';
	}
	explicit_bzero(bytes, sizeof(bytes));
	if (!why)
		return 0;
	return err_set(err, -ENOTCONN,
		"cannot read the password in '%s': %s; the daemon's user must be able to read it, "
		"and its first line is the password, with nothing behind it",
		path, why);
}
