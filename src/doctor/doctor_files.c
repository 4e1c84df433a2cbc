#include "doctor/doctor_files.h"

#include "base/mem.h"
#include "config/accounts.h"
#include "config/process.h"
#include "database/database.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PACKAGED_USER "mailpush"

/* Free it. */
static char *folder_of(const char *path)
{
	return mem_dup_n(path, (size_t)(strrchr(path, '/') - path));
}

/* The folder of the registry's file, or else of the queue; free it. */
static char *state_folder(const struct config *config)
{
	const char *path = database_file(config->registry);
	return folder_of(path ? path : config->queue);
}

/* NULL: not known, or root. */
static const struct passwd *daemon_user(const struct config *config)
{
	const struct passwd *user = NULL;
	mem_auto char *folder = state_folder(config);
	struct stat status;
	if (*config->user)
		user = accounts_find_account(config->user);
	else if (!stat(folder, &status) && status.st_uid)
		user = getpwuid(status.st_uid);
	else
		/* It may be root's by mistake. */
		user = accounts_find_account(PACKAGED_USER);
	return user && user->pw_uid ? user : NULL;
}

#define NOT_TRIED 255

/* An errno; 0: the user may; NOT_TRIED. */
static int try_as(const char *user, const char *path, int how)
{
	pid_t pid = fork();
	if (pid < 0)
		return NOT_TRIED;
	if (!pid) {
		struct err err;
		if (process_become(user, &err))
			_exit(NOT_TRIED);
		_exit(access(path, how) ? errno : 0);
	}
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : NOT_TRIED;
}

/* The first folder on the way that the user cannot enter; free it.  NULL: none. */
static char *closed_folder(const char *user, const char *path)
{
	mem_auto char *folder = mem_dup(path);
	for (char *slash = folder; (slash = strchr(slash + 1, '/')); *slash = '/') {
		*slash = '\0';
		if (try_as(user, folder, X_OK) == EACCES)
			return mem_steal(folder);
	}
	return NULL;
}

/* One folder may be on the way to many files. */
static bool is_told(const struct report *findings, const char *remedy)
{
	for (size_t i = 0; i < findings->count; i++)
		if (findings->list[i].run && !strcmp(findings->list[i].run, remedy))
			return true;
	return false;
}

static void examine_file(struct report *findings, const char *check, const char *user,
	const char *group, const char *path)
{
	/* A missing file is reported by the module that reads it. */
	if (!path || !*path || try_as(user, path, R_OK) != EACCES)
		return;
	mem_auto char *folder = closed_folder(user, path);
	const char *closed = folder ? folder : path;
	mem_auto char *remedy = mem_printf(
		"chgrp %s %s && chmod g+%c %s", group, closed, folder ? 'x' : 'r', closed);
	if (is_told(findings, remedy))
		return;
	if (folder)
		report_add(findings, REPORT_FAIL, check,
			"mailpushd runs as user %s, who cannot enter the folder %s, so it cannot "
			"read %s",
			user, folder, path);
	else
		report_add(findings, REPORT_FAIL, check,
			"mailpushd runs as user %s, who cannot read %s: Permission denied", user,
			path);
	report_run(findings, "%s", remedy);
}

/* As when mailpushd or sqlite3 was once run by root.  `all`: what the remedy adds to the path. */
static void examine_owner(struct report *findings, const char *check, const char *user,
	const char *group, const char *path, const char *all)
{
	struct stat status;
	if (stat(path, &status) || status.st_uid || try_as(user, path, W_OK) != EACCES)
		return;
	report_add(findings, REPORT_FAIL, check,
		"%s belongs to root, so mailpushd, which runs as %s, cannot write it", path, user);
	report_run(findings, "chown %s:%s %s%s", user, group, path, all);
}

void doctor_files_examine(struct report *findings, const struct config *config)
{
	const struct passwd *passwd = geteuid() == 0 ? daemon_user(config) : NULL;
	if (!passwd)
		return;
	mem_auto char *user = mem_dup(passwd->pw_name);
	const struct group *group = getgrgid(passwd->pw_gid);
	const char *group_name = group ? group->gr_name : user;
	/* Where `user` is set, root reads it before. */
	if (!*config->user)
		examine_file(findings, "mailpush.conf", user, group_name, config->path);
	for (unsigned i = 0; i < config->credential_count; i++) {
		const struct credential_files *files = &config->credentials[i];
		const char *const paths[] = {files->certificate, files->key, files->pkcs12,
			files->p8, files->passphrase_file};
		for (size_t j = 0; j < sizeof(paths) / sizeof(paths[0]); j++)
			examine_file(findings, "credential", user, group_name, paths[j]);
	}
	examine_file(findings, "apple", user, group_name, config->apns_ca_file);
	examine_file(findings, "imapd.conf", user, group_name, config->imapd_conf);
	const char *registry = database_file(config->registry);
	mem_auto char *folder = state_folder(config);
	mem_auto char *queue_folder = folder_of(config->queue);
	examine_owner(findings, registry ? "registry" : "queue", user, group_name, folder, "");
	if (strcmp(folder, queue_folder) != 0)
		examine_owner(findings, "queue", user, group_name, queue_folder, "");
	if (registry)
		examine_owner(findings, "registry", user, group_name, registry, "*");
	examine_owner(findings, "queue", user, group_name, config->queue, "*");
}
