#include "config/config_diff.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Files read once, when the daemon starts; the credentials' files are read again. */
static bool names_a_file(const char *name)
{
	return !strcmp(name, "apns_ca_file") || !strcmp(name, "proxy_password_file");
}

static void print_file(const char *path, FILE *to)
{
	struct stat status;
	if (*path && !stat(path, &status))
		fprintf(to, "%llu %llu %lld %lld.%09ld", (unsigned long long)status.st_dev,
			(unsigned long long)status.st_ino, (long long)status.st_size,
			(long long)status.st_mtim.tv_sec, (long)status.st_mtim.tv_nsec);
}

char *config_diff_record(cfg_t *cfg)
{
	char *record = NULL;
	size_t size;
	FILE *file = open_memstream(&record, &size);
	for (cfg_opt_t *opt = cfg->opts; opt->name; opt++) {
		fprintf(file, "%s\n", opt->name);
		cfg_opt_print(opt, file);
		if (names_a_file(opt->name))
			print_file(cfg_opt_getstr(opt), file);
		fputc('\0', file);
	}
	fclose(file);
	return record;
}

static bool is_taken_at_once(const char *name, size_t size)
{
	static const char log_level[] = "log_level";
	return size == strlen(log_level) && !memcmp(name, log_level, size);
}

char *config_diff_that_wait(const char *before, const char *after)
{
	buf_auto struct buf names;
	buf_init(&names);
	while (*before) {
		size_t size = strcspn(before, "\n");
		if (strcmp(before, after) != 0 && !is_taken_at_once(before, size)) {
			buf_append_text(&names, names.used ? ", " : "");
			buf_append(&names, before, size);
		}
		before += strlen(before) + 1;
		after += strlen(after) + 1;
	}
	return names.used ? mem_dup(buf_text(&names)) : NULL;
}
