#include "doctor/doctor_processes.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "checkup/mailserver.h"
#include "console/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_IMAPD_CONF "/etc/imapd.conf"
#define CHECK "processes"
#define NAMED_MAX 8 /* processes; further ones are only counted */

/* ---- which are of Cyrus ---- */

struct cyrus {
	uid_t user;
	const char *imapd_conf;
};

static bool is_master(const struct process *process, const void *ctx)
{
	static const char *const names[] = {"master", "cyrmaster", "cyrus-master"};
	const struct cyrus *cyrus = ctx;
	bool is_named_so = false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		is_named_so = is_named_so || !strcmp(process->name, names[i]);
	return is_named_so && processes_belongs_to(process->pid, cyrus->user) &&
		mailserver_goes_by(process->pid, "-C", DEFAULT_IMAPD_CONF, cyrus->imapd_conf);
}

/* ---- what that means ---- */

static int oldest_first(const void *left, const void *right)
{
	const struct process *a = left;
	const struct process *b = right;
	return (a->age_ms < b->age_ms) - (a->age_ms > b->age_ms);
}

/* The services that send the topic to phones. */
static bool serves_phones(const struct process *process)
{
	return !strcmp(process->name, "imapd") || !strcmp(process->name, "httpd");
}

static void judge_old(struct report *report, const struct process *old, size_t count,
	const struct doctor_reading *reading)
{
	char when[FORMAT_SIZE];
	bool is_topic_concerned = false;
	buf_auto struct buf names;
	buf_init(&names);
	for (size_t i = 0; i < count; i++) {
		is_topic_concerned |= serves_phones(&old[i]) &&
			mailserver_start_ms(&old[i], reading->now_ms) < reading->topic_ms;
		if (i >= NAMED_MAX)
			continue;
		mem_auto char *text =
			mem_printf("%s%s %d (for %s)", i ? ", " : "", old[i].name, (int)old[i].pid,
				format_duration((double)old[i].age_ms / CLOCK_SECOND_MS, when));
		buf_append_text(&names, text);
	}
	mem_auto char *more =
		count > NAMED_MAX ? mem_printf(" and %zu more", count - NAMED_MAX) : mem_dup("");
	report_add(report, REPORT_WARN, CHECK,
		"%s was changed %s, and Cyrus still has %zu process%s from before: %s%s; each uses "
		"the settings that it read at its start%s",
		reading->file,
		format_ago((double)reading->changed_ms / CLOCK_SECOND_MS,
			(double)reading->now_ms / CLOCK_SECOND_MS, when),
		count, count == 1 ? "" : "es", buf_text(&names), more,
		is_topic_concerned ? ", and phones get the former aps_topic if that was changed"
				   : "");
	report_run(report, "systemctl restart cyrus-imapd");
}

void doctor_processes_judge(
	struct report *report, const struct processes *cyrus, const struct doctor_reading *reading)
{
	mem_auto struct process *old = mem_alloc_zero(cyrus->count + 1, sizeof(*old));
	size_t count = 0;
	if (reading->changed_ms > reading->now_ms) {
		report_add(report, REPORT_WARN, CHECK,
			"%s was changed in the future, so the clock was set back since: whether "
			"Cyrus has read it is unknown",
			reading->file);
		report_run(report, "touch %s && systemctl restart cyrus-imapd", reading->file);
		return;
	}
	for (size_t i = 0; i < cyrus->count; i++)
		if (mailserver_start_ms(&cyrus->list[i], reading->now_ms) < reading->changed_ms)
			old[count++] = cyrus->list[i];
	qsort(old, count, sizeof(*old), oldest_first);
	if (count)
		judge_old(report, old, count, reading);
	else
		report_add(report, REPORT_OK, CHECK,
			"all %zu of Cyrus were started since %s was changed", cyrus->count,
			reading->file);
}

static int64_t changed_ms(const char *path)
{
	struct stat status;
	if (stat(path, &status))
		return 0;
	return (int64_t)status.st_mtim.tv_sec * CLOCK_SECOND_MS + status.st_mtim.tv_nsec / 1000000;
}

static void look_at_files(
	const struct config *config, const struct input_files *files, struct doctor_reading *ret)
{
	const char *topic = imapdconf_find(files->imapdconf, "aps_topic")->file;
	*ret = (struct doctor_reading){
		.file = config->imapd_conf, .changed_ms = changed_ms(config->imapd_conf)};
	for (size_t i = 0; i < files->included_count; i++) {
		int64_t when_ms = changed_ms(files->included[i]);
		if (when_ms <= ret->changed_ms)
			continue;
		ret->changed_ms = when_ms;
		ret->file = files->included[i];
	}
	/* It may also have been taken out. */
	ret->topic_ms = topic ? changed_ms(topic) : ret->changed_ms;
}

void doctor_processes_examine(struct report *report, const struct config *config,
	const struct input_files *files, uid_t user)
{
	struct processes processes;
	struct doctor_reading reading;
	look_at_files(config, files, &reading);
	reading.now_ms = clock_unix_ms();
	processes_list(&processes); /* both clocks at the same time */
	const struct cyrus cyrus = {.user = user, .imapd_conf = config->imapd_conf};
	mailserver_keep(&processes, is_master, &cyrus);
	if (!processes_are_known())
		report_add(report, REPORT_WARN, CHECK,
			"on this system doctor cannot examine the processes of Cyrus: restart "
			"Cyrus after each change of %s",
			reading.file);
	else if (!processes.count && !processes_are_shown())
		report_add(report, REPORT_WARN, CHECK,
			"/proc hides the processes of other users (hidepid), so whether Cyrus has "
			"read %s is unknown: run mailpushctl doctor as root",
			reading.file);
	else if (!processes.count)
		report_add(report, REPORT_WARN, CHECK,
			"no master of Cyrus runs here that was started with -C %s, so whether "
			"Cyrus has read it is unknown",
			config->imapd_conf);
	else
		doctor_processes_judge(report, &processes, &reading);
	free(processes.list);
}
