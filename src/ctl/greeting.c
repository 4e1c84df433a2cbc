#include "ctl/greeting.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define DEBIAN_CLOSED 5 /* 3.6.1-4+deb12u5 */

void greeting_parse(const char *text, struct greeting *ret)
{
	*ret = (struct greeting){.offers_push = strstr(text, "XAPPLEPUSHSERVICE") != NULL};
	const char *version = strstr(text, "Cyrus IMAP ");
	if (!version ||
		sscanf(version, "Cyrus IMAP %5u.%5u.%5u", &ret->major, &ret->minor, &ret->patch) !=
			3)
		return;
	ret->has_version = true;
	ret->is_packaged = strstr(version, "Debian") != NULL;
	const char *debian = strstr(version, "+deb12u");
	if (debian && sscanf(debian, "+deb12u%5u", &ret->debian) != 1)
		ret->debian = 0;
}

static bool is_mended(const struct greeting *greeting)
{
	static const struct {
		unsigned minor;
		unsigned first;
	} branches[] = {{8, 7}, {10, 3}, {12, 3}, {13, 7}};
	if (greeting->debian)
		return greeting->debian >= DEBIAN_CLOSED;
	for (size_t i = 0; i < sizeof(branches) / sizeof(branches[0]); i++)
		if (greeting->major == 3 && greeting->minor == branches[i].minor)
			return greeting->patch >= branches[i].first;
	return greeting->major > 3 || (greeting->major == 3 && greeting->minor > 13);
}

enum greeting_hole greeting_hole(const struct greeting *greeting)
{
	if (!greeting->has_version)
		return GREETING_UNKNOWN;
	if (is_mended(greeting))
		return GREETING_CLOSED;
	return greeting->is_packaged && !greeting->debian ? GREETING_UNKNOWN : GREETING_OPEN;
}
