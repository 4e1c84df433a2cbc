#include "doctor/doctor_processes.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "console/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_IMAPD_CONF "/etc/imapd.conf"
#define CHECK "processes"
#define TEXT_SIZE 4096 /* bytes of the command line of a process */
#define NAMED_MAX 8    /* processes; further ones are only counted */
#define TICK_MS 10

/* ---- which are of Cyrus ---- */

/* Was it started with this imapd.conf?  It need not be named if it is the usual one. */
static bool goes_by(pid_t pid, const char *imapd_conf)
{
	char text[TEXT_SIZE];
	const char *named = DEFAULT_IMAPD_CONF;
	ssize_t size = processes_arguments(pid, text, sizeof(text));
	for (const char *word = text; word < text + size; word += strlen(word) + 1) {
		const char *next = word + strlen(word) + 1;
		if (!strncmp(word, "-C", 2))
			named = word[2] ? word + 2 : next < text + size ? next : "";
	}
	return size > 0 && !strcmp(named, imapd_conf);
}

static bool is_master(const struct process *process, uid_t user, const char *imapd_conf)
{
	static const char *const names[] = {"master", "cyrmaster", "cyrus-master"};
	bool is_named_so = false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		is_named_so = is_named_so || !strcmp(process->name, names[i]);
	return is_named_so && processes_belongs_to(process->pid, user) &&
		goes_by(process->pid, imapd_conf);
}

/* Leaves the masters and their children. */
static void keep_those_of_cyrus(struct processes *processes, uid_t user, const char *imapd_conf)
{
	mem_auto bool *are_masters = mem_alloc_zero(processes->count + 1, sizeof(bool));
	mem_auto bool *are_kept = mem_alloc_zero(processes->count + 1, sizeof(bool));
	size_t kept = 0;
	for (size_t i = 0; i < processes->count; i++)
		are_kept[i] = are_masters[i] = is_master(&processes->list[i], user, imapd_conf);
	for (size_t i = 0; i < processes->count; i++) {
		if (!are_masters[i])
			continue;
		for (size_t j = 0; j < processes->count; j++)
			are_kept[j] |= processes->list[j].parent == processes->list[i].pid;
	}
	for (size_t i = 0; i < processes->count; i++)
		if (are_kept[i])
			processes->list[kept++] = processes->list[i];
	processes->count = kept;
}

/* ---- what that means ---- */

static int64_t start_of(const struct process *process, int64_t now_ms)
{
	return now_ms - process->age_ms + TICK_MS;
}

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
			start_of(&old[i], reading->now_ms) < reading->topic_ms;
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
		if (start_of(&cyrus->list[i], reading->now_ms) < reading->changed_ms)
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
	keep_those_of_cyrus(&processes, user, config->imapd_conf);
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
