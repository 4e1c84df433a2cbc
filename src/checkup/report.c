#include "checkup/report.h"

#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define TEXT_MAX 2048

static char *format_text(const char *format, va_list args)
{
	char text[TEXT_MAX];
	vsnprintf(text, sizeof(text), format, args);
	return mem_dup(text);
}

void report_add(struct report *findings, enum report_level level, const char *check,
	const char *format, ...)
{
	va_list args;
	va_start(args, format);
	findings->list =
		mem_realloc_array(findings->list, findings->count + 1, sizeof(*findings->list));
	findings->list[findings->count++] =
		(struct finding){.level = level, .check = check, .why = format_text(format, args)};
	va_end(args);
}

static struct finding *last(struct report *findings)
{
	assert(findings->count);
	return &findings->list[findings->count - 1];
}

void report_put(struct report *findings, const char *file, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	assert(!last(findings)->line);
	last(findings)->line = format_text(format, args);
	last(findings)->file = mem_dup(file);
	va_end(args);
}

void report_run(struct report *findings, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	assert(!last(findings)->run);
	last(findings)->run = format_text(format, args);
	va_end(args);
}

const char *report_level_name(enum report_level level)
{
	static const char *const names[] = {"ok", "warn", "fail"};
	return names[level];
}

bool report_has_failed(const struct report *findings)
{
	for (size_t i = 0; i < findings->count; i++)
		if (findings->list[i].level == REPORT_FAIL)
			return true;
	return false;
}

void report_fini(struct report *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		free(findings->list[i].why);
		free(findings->list[i].line);
		free(findings->list[i].file);
		free(findings->list[i].run);
	}
	free(findings->list);
	*findings = (struct report){0};
}
