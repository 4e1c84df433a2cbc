#include "base/units.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool units_parse_number(const char *text, int64_t *ret)
{
	char *end;
	errno = 0;
	long long number = strtoll(text, &end, 10);
	if (errno || end == text || *end)
		return false;
	*ret = number;
	return true;
}

struct unit {
	const char *name; /* NULL: the end */
	int64_t factor;
};

static bool parse(const char *text, const struct unit *units, int64_t *ret)
{
	char *end;
	errno = 0;
	long long number = strtoll(text, &end, 10);
	if (errno || end == text || number < 0 || number > 1000000000)
		return false;
	while (*end == ' ')
		end++;
	for (const struct unit *unit = units; unit->name; unit++) {
		if (!strcmp(end, unit->name)) {
			*ret = number * unit->factor;
			return true;
		}
	}
	return false;
}

bool units_parse_duration(const char *text, int64_t *ret)
{
	static const struct unit units[] = {{"ms", 1}, {"s", CLOCK_SECOND_MS},
		{"min", CLOCK_MINUTE_MS}, {"h", CLOCK_HOUR_MS}, {"d", CLOCK_DAY_MS}, {NULL, 0}};
	return parse(text, units, ret);
}

bool units_parse_size(const char *text, int64_t *ret)
{
	static const struct unit units[] = {
		{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};
	return parse(text, units, ret);
}

void units_print_size(int64_t bytes, char *text, size_t size)
{
	if (bytes % (1 << 30) == 0 && bytes)
		snprintf(text, size, "%lldGiB", (long long)bytes >> 30);
	else if (bytes % (1 << 20) == 0)
		snprintf(text, size, "%lldMiB", (long long)bytes >> 20);
	else
		snprintf(text, size, "%lldKiB", (long long)bytes >> 10);
}

void units_print_duration(int64_t ms, char *text, size_t size)
{
	if (ms % CLOCK_DAY_MS == 0 && ms)
		snprintf(text, size, "%lldd", (long long)(ms / CLOCK_DAY_MS));
	else if (ms % CLOCK_SECOND_MS == 0)
		snprintf(text, size, "%llds", (long long)(ms / CLOCK_SECOND_MS));
	else
		snprintf(text, size, "%lldms", (long long)ms);
}
