/*
 * proxy_setting - what the keys `proxy` and `proxy_password_file` of mailpush.conf mean.
 *
 * False: `why` says what is wrong and what to write instead, and `ret` is untouched.  Else the
 * caller frees it.
 */
#ifndef MAILPUSH_CONFIG_PROXY_SETTING_H
#define MAILPUSH_CONFIG_PROXY_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "host:port", "[address]:port", either perhaps with http:// before it. */
bool proxy_setting_parse(
	const char *value, char **ret_host, uint16_t *ret_port, char *why, size_t why_size);

/* The first line of the file, "user:password". */
bool proxy_setting_read_login(const char *path, char **ret, char *why, size_t why_size);

#endif
