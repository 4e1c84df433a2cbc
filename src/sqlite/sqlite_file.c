#include "sqlite/sqlite_file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int sqlite_file_check(const char *place, struct err *err)
{
	size_t size = strlen(place);
	if (*place == '/' && place[size - 1] != '/')
		return 0;
	return err_set(
		err, -EINVAL, "is not the path of a file; write sqlite: and an absolute path");
}

const char *sqlite_file_path(const char *place)
{
	return place;
}

char *sqlite_file_name(const char *place)
{
	return mem_printf("sqlite:%s", place);
}

/* The file holds device tokens: not for everybody's eyes. SQLite gives its log the same mode. */
int sqlite_file_make(const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	/* One that exists is not opened: closing it again would drop SQLite's locks on it. */
	if (errno == EEXIST && faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0)
		return 0;
	int code = errno;
	if (code == ENOENT || code == ENOTDIR)
		return err_set(err, -code,
			"registry '%s': cannot make it: %s; make its folder, owned by the daemon's "
			"user",
			path, strerror(code));
	return err_set(err, -code,
		"registry '%s': cannot open it for writing: %s; the daemon's user must be able to "
		"write the file and its folder",
		path, strerror(code));
}
