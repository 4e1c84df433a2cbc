#include "daemon/sources.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

MEM_DEFINE_CLEANUP(sources_cleanup, struct sources, sources_free)

static const char *remedy_of(int code)
{
	return code == EACCES ? "let the daemon's user read it (it is often in group mail)"
			      : "set imapd_conf to the file that Cyrus reads";
}

/* A regular file only: another kind could keep us waiting. */
static int open_file(const char *path, FILE **ret, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	if (fd < 0 || fstat(fd, &status)) {
		int code = errno;
		if (fd >= 0)
			close(fd);
		return err_set(err, -code, "cannot open %s: %s; %s", path, strerror(code),
			remedy_of(code));
	}
	if (!S_ISREG(status.st_mode)) {
		close(fd);
		return err_set(
			err, -EINVAL, "cannot read %s: it is no file; %s", path, remedy_of(EINVAL));
	}
	*ret = fdopen(fd, "r");
	return *ret ? 0 : err_set(err, -ENOMEM, "cannot read %s", path);
}

static int read_file(void *ctx, const char *path, struct buf *ret, struct err *err)
{
	(void)ctx;
	FILE *file;
	int status = open_file(path, &file, err);
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

int sources_read(const struct config *config, struct sources **ret, struct err *err)
{
	__attribute__((cleanup(sources_cleanup))) struct sources *sources =
		mem_alloc_zero(1, sizeof(*sources));
	buf_auto struct buf text;
	buf_init(&text);
	int status = read_file(NULL, config->imapd_conf, &text, err);
	if (status)
		return status;
	status = imapdconf_parse(config->imapd_conf, buf_text(&text), text.used, read_file, NULL,
		&sources->imapdconf, err);
	if (status)
		return status;
	sources->site = choose_site(config, sources->imapdconf);

	sources->credential_count = config->credential_count;
	for (unsigned i = 0; i < config->credential_count; i++)
		if (credential_load(&config->credentials[i], &sources->credentials[i],
			    &sources->credential_errors[i]) == 0 &&
			credential_check_dates(sources->credentials[i], clock_unix_ms(),
				&sources->credential_errors[i]) < 0)
			credential_free(mem_steal(sources->credentials[i]));
	*ret = mem_steal(sources);
	return 0;
}

void sources_free(struct sources *sources)
{
	if (!sources)
		return;
	imapdconf_free(sources->imapdconf);
	free(sources->site);
	for (unsigned i = 0; i < sources->credential_count; i++)
		credential_free(sources->credentials[i]);
	free(sources);
}
