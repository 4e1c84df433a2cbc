#include "config/input_files.h"

#include "base/buf.h"
#include "base/mem.h"
#include "config/config_credential.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REMEDY "set imapd_conf to the file that Cyrus reads"
#define REMEDY_OF_INCLUDED "correct that line"

/* Regular files only: reading another kind could wait. */
static int open_file(const char *path, const char *remedy, FILE **ret, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	if (fd < 0 || fstat(fd, &status)) {
		int code = errno;
		if (fd >= 0)
			close(fd);
		return err_set(err, -code, "cannot open %s: %s; %s", path, strerror(code),
			code == EACCES ? "let the daemon's user read it (it is often in group mail)"
				       : remedy);
	}
	if (!S_ISREG(status.st_mode)) {
		close(fd);
		return err_set(err, -EINVAL, "cannot read %s: it is not a file; %s", path, remedy);
	}
	*ret = fdopen(fd, "r");
	return *ret ? 0 : err_set(err, -ENOMEM, "cannot read %s", path);
}

static int read_text(const char *path, const char *remedy, struct buf *ret, struct err *err)
{
	FILE *file;
	int status = open_file(path, remedy, &file, err);
	if (status)
		return status;
	size_t before = ret->used;
	while (ret->used - before <= IMAPDCONF_TEXT_MAX) {
		size_t n = fread(buf_reserve(ret, 4096), 1, 4096, file);
		if (!n)
			break;
		buf_commit(ret, n);
	}
	int failed = ferror(file);
	fclose(file);
	if (failed)
		return err_set(err, -EIO, "cannot read %s", path);
	if (ret->used - before > IMAPDCONF_TEXT_MAX)
		return err_set(err, -EFBIG, "%s is larger than %d bytes", path, IMAPDCONF_TEXT_MAX);
	return 0;
}

int input_files_read_text(const char *path, struct buf *ret, struct err *err)
{
	return read_text(path, REMEDY, ret, err);
}

/* The line that includes it stands before the text of an error. */
static int read_included(void *ctx, const char *path, struct buf *ret, struct err *err)
{
	struct input_files *input_files = ctx;
	input_files->included = mem_realloc_array(input_files->included,
		input_files->included_count + 1, sizeof(*input_files->included));
	input_files->included[input_files->included_count++] = mem_dup(path);
	return read_text(path, REMEDY_OF_INCLUDED, ret, err);
}

static char *choose_site(const struct config *config, const struct imapdconf *imapdconf)
{
	if (*config->site)
		return mem_dup(config->site);
	if (*imapdconf->servername)
		return mem_dup(imapdconf->servername);
	char name[256] = "";
	if (gethostname(name, sizeof(name) - 1))
		snprintf(name, sizeof(name), "localhost");
	return mem_dup(name);
}

/* A file is empty while it is rewritten, or after a full disk. */
static bool is_empty(struct buf *text)
{
	return strspn(buf_text(text), " \t\r\n") == text->used;
}

static int read_imapdconf(const struct config *config, struct input_files *input_files)
{
	buf_auto struct buf text;
	buf_init(&text);
	struct err *err = &input_files->imapdconf_error;
	bool has_cyrus = *config->imapd_conf;
	int status = has_cyrus ? input_files_read_text(config->imapd_conf, &text, err) : 0;
	if (!status && has_cyrus && is_empty(&text))
		status = err_set(err, -EINVAL, "%s is empty; " REMEDY, config->imapd_conf);
	if (!status)
		status = imapdconf_parse(config->imapd_conf, buf_text(&text), text.used,
			read_included, input_files, &input_files->imapdconf, err);
	if (!status || *config->site)
		input_files->site = choose_site(config, input_files->imapdconf);
	return status;
}

struct input_files *input_files_read(const struct config *config)
{
	struct input_files *input_files = mem_alloc_zero(1, sizeof(*input_files));
	input_files->imapdconf_status = read_imapdconf(config, input_files);
	input_files->credential_count = config->credential_count;
	for (unsigned i = 0; i < config->credential_count; i++)
		input_files->credential_status[i] = credential_load(&config->credentials[i],
			&input_files->credentials[i], &input_files->credential_errors[i]);
	return input_files;
}

void input_files_replace(struct input_files *input_files, struct input_files *fresh)
{
	if (!fresh->imapdconf) {
		fresh->imapdconf = mem_steal(input_files->imapdconf);
		free(fresh->site);
		fresh->site = mem_steal(input_files->site);
	}
	struct input_files former = *input_files;
	*input_files = *fresh;
	*fresh = former;
	input_files_free(fresh);
}

static bool passes(int status)
{
	switch (-status) {
	case EAGAIN:
	case EIO:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ESTALE:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

bool input_files_failed_in_passing(const struct input_files *input_files)
{
	bool any = passes(input_files->imapdconf_status);
	for (unsigned i = 0; i < input_files->credential_count; i++)
		any = any || passes(input_files->credential_status[i]);
	return any;
}

static bool is_alike(int status, const struct err *err, int other_status, const struct err *other)
{
	return status == other_status && (!status || !strcmp(err->text, other->text));
}

bool input_files_fail_alike(const struct input_files *input_files, const struct input_files *other)
{
	bool all = input_files->credential_count == other->credential_count &&
		is_alike(input_files->imapdconf_status, &input_files->imapdconf_error,
			other->imapdconf_status, &other->imapdconf_error);
	for (unsigned i = 0; all && i < input_files->credential_count; i++)
		all = is_alike(input_files->credential_status[i],
			&input_files->credential_errors[i], other->credential_status[i],
			&other->credential_errors[i]);
	return all;
}

const char **input_files_paths(
	const struct config *config, const struct input_files *input_files, size_t *ret_count)
{
	size_t included = input_files ? input_files->included_count : 0;
	const char **paths =
		mem_alloc_zero(1 + 5 * config->credential_count + included, sizeof(*paths));
	size_t count = 0;
	if (*config->imapd_conf)
		paths[count++] = config->imapd_conf;
	for (unsigned i = 0; i < config->credential_count; i++) {
		const struct credential_files *files = &config->credentials[i];
		const char *const named[] = {files->certificate, files->key, files->pkcs12,
			files->p8, files->passphrase_file};
		for (size_t j = 0; j < sizeof(named) / sizeof(named[0]); j++)
			if (named[j])
				paths[count++] = named[j];
	}
	for (size_t i = 0; i < included; i++)
		paths[count++] = input_files->included[i];
	*ret_count = count;
	return paths;
}

const char *input_files_dovecot_site(
	const struct config *config, const struct input_files *input_files)
{
	return strcmp(config->dovecot_site, input_files->site) == 0 ? "" : config->dovecot_site;
}

const char *input_files_topic(
	const struct config *config, const struct input_files *input_files, const char *otherwise)
{
	const char *topic = otherwise;
	for (unsigned i = 0; !*topic && i < input_files->credential_count; i++)
		if (input_files->credentials[i] && !config_credential_has_domains(config, i))
			topic = input_files->credentials[i]->topic;
	return topic;
}

void input_files_free(struct input_files *input_files)
{
	if (!input_files)
		return;
	imapdconf_free(input_files->imapdconf);
	free(input_files->site);
	for (size_t i = 0; i < input_files->included_count; i++)
		free(input_files->included[i]);
	free(input_files->included);
	for (unsigned i = 0; i < input_files->credential_count; i++)
		credential_free(input_files->credentials[i]);
	free(input_files);
}
