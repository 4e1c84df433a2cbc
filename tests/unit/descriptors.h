/*
 * descriptors - how many this process has open, to find those that stay.
 */
#ifndef MAILPUSH_TESTS_DESCRIPTORS_H
#define MAILPUSH_TESTS_DESCRIPTORS_H

#include <dirent.h>
#include <stddef.h>

/* Those of looking included, so that only differences count. */
static inline unsigned descriptors_open(void)
{
	unsigned count = 0;
	DIR *folder = opendir("/dev/fd");
	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

#endif
