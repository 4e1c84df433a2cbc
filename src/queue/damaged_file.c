#include "queue/damaged_file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
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

char *damaged_file_successor(const char *path)
{
	return mem_printf("%s.new", path);
}

static int fail(const char *path, struct err *err)
{
	int code = -errno;
	return err_set(err, code,
		"cannot put a new queue in the place of the damaged '%s': %s; make its folder "
		"writable for mailpushd",
		path, strerror(-code));
}

static int move(const char *from, const char *to, struct err *err)
{
	return !rename(from, to) || errno == ENOENT ? 0 : fail(from, err);
}

/* Its names last from now on. */
static int sync_folder(const char *path, struct err *err)
{
	mem_auto char *copy = mem_dup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code = fd < 0 || fsync(fd) ? fail(path, err) : 0;
	if (fd >= 0)
		close(fd);
	return code;
}

static int move_log(const char *path, const char *aside, struct err *err)
{
	mem_auto char *log = mem_printf("%s-wal", path);
	mem_auto char *to = mem_printf("%s-wal", aside);
	return move(log, to, err);
}

int damaged_file_replace(const char *path, char **ret_aside, struct err *err)
{
	char *aside = find_name(path);
	if (!aside)
		return err_set(err, -EEXIST,
			"cannot set damaged queue '%s' aside: too many of its kind are there; move "
			"them away",
			path);
	mem_auto char *successor = damaged_file_successor(path);
	/*
	 * The database goes before its log: without it, it would be opened as if all were well. The
	 * log goes before the new one comes, which must not find it.
	 */
	int code = sync_folder(path, err);
	if (!code)
		code = move(path, aside, err);
	if (!code)
		code = move_log(path, aside, err);
	if (!code)
		code = sync_folder(path, err);
	if (!code)
		code = move(successor, path, err);
	if (!code)
		code = sync_folder(path, err);
	if (code) {
		free(aside);
		return code;
	}
	*ret_aside = aside;
	return 0;
}

int damaged_file_settle(const char *path, struct err *err)
{
	mem_auto char *successor = damaged_file_successor(path);
	mem_auto char *its_log = mem_printf("%s-wal", successor);
	mem_auto char *aside = NULL;
	if (access(successor, F_OK))
		return 0;
	if (access(path, F_OK) && errno == ENOENT)
		return damaged_file_replace(path, &aside, err);
	bool is_gone = (!unlink(its_log) || errno == ENOENT) && !unlink(successor);
	return is_gone ? 0 : fail(path, err);
}
