#include "sqlite/inplace.h"

#include "base/mem.h"

#include <stddef.h>
#include <sys/stat.h>

void inplace_init(struct inplace *inplace, const char *path)
{
	static const char *const ends[INPLACE_FILES] = {"", "-wal", "-shm"};
	for (size_t i = 0; i < INPLACE_FILES; i++) {
		struct inplace_file *file = &inplace->files[i];
		struct stat found;
		file->path = mem_printf("%s%s", path, ends[i]);
		file->is_there = stat(file->path, &found) == 0;
		if (!file->is_there)
			continue;
		file->device = found.st_dev;
		file->number = found.st_ino;
	}
}

void inplace_fini(struct inplace *inplace)
{
	for (size_t i = 0; i < INPLACE_FILES; i++)
		free(inplace->files[i].path);
}

const char *inplace_missing(const struct inplace *inplace)
{
	for (size_t i = 0; i < INPLACE_FILES; i++) {
		const struct inplace_file *file = &inplace->files[i];
		struct stat found;
		if (file->is_there &&
			(stat(file->path, &found) != 0 || found.st_ino != file->number ||
				found.st_dev != file->device))
			return file->path;
	}
	return NULL;
}
