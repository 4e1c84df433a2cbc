/*
 * processes - the processes of this machine: which there are, since when, whose, and how started.
 *
 * What has ended meanwhile is left out, or answered with no.  Any thread.
 */
#ifndef MAILPUSH_PLATFORM_PROCESSES_H
#define MAILPUSH_PLATFORM_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESSES_NAME_SIZE 17

struct process {
	char name[PROCESSES_NAME_SIZE]; /* of the program, as the kernel has it */
	pid_t pid;
	pid_t parent;
	int64_t age_ms; /* at most; it may be younger by a tick of the kernel */
};

struct processes {
	struct process *list; /* free(3) */
	size_t count;
};

/* Can they be listed on this system?  If not, the functions below find none. */
bool processes_are_known(void);
/* Are those of other users shown to this one? */
bool processes_are_shown(void);

void processes_list(struct processes *ret);
/* By its effective uid. */
bool processes_belongs_to(pid_t pid, uid_t user);
/* The words that it was started with, a NUL behind each; bytes, cut at `size`, or -1. */
ssize_t processes_arguments(pid_t pid, char *ret, size_t size);

/* For processes_linux.c alone, of what /proc/PID/stat says; false: that is no such text.  Pure. */
bool processes_parse(const char *stat, int64_t boot_age_ms, long ticks_per_s, struct process *ret);

#endif
