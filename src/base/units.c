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

bool units_parse_duration(const char *text, int64_t *ret)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {{"ms", 1}, {"s", CLOCK_SECOND_MS}, {"min", CLOCK_MINUTE_MS},
		{"h", CLOCK_HOUR_MS}, {"d", CLOCK_DAY_MS}};
	char *end;
	errno = 0;
	long long number = strtoll(text, &end, 10);
	if (errno || end == text || number < 0 || number > 1000000000)
		return false;
	while (*end == ' ')
		end++;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!strcmp(end, units[i].name)) {
			*ret = number * units[i].ms;
			return true;
		}
	}
	return false;
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
