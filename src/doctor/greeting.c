#include "doctor/greeting.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 5

static bool take_number(const char **at, unsigned *ret)
{
	size_t size = strspn(*at, "0123456789");
	if (!size || size > DIGITS_MAX)
		return false;
	*ret = (unsigned)strtoul(*at, NULL, 10);
	*at += size;
	return true;
}

static bool take_dot(const char **at)
{
	return *(*at)++ == '.';
}

void greeting_parse(const char *text, struct greeting *ret)
{
	static const char product[] = "Cyrus IMAP ";
	static const char update[] = "+deb";
	struct greeting greeting = {.offers_push = strstr(text, "XAPPLEPUSHSERVICE") != NULL};
	*ret = greeting;
	const char *at = strstr(text, product);
	if (!at)
		return;
	at += strlen(product);
	if (!take_number(&at, &greeting.major) || !take_dot(&at) ||
		!take_number(&at, &greeting.minor) || !take_dot(&at) ||
		!take_number(&at, &greeting.patch))
		return;
	greeting.has_version = true;
	greeting.is_packaged = strstr(at, "Debian") != NULL;
	at = strstr(at, update);
	unsigned release, number;
	if (at && (at += strlen(update), take_number(&at, &release)) && *at++ == 'u' &&
		take_number(&at, &number)) {
		greeting.debian = release;
		greeting.update = number;
	}
	*ret = greeting;
}

static bool has_mended_version(const struct greeting *greeting)
{
	static const struct {
		unsigned minor;
		unsigned first;
	} branches[] = {{8, 7}, {10, 3}, {12, 3}, {13, 7}};
	for (size_t i = 0; i < sizeof(branches) / sizeof(branches[0]); i++)
		if (greeting->major == 3 && greeting->minor == branches[i].minor)
			return greeting->patch >= branches[i].first;
	return greeting->major > 3 || (greeting->major == 3 && greeting->minor > 13);
}

/* Debian fixes it without a new version: 3.6.1-4+deb12u5, 3.10.2-1+deb13u2. */
static bool has_mended_update(const struct greeting *greeting)
{
	static const struct {
		unsigned debian;
		unsigned first;
	} updates[] = {{12, 5}, {13, 2}};
	for (size_t i = 0; i < sizeof(updates) / sizeof(updates[0]); i++)
		if (greeting->debian == updates[i].debian)
			return greeting->update >= updates[i].first;
	return false;
}

enum greeting_hole greeting_hole(const struct greeting *greeting)
{
	if (!greeting->has_version)
		return GREETING_UNKNOWN;
	if (has_mended_version(greeting) || has_mended_update(greeting))
		return GREETING_CLOSED;
	return greeting->is_packaged && !greeting->debian ? GREETING_UNKNOWN : GREETING_OPEN;
}
