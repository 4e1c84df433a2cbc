#include "doctor/doctor_print.h"

#include "console/format.h"
#include "console/table.h"

#include <jansson.h>
#include <stdio.h>

#define PRINTED_MAX 4096
#define LEVELS 3

static void print_remedy(const struct finding *finding)
{
	char text[PRINTED_MAX];
	if (finding->line) {
		format_printable(finding->file, text, sizeof(text));
		printf("; in %s put: ", text);
		format_printable(finding->line, text, sizeof(text));
		fputs(text, stdout);
	}
	if (finding->run) {
		format_printable(finding->run, text, sizeof(text));
		printf("; %srun: %s", finding->line ? "then " : "", text);
	}
}

static void print_text(const struct finding *finding)
{
	static const enum table_colour colours[LEVELS] = {TABLE_GOOD, TABLE_ODD, TABLE_BAD};
	char why[PRINTED_MAX];
	format_printable(finding->why, why, sizeof(why));
	printf("%s%-4s%s %-15s %s", table_begin(colours[finding->level]),
		report_level_name(finding->level), table_end(), finding->check, why);
	print_remedy(finding);
	putchar('\n');
}

/* Text of files need not be UTF-8. */
static void set_text(json_t *json, const char *key, const char *text)
{
	char printable[PRINTED_MAX];
	if (!text || !json_object_set_new(json, key, json_string(text)))
		return;
	format_printable(text, printable, sizeof(printable));
	json_object_set_new(json, key, json_string(printable));
}

static void print_object(json_t *json)
{
	json_dumpf(json, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(json);
}

static void print_json(const struct finding *finding)
{
	json_t *json = json_pack(
		"{ss,ss}", "check", finding->check, "level", report_level_name(finding->level));
	set_text(json, "why", finding->why);
	set_text(json, "file", finding->file);
	set_text(json, "line", finding->line);
	set_text(json, "run", finding->run);
	print_object(json);
}

void doctor_print_findings(const struct report *report, const struct doctor_print *how)
{
	for (size_t i = 0; i < report->count; i++)
		if (!how->only_problems || report->list[i].level != REPORT_OK)
			(how->is_json ? print_json : print_text)(&report->list[i]);
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

void doctor_print_count(
	const struct report *const *reports, size_t count, const struct doctor_print *how)
{
	size_t by_level[LEVELS] = {0};
	size_t all = 0;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < reports[i]->count; j++, all++)
			by_level[reports[i]->list[j].level]++;
	size_t good = by_level[REPORT_OK];
	size_t odd = by_level[REPORT_WARN];
	size_t bad = by_level[REPORT_FAIL];
	if (how->is_json)
		print_object(json_pack("{sI,sI,sI,sI}", "checks", (json_int_t)all, "good",
			(json_int_t)good, "warnings", (json_int_t)odd, "problems",
			(json_int_t)bad));
	else
		printf("%zu check%s: %zu good, %zu warning%s, %zu problem%s\n", all, plural(all),
			good, odd, plural(odd), bad, plural(bad));
}
