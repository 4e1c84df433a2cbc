/*
 * replay - runs a fuzzer over the files of the folders given, without libFuzzer.
 *
 * Fails when a folder is missing or empty: a corpus that is not there tests nothing.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static int replay_file(const char *folder, const char *name)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "rb");
	if (!file || fseek(file, 0, SEEK_END) != 0) {
		perror(path);
		return -1;
	}
	long size = ftell(file);
	rewind(file);
	/* Exactly as large as the input, so that a sanitizer sees the first byte read beyond. */
	uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
	if (!data || size < 0 || fread(data, 1, (size_t)size, file) != (size_t)size) {
		perror(path);
		return -1;
	}
	fclose(file);
	LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	return 0;
}

static int replay_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	if (!dir) {
		perror(folder);
		return -1;
	}
	unsigned count = 0;
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		if (replay_file(folder, entry->d_name) < 0)
			return -1;
		count++;
	}
	closedir(dir);
	printf("%s: %u inputs\n", folder, count);
	if (!count)
		fprintf(stderr, "%s: empty\n", folder);
	return count ? 0 : -1;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s FOLDER...\n", argv[0]);
		return 2;
	}
	for (int i = 1; i < argc; i++)
		if (replay_folder(argv[i]) < 0)
			return 1;
	return 0;
}
