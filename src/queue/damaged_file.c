#include "queue/damaged_file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE_SIZE 8192 /* of the files that we make */
#define TRIES 100

bool damaged_file_may_be_queue(const char *path)
{
	static const char magic[16] = "SQLite format 3";
	char begin[sizeof(magic)];
	struct stat st;
	if (stat(path, &st) || !S_ISREG(st.st_mode))
		return false;
	if (st.st_size % PAGE_SIZE == 0)
		return true;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool is_magic = fd >= 0 && read(fd, begin, sizeof(begin)) == (ssize_t)sizeof(begin) &&
		!memcmp(begin, magic, sizeof(magic));
	if (fd >= 0)
		close(fd);
	return is_magic;
}

/* A name that is not taken, neither with nor without the log's ending. */
static char *find_name(const char *path)
{
	char when[32];
	struct tm tm;
	time_t now = time(NULL);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
	for (int i = 1; i <= TRIES; i++) {
		char *name = i == 1 ? mem_printf("%s.damaged-%s", path, when)
				    : mem_printf("%s.damaged-%s-%d", path, when, i);
		mem_auto char *log = mem_printf("%s-wal", name);
		if (access(name, F_OK) && access(log, F_OK))
			return name;
		free(name);
	}
	return NULL;
}

static int move(const char *from, const char *to, struct err *err)
{
	if (!rename(from, to) || errno == ENOENT)
		return 0;
	return err_set(err, -errno,
		"cannot set damaged queue '%s' aside as '%s': %s; move it away, and its -wal", from,
		to, strerror(errno));
}

int damaged_file_move(const char *path, char **ret_aside, struct err *err)
{
	char *name = find_name(path);
	if (!name)
		return err_set(err, -EEXIST,
			"cannot set damaged queue '%s' aside: too many of its kind are there; move "
			"them away",
			path);
	mem_auto char *log = mem_printf("%s-wal", path);
	mem_auto char *new_log = mem_printf("%s-wal", name);
	/* The log first: a new database must not find the old one's. */
	int code = move(log, new_log, err);
	if (!code)
		code = move(path, name, err);
	if (code) {
		free(name);
		return code;
	}
	*ret_aside = name;
	return 0;
}
