#include "notify/spool_write.h"

#include "base/clock.h"
#include "intake/spoolfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_TRIES 20 /* of a millisecond each */
#define NUMBER_DIGITS 16

static int open_folder(const char *folder)
{
	return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The files beside the events: the first writer makes them for the whole group. */
static int open_beside(int folder, const char *name)
{
	int fd = openat(folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0660);
	if (fd >= 0)
		(void)!fchmod(fd, 0660);
	return fd;
}

bool spool_write_is_silent(const char *folder)
{
	char path[PATH_MAX];
	struct stat status;
	if (snprintf(path, sizeof(path), "%s/" SPOOLFILE_SILENT, folder) >= (int)sizeof(path) ||
		lstat(path, &status))
		return false;
	int64_t silent_ms =
		(int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000;
	/* A mark with a future time is older than a clock that was set back. */
	int64_t age_ms = clock_unix_ms() - silent_ms;
	return age_ms >= 0 && age_ms < SPOOL_WRITE_SILENT_MS;
}

void spool_write_note_silence(const char *folder)
{
	int folder_fd = open_folder(folder);
	if (folder_fd < 0)
		return;
	int fd = open_beside(folder_fd, SPOOLFILE_SILENT);
	if (fd >= 0) {
		(void)!futimens(fd, NULL);
		close(fd);
	}
	close(folder_fd);
}

static int64_t unix_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Its holder only reads and writes a number; if it is stopped, the pid keeps names apart. */
static void lock_shortly(int fd)
{
	for (int i = 0; i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) < 0; i++)
		poll(NULL, 0, 1);
}

/* See spoolfile.h. */
static int64_t next_number(int folder)
{
	int64_t number = unix_us();
	int fd = open_beside(folder, SPOOLFILE_NUMBER);
	if (fd < 0)
		return number;
	lock_shortly(fd);
	char text[NUMBER_DIGITS + 2] = "";
	if (pread(fd, text, NUMBER_DIGITS, 0) == NUMBER_DIGITS) {
		int64_t last = strtoll(text, NULL, 10);
		if (last >= number && last < INT64_C(9999999999999999))
			number = last + 1;
	}
	snprintf(text, sizeof(text), "%0*lld\n", NUMBER_DIGITS, (long long)number);
	(void)!pwrite(fd, text, NUMBER_DIGITS + 1, 0);
	close(fd);
	return number;
}

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t n = write(fd, bytes, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

static int write_file(int folder, const char *name, const void *bytes, size_t size)
{
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, SPOOLFILE_MODE);
	if (fd < 0)
		return -errno;
	int code = write_all(fd, bytes, size);
	/* Whatever the umask: the daemon reads it by its group. */
	if (!code && (fchmod(fd, SPOOLFILE_MODE) || fsync(fd)))
		code = -errno;
	if (close(fd) && !code)
		code = -errno;
	return code;
}

/* Some file systems do not sync folders, and say so. */
static int sync_folder(int folder)
{
	return fsync(folder) && errno != EINVAL ? -errno : 0;
}

static const char *remedy_of(int code)
{
	switch (code) {
	case ENOENT:
	case ENOTDIR:
		return "make it: install -d -o mailpush -g mail -m 2770";
	case EACCES:
	case EPERM:
		return "the user that Cyrus runs as needs write permission, by the folder's group";
	case ENOSPC:
	case EDQUOT:
		return "make room on its disk";
	case EROFS:
		return "make its disk writable";
	default:
		return "look at that disk";
	}
}

int spool_write(const char *folder, const void *request, size_t size, struct err *err)
{
	int code = 0;
	int fd = open_folder(folder);
	if (fd < 0) {
		code = -errno;
	} else {
		char name[SPOOLFILE_NAME_SIZE];
		char temporary[SPOOLFILE_NAME_SIZE + sizeof(SPOOLFILE_TEMPORARY)];
		snprintf(name, sizeof(name), SPOOLFILE_NAME_FORMAT, (long long)next_number(fd),
			(long)getpid());
		snprintf(temporary, sizeof(temporary), SPOOLFILE_TEMPORARY "%s", name);
		code = write_file(fd, temporary, request, size);
		if (!code && renameat(fd, temporary, fd, name))
			code = -errno;
		if (code && code != -EEXIST)
			unlinkat(fd, temporary, 0);
		if (!code && (code = sync_folder(fd)))
			unlinkat(fd, name, 0);
		close(fd);
	}
	if (!code)
		return 0;
	return err_set(err, code, "cannot write into '%s': %s; %s", folder, strerror(-code),
		remedy_of(-code));
}
