#include "doctor_dovecot/dovecot_abi.h"

#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORD ".ABIv"
#define FILE_MAX (16 * 1024 * 1024) /* with what debuggers need; more is not read */

static bool is_of_version(char c)
{
	return isdigit((unsigned char)c) || c == '.';
}

bool dovecot_abi_find(const char *bytes, size_t size, char ret[DOVECOT_ABI_SIZE])
{
	size_t word = strlen(WORD);
	for (size_t at = 1; at + word < size; at++) {
		size_t start = at;
		size_t end = at + word;
		if (memcmp(bytes + at, WORD, word) != 0)
			continue;
		while (start && is_of_version(bytes[start - 1]))
			start--;
		while (end < size && isdigit((unsigned char)bytes[end]))
			end++;
		if (start == at || end == at + word || end - start >= DOVECOT_ABI_SIZE)
			continue;
		snprintf(ret, DOVECOT_ABI_SIZE, "%.*s", (int)(end - start), bytes + start);
		return true;
	}
	return false;
}

static size_t read_all(int fd, char *bytes, size_t size)
{
	size_t used = 0;
	for (ssize_t n; used < size && (n = read(fd, bytes + used, size - used)) > 0;)
		used += (size_t)n;
	return used;
}

bool dovecot_abi_read(const char *path, char ret[DOVECOT_ABI_SIZE])
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	bool is_file = !fstat(fd, &status) && S_ISREG(status.st_mode) && status.st_size > 0;
	size_t size = !is_file ? 0 : status.st_size > FILE_MAX ? FILE_MAX : (size_t)status.st_size;
	mem_auto char *bytes = mem_alloc(size + 1);
	bool is_found = dovecot_abi_find(bytes, read_all(fd, bytes, size), ret);
	close(fd);
	errno = EBADMSG;
	return is_found;
}
