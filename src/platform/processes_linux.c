#include "platform/processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATH_SIZE 64
#define TEXT_SIZE 4096 /* of a file in /proc that is read; what is longer is cut */
#define SECOND_MS 1000

bool processes_parse(const char *stat, int64_t boot_age_ms, long ticks_per_s, struct process *ret)
{
	/* pid (name) state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt utime
	 * stime cutime cstime priority nice threads itrealvalue starttime: proc(5).  The name may
	 * hold anything. */
	const char *open = strchr(stat, '(');
	const char *close = strrchr(stat, ')');
	int pid;
	int parent;
	unsigned long long ticks;
	if (!open || !close || close < open || ticks_per_s <= 0 || sscanf(stat, "%d", &pid) != 1 ||
		sscanf(close + 1,
			" %*c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			"%*s %llu",
			&parent, &ticks) != 2)
		return false;
	*ret = (struct process){.pid = pid,
		.parent = parent,
		.age_ms = boot_age_ms - (int64_t)(ticks / (unsigned long)ticks_per_s) * SECOND_MS -
			(int64_t)(ticks % (unsigned long)ticks_per_s) * SECOND_MS / ticks_per_s};
	snprintf(ret->name, sizeof(ret->name), "%.*s", (int)(close - open - 1), open + 1);
	return true;
}

/* Bytes read, without the NUL that is put behind them; -1: the process is gone, or not shown. */
static ssize_t read_file(pid_t pid, const char *name, char *ret, size_t size)
{
	char path[PATH_SIZE];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t count = read(fd, ret, size - 1);
	close(fd);
	if (count >= 0)
		ret[count] = '\0';
	return count;
}

static int64_t boot_age_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * SECOND_MS + now.tv_nsec / 1000000;
}

bool processes_are_known(void)
{
	return true;
}

bool processes_are_shown(void)
{
	/* The first process is there for everybody to see, unless /proc hides those of others. */
	char text[TEXT_SIZE];
	return read_file(1, "stat", text, sizeof(text)) > 0;
}

void processes_list(struct processes *ret)
{
	char text[TEXT_SIZE];
	int64_t age_of_boot_ms = boot_age_ms();
	long ticks_per_s = sysconf(_SC_CLK_TCK);
	DIR *folder = opendir("/proc");
	const struct dirent *entry;
	*ret = (struct processes){0};
	while (folder && (entry = readdir(folder))) {
		struct process process;
		if (strspn(entry->d_name, "0123456789") != strlen(entry->d_name) ||
			read_file(atoi(entry->d_name), "stat", text, sizeof(text)) <= 0 ||
			!processes_parse(text, age_of_boot_ms, ticks_per_s, &process))
			continue;
		ret->list = reallocarray(ret->list, ret->count + 1, sizeof(*ret->list));
		if (!ret->list)
			abort(); /* out of memory */
		ret->list[ret->count++] = process;
	}
	if (folder)
		closedir(folder);
}

bool processes_belongs_to(pid_t pid, uid_t user)
{
	char text[TEXT_SIZE];
	unsigned long effective;
	/* The folder itself is root's of those that were once root. */
	const char *line =
		read_file(pid, "status", text, sizeof(text)) > 0 ? strstr(text, "\nUid:") : NULL;
	return line && sscanf(line, "\nUid: %*s %lu", &effective) == 1 && effective == user;
}

ssize_t processes_arguments(pid_t pid, char *ret, size_t size)
{
	return read_file(pid, "cmdline", ret, size);
}
