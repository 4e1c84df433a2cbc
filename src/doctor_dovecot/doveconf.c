#include "doctor_dovecot/doveconf.h"

#include "base/mem.h"
#include "checkup/program.h"
#include "doctor_dovecot/doveconf_text.h"
#include "platform/confine.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define TEXT_SIZE (256 * 1024)
#define TIME_MS 10000
#define ARGUMENTS_MAX 16

static const char *const names[DOVECONF_PROTOCOLS] = {"imap", "lmtp", "lda", "pop3", "doveadm"};

const char *doveconf_protocol_name(enum doveconf_protocol protocol)
{
	return names[protocol];
}

bool doveconf_is_2_4(const struct doveconf *conf)
{
	return conf->major > 2 || conf->minor >= 4;
}

/* Debian's, and what is built from source or on FreeBSD. */
static int open_program(const char *name, char **ret_path, struct err *err)
{
	static const char *const folders[] = {
		"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"};
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		mem_auto char *path = mem_printf("%s/%s", folders[i], name);
		struct stat status;
		int fd = confine_open(path);
		if (fd < 0)
			continue;
		if (!fstat(fd, &status) && S_ISREG(status.st_mode) && program_is_trusted(&status)) {
			*ret_path = mem_steal(path);
			return fd;
		}
		close(fd);
		return err_set(err, -EPERM,
			"%s may be changed by others than root, so it was not run", path);
	}
	return err_set(err, -ENOENT, "%s is not installed", name);
}

/* Runs it; what it prints is in `text`. */
static int ask(const char *name, const char *const *words, char *text, struct err *err)
{
	mem_auto char *path = NULL;
	char *arguments[ARGUMENTS_MAX] = {NULL};
	size_t count = 1;
	int fd = open_program(name, &path, err);
	if (fd < 0)
		return fd;
	arguments[0] = path;
	/* execve takes them so. */
	for (; *words && count < ARGUMENTS_MAX - 1; words++)
		arguments[count++] = (char *)(uintptr_t)*words;
	const struct program program = {.fd = fd,
		.arguments = arguments,
		.time_ms = TIME_MS,
		.has_errors = true,
		.writes_files = true};
	int status = program_run(&program, text, TEXT_SIZE);
	int code = errno;
	close(fd);
	if (status < 0)
		return err_set(err, -code, "cannot run %s: %s", path, strerror(code));
	if (status == PROGRAM_KILLED)
		return err_set(
			err, -ETIMEDOUT, "%s does not end within %d s", path, TIME_MS / 1000);
	mem_auto char *said = doveconf_text_error(text);
	if (status)
		return err_set(err, -EINVAL, "%s", *said ? said : path);
	return 0;
}

/* A setting that is not there has the default of the plugin. */
static char *value_or(const char *text, const char *key, const char *other)
{
	char *value = doveconf_text_value(text, key);
	return value ? value : mem_dup(other);
}

/* 2.3 prints a list in one line, 2.4 a block of names. */
static bool is_protocol(const char *text, const char *name)
{
	mem_auto char *line = doveconf_text_value(text, "protocols");
	mem_auto char *list = mem_printf(" %s ", line ? line : "");
	mem_auto char *in_block = line ? NULL : doveconf_text_value(text, name);
	return doveconf_text_has(list, name) || (in_block && !strcmp(in_block, "yes"));
}

static void take_userdb(struct doveconf *conf, const char *text)
{
	char *user = *conf->user ? NULL : doveconf_text_id(text, "uid");
	char *group = doveconf_text_id(text, "gid");
	if (user) {
		free(conf->user);
		conf->user = user;
	}
	if (group) {
		free(conf->group);
		conf->group = group;
	}
	conf->has_system_users = !*conf->user && doveconf_text_is_passwd(text);
}

static int read_globals(struct doveconf *conf, char *text, struct err *err)
{
	bool is_2_4 = doveconf_is_2_4(conf);
	const char *socket = is_2_4 ? "mailpush_socket" : "plugin/mailpush_socket";
	const char *spool = is_2_4 ? "mailpush_spool" : "plugin/mailpush_spool";
	const char *keep = is_2_4 ? "mailpush_keep" : "plugin/mailpush_keep";
	const char *const words[] = {"-c", conf->path, "mail_plugin_dir", "mail_uid", "mail_gid",
		"mail_access_groups", "protocols", NULL};
	/* Those of imap: 2.4 lets a section set them anew. */
	const char *const of_plugin[] = {
		"-c", conf->path, "-f", "protocol=imap", socket, spool, keep, NULL};
	const char *const of_userdb[] = {"-c", conf->path, "userdb", NULL};
	int code = ask("doveconf", words, text, err);
	if (code)
		return code;
	conf->module_folder = value_or(text, "mail_plugin_dir", "/usr/lib/dovecot/modules");
	conf->user = value_or(text, "mail_uid", "");
	conf->group = value_or(text, "mail_gid", "");
	conf->groups = doveconf_text_list(text, "mail_access_groups", NULL);
	for (int i = 0; i < DOVECONF_PROTOCOLS; i++)
		conf->is_offered[i] =
			i == DOVECONF_LDA || i == DOVECONF_DOVEADM || is_protocol(text, names[i]);
	/* Before the module is there, 2.4 does not know them. */
	if (ask("doveconf", of_plugin, text, err))
		*text = '\0';
	conf->socket = value_or(text, socket, "/run/mailpush/dovecot");
	conf->spool = value_or(text, spool, "/var/spool/mailpush");
	conf->keep = value_or(text, keep, KEEP_PROGRAM);
	if (!ask("doveconf", of_userdb, text, err))
		take_userdb(conf, text);
	return 0;
}

static int read_plugins(struct doveconf *conf, char *text, struct err *err)
{
	const char *const of_all[] = {"-c", conf->path, "mail_plugins", NULL};
	int code = ask("doveconf", of_all, text, err);
	mem_auto char *inherited = code ? NULL : doveconf_text_list(text, "mail_plugins", NULL);
	for (int i = 0; !code && i < DOVECONF_PROTOCOLS; i++) {
		mem_auto char *filter = mem_printf("protocol=%s", names[i]);
		const char *const words[] = {"-c", conf->path, "-f", filter, "mail_plugins", NULL};
		if (!(code = ask("doveconf", words, text, err)))
			conf->plugins[i] = doveconf_text_list(text, "mail_plugins", inherited);
	}
	return code;
}

MEM_DEFINE_CLEANUP(doveconf_cleanup, struct doveconf, doveconf_free)

int doveconf_read(const char *path, struct doveconf **ret, struct err *err)
{
	static const char *const words[] = {"--version", NULL};
	__attribute__((cleanup(doveconf_cleanup))) struct doveconf *conf =
		mem_alloc_zero(1, sizeof(*conf));
	mem_auto char *text = mem_alloc(TEXT_SIZE);
	conf->path = path;
	int code = ask("dovecot", words, text, err);
	if (code)
		return code;
	if (!doveconf_text_version(text, &conf->major, &conf->minor))
		return err_set(err, -EINVAL, "dovecot --version prints no version");
	conf->version = mem_dup_n(text, strcspn(text, " \n"));
	code = read_globals(conf, text, err);
	if (!code)
		code = read_plugins(conf, text, err);
	if (!code)
		*ret = mem_steal(conf);
	return code;
}

void doveconf_free(struct doveconf *conf)
{
	if (!conf)
		return;
	free(conf->version);
	free(conf->module_folder);
	free(conf->user);
	free(conf->group);
	free(conf->groups);
	free(conf->socket);
	free(conf->spool);
	free(conf->keep);
	for (int i = 0; i < DOVECONF_PROTOCOLS; i++)
		free(conf->plugins[i]);
	free(conf);
}
