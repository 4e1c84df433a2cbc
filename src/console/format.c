#include "console/format.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wchar.h>
#include <wctype.h>

#define TIME_MAX_S 1e12 /* the year 33658 */

static const char *span(double seconds, char ret[FORMAT_SIZE])
{
	if (seconds < 60)
		snprintf(ret, FORMAT_SIZE, "%.0f s", floor(seconds));
	else if (seconds < 3600)
		snprintf(ret, FORMAT_SIZE, "%.0f min", floor(seconds / 60));
	else if (seconds < 2 * 86400)
		snprintf(ret, FORMAT_SIZE, "%.0f h", floor(seconds / 3600));
	else
		snprintf(ret, FORMAT_SIZE, "%.0f d", floor(seconds / 86400));
	return ret;
}

const char *format_ago(double then_s, double now_s, char ret[FORMAT_SIZE])
{
	char text[FORMAT_SIZE];
	double seconds = now_s - then_s;
	if (fabs(seconds) < 1)
		return strcpy(ret, "just now");
	span(fabs(seconds), text);
	snprintf(ret, FORMAT_SIZE, seconds > 0 ? "%.40s ago" : "in %.40s", text);
	return ret;
}

const char *format_duration(double seconds, char ret[FORMAT_SIZE])
{
	static const struct {
		double seconds;
		const char *name;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	if (seconds < 1)
		return strcpy(ret, "0 s");
	size_t i = 0;
	while (seconds < units[i].seconds)
		i++;
	double whole = floor(seconds / units[i].seconds);
	double rest = seconds - whole * units[i].seconds;
	if (i == 3 || rest < units[i + 1].seconds)
		snprintf(ret, FORMAT_SIZE, "%.0f %s", whole, units[i].name);
	else
		snprintf(ret, FORMAT_SIZE, "%.0f %s %.0f %s", whole, units[i].name,
			floor(rest / units[i + 1].seconds), units[i + 1].name);
	return ret;
}

const char *format_clock(double unix_s, char ret[FORMAT_SIZE])
{
	struct tm local;
	*ret = '\0';
	if (!(fabs(unix_s) < TIME_MAX_S))
		return ret;
	time_t seconds = (time_t)unix_s;
	if (localtime_r(&seconds, &local))
		strftime(ret, FORMAT_SIZE, "%H:%M:%S", &local);
	return ret;
}

char *format_forgotten(const json_t *trace)
{
	const char *why = json_string_value(json_object_get(trace, "why"));
	const char *reason = json_string_value(json_object_get(trace, "reason"));
	const char *meaning = json_string_value(json_object_get(trace, "meaning"));
	long long status = json_integer_value(json_object_get(trace, "status"));
	if (status)
		return mem_printf("Apple answered %lld%s%s: %s", status, reason ? " " : "",
			reason ? reason : "", meaning ? meaning : "");
	return mem_printf("%s%s%s: %s", why ? why : "",
		reason ? ", stopped before by Apple's " : "", reason ? reason : "",
		meaning ? meaning : "");
}

const char *format_latency(double seconds, char ret[FORMAT_SIZE])
{
	if (seconds < 0.01)
		snprintf(ret, FORMAT_SIZE, "%.1f ms", seconds * 1000);
	else if (seconds < 1)
		snprintf(ret, FORMAT_SIZE, "%.0f ms", seconds * 1000);
	else
		snprintf(ret, FORMAT_SIZE, "%.1f s", seconds);
	return ret;
}

const char *format_size(double bytes, char ret[FORMAT_SIZE])
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	size_t i = 0;
	while (bytes >= 1000 && i < 4) {
		bytes /= 1000;
		i++;
	}
	snprintf(ret, FORMAT_SIZE, i && bytes < 10 ? "%.1f %s" : "%.0f %s", bytes, units[i]);
	return ret;
}

size_t format_printable(const char *text, char *ret, size_t size)
{
	mbstate_t state = {0};
	size_t columns = 0;
	size_t used = 0;
	while (*text) {
		wchar_t wide;
		size_t n = mbrtowc(&wide, text, strlen(text), &state);
		int width = n == (size_t)-1 || n == (size_t)-2 || !iswprint((wint_t)wide) ||
				utf8_steers((uint32_t)wide)
			? -1
			: wcwidth(wide);
		bool is_text = width >= 0;
		size_t needed = is_text ? n : 1;
		if (used + needed + 1 > size)
			break;
		if (is_text)
			memcpy(ret + used, text, n);
		else
			ret[used] = '?';
		if (n == (size_t)-1 || n == (size_t)-2) {
			n = 1;
			state = (mbstate_t){0};
		}
		used += needed;
		text += n;
		columns += is_text ? (size_t)width : 1;
	}
	ret[used] = '\0';
	return columns;
}
