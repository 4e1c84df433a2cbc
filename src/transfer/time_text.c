#include "transfer/time_text.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

/* `count` digits; -1: there are not so many. */
static int digits(const char **text, int count)
{
	int number = 0;
	for (int i = 0; i < count; i++) {
		if (!isdigit((unsigned char)**text))
			return -1;
		number = number * 10 + (**text - '0');
		(*text)++;
	}
	return number;
}

static bool passes(const char **text, const char *any)
{
	if (!**text || !strchr(any, **text))
		return false;
	(*text)++;
	return true;
}

static double fraction(const char **text)
{
	double value = 0;
	double unit = 1;
	for (; isdigit((unsigned char)**text); (*text)++) {
		unit /= 10;
		value += unit * (**text - '0');
	}
	return value;
}

/* Seconds east of UTC. */
static bool read_zone(const char **text, int *ret_s)
{
	*ret_s = 0;
	if (!**text || passes(text, "Zz"))
		return true;
	bool is_west = **text == '-';
	if (!passes(text, "+-"))
		return false;
	int hours = digits(text, 2);
	passes(text, ":");
	int minutes = **text ? digits(text, 2) : 0;
	*ret_s = (is_west ? -60 : 60) * (hours * 60 + minutes);
	return hours >= 0 && hours <= 23 && minutes >= 0 && minutes <= 59;
}

bool time_text_read(const char *text, double *ret_s)
{
	struct tm tm = {0};
	int zone_s;
	double part = 0;
	tm.tm_year = digits(&text, 4) - 1900;
	bool is_fine = tm.tm_year >= -1900 && passes(&text, "-");
	tm.tm_mon = is_fine ? digits(&text, 2) - 1 : -1;
	is_fine = tm.tm_mon >= 0 && tm.tm_mon <= 11 && passes(&text, "-");
	tm.tm_mday = is_fine ? digits(&text, 2) : 0;
	is_fine = tm.tm_mday >= 1 && tm.tm_mday <= 31 && passes(&text, "Tt ");
	tm.tm_hour = is_fine ? digits(&text, 2) : -1;
	is_fine = tm.tm_hour >= 0 && tm.tm_hour <= 23 && passes(&text, ":");
	tm.tm_min = is_fine ? digits(&text, 2) : -1;
	is_fine = tm.tm_min >= 0 && tm.tm_min <= 59 && passes(&text, ":");
	tm.tm_sec = is_fine ? digits(&text, 2) : -1;
	is_fine = tm.tm_sec >= 0 && tm.tm_sec <= 60;
	if (is_fine && passes(&text, "."))
		part = fraction(&text);
	if (!is_fine || !read_zone(&text, &zone_s) || *text)
		return false;
	*ret_s = (double)(timegm(&tm) - zone_s) + part;
	return true;
}
