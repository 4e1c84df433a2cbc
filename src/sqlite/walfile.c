#include "sqlite/walfile.h"

#include "base/mem.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define MAGIC 0x377f0682u /* its last bit: words of the checksum are big-endian */
#define VERSION 3007000u
#define SUMMED 24 /* bytes, before the checksum of two words */

static uint32_t big_endian(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t little_endian(const unsigned char *at)
{
	return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

bool walfile_header_is_damaged(const unsigned char header[WALFILE_HEADER_SIZE])
{
	static const unsigned char unwritten[WALFILE_HEADER_SIZE];
	if (!memcmp(header, unwritten, WALFILE_HEADER_SIZE))
		return false;
	uint32_t magic = big_endian(header);
	if ((magic & ~1u) != MAGIC || big_endian(header + 4) != VERSION)
		return true;
	uint32_t (*word)(const unsigned char *at) = magic & 1 ? big_endian : little_endian;
	uint32_t first = 0;
	uint32_t second = 0;
	for (size_t i = 0; i < SUMMED; i += 8) {
		first += word(header + i) + second;
		second += word(header + i + 4) + first;
	}
	return first != big_endian(header + SUMMED) || second != big_endian(header + SUMMED + 4);
}

bool walfile_is_damaged(const char *path)
{
	unsigned char header[WALFILE_HEADER_SIZE];
	mem_auto char *log = mem_printf("%s-wal", path);
	int fd = open(log, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return false;
	ssize_t size = pread(fd, header, sizeof(header), 0);
	close(fd);
	return size == (ssize_t)sizeof(header) && walfile_header_is_damaged(header);
}
