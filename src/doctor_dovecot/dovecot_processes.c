#include "doctor_dovecot/dovecot_processes.h"

#include "base/clock.h"
#include "base/mem.h"
#include "checkup/mailserver.h"
#include "console/format.h"
#include "doctor_dovecot/doveconf.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHECK "processes"
#define FILES_MAX 4096

/* ---- which are of this Dovecot ---- */

/* `path` of dovecot.conf. */
static bool is_master(const struct process *process, const void *path)
{
	return !strcmp(process->name, "dovecot") &&
		(processes_belongs_to(process->pid, 0) ||
			processes_belongs_to(process->pid, geteuid())) &&
		mailserver_goes_by(process->pid, "-c", DOVECONF_DEFAULT, path);
}

/* ---- when the files changed ---- */

struct change {
	char *file;
	int64_t when_ms;
};

static void look_at(const char *path, struct change *latest)
{
	struct stat status;
	if (stat(path, &status) || !S_ISREG(status.st_mode))
		return;
	int64_t when_ms =
		(int64_t)status.st_mtim.tv_sec * CLOCK_SECOND_MS + status.st_mtim.tv_nsec / 1000000;
	if (latest->file && when_ms <= latest->when_ms)
		return;
	free(latest->file);
	*latest = (struct change){.file = mem_dup(path), .when_ms = when_ms};
}

static void look_into(const char *path, struct change *latest)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	for (int i = 0; folder && i < FILES_MAX && (entry = readdir(folder)); i++) {
		const char *ending = strrchr(entry->d_name, '.');
		mem_auto char *file = mem_printf("%s/%s", path, entry->d_name);
		if (ending && (!strcmp(ending, ".conf") || !strcmp(ending, ".ext")))
			look_at(file, latest);
	}
	if (folder)
		closedir(folder);
}

/* ---- what that means ---- */

/* A master, or its process `log`.  A child has the master's name until it runs its own program. */
static bool reads_at_start(const struct processes *dovecot, const struct process *process)
{
	for (size_t i = 0; i < dovecot->count; i++)
		if (dovecot->list[i].pid == process->parent)
			return !strcmp(process->name, "log");
	return !strcmp(process->name, "dovecot");
}

static bool serves_mail(const struct process *process)
{
	static const char *const names[] = {"imap", "lmtp", "pop3"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(process->name, names[i]))
			return true;
	return false;
}

void dovecot_processes_judge(struct report *findings, const struct processes *dovecot,
	const char *file, int64_t changed_ms, int64_t now_ms)
{
	char when[FORMAT_SIZE];
	int64_t read_ms = 0;
	size_t old = 0;
	format_ago((double)changed_ms / CLOCK_SECOND_MS, (double)now_ms / CLOCK_SECOND_MS, when);
	for (size_t i = 0; i < dovecot->count; i++) {
		const struct process *process = &dovecot->list[i];
		int64_t start_ms = mailserver_start_ms(process, now_ms);
		if (reads_at_start(dovecot, process) && start_ms > read_ms)
			read_ms = start_ms;
		old += serves_mail(process) && start_ms < changed_ms;
	}
	if (changed_ms > now_ms) {
		report_add(findings, REPORT_WARN, CHECK,
			"%s was changed in the future, so the clock was set back since: whether "
			"Dovecot has read it is unknown",
			file);
		report_run(findings, "touch %s && systemctl restart dovecot", file);
	} else if (read_ms < changed_ms) {
		report_add(findings, REPORT_WARN, CHECK,
			"%s was changed %s, and Dovecot has not read it since", file, when);
		report_run(findings, "systemctl reload dovecot");
	} else if (old) {
		report_add(findings, REPORT_WARN, CHECK,
			"%s was changed %s, and %zu process%s of imap, pop3 or lmtp still use%s "
			"the "
			"settings of before",
			file, when, old, old == 1 ? "" : "es", old == 1 ? "s" : "");
		report_run(findings, "systemctl restart dovecot");
	} else {
		report_add(findings, REPORT_OK, CHECK, "Dovecot has read %s since it was changed",
			file);
	}
}

void dovecot_processes_examine(struct report *findings, const char *path)
{
	struct processes processes;
	struct change latest = {0};
	const char *slash = strrchr(path, '/');
	mem_auto char *folder = slash ? mem_dup_n(path, (size_t)(slash - path)) : mem_dup(".");
	mem_auto char *further = mem_printf("%s/conf.d", folder);
	look_at(path, &latest);
	look_into(folder, &latest);
	look_into(further, &latest);
	int64_t now_ms = clock_unix_ms();
	processes_list(&processes); /* both clocks at the same time */
	mailserver_keep(&processes, is_master, path);
	if (!processes_are_known())
		report_add(findings, REPORT_WARN, CHECK,
			"on this system doctor cannot examine the processes of Dovecot: reload "
			"Dovecot after each change of its configuration");
	else if (!processes.count && !processes_are_shown())
		report_add(findings, REPORT_WARN, CHECK,
			"/proc hides the processes of other users (hidepid), so whether Dovecot "
			"has "
			"read %s is unknown: run mailpushctl doctor as root",
			path);
	else if (!processes.count) {
		report_add(
			findings, REPORT_FAIL, CHECK, "no Dovecot runs here that reads %s", path);
		report_run(findings, "systemctl start dovecot");
	} else if (latest.file)
		dovecot_processes_judge(findings, &processes, latest.file, latest.when_ms, now_ms);
	free(processes.list);
	free(latest.file);
}
