/*
 * settings_info - the plugin's settings, as Dovecot 2.4 wants them described.
 *
 * They are needed twice: by the plugins, and by doveconf, which finds them in the module
 * libmailpush_settings.  Dovecot 2.3 knows no description: its settings stand in plugin {}, and
 * only the defaults here count.
 */
#ifndef MAILPUSH_DOVECOT_SETTINGS_INFO_H
#define MAILPUSH_DOVECOT_SETTINGS_INFO_H

#include <config.h>
#include <lib.h>

#include <settings-parser.h>

/* The values of settings that are not given; KEEP_PROGRAM is where that is installed. */
#define SETTINGS_INFO_SOCKET "/run/mailpush/dovecot"
#define SETTINGS_INFO_SPOOL "/var/spool/mailpush"
#define SETTINGS_INFO_KEEP KEEP_PROGRAM

struct settings_info_values {
	pool_t pool;
	const char *mailpush_socket;
	const char *mailpush_spool;
	const char *mailpush_keep;
	bool mailpush_require_tls;
};

extern const struct setting_parser_info settings_info;

/* What doveconf looks for in that module. */
extern const char *mailpush_settings_version;
extern const struct setting_parser_info *mailpush_settings_set_infos[];

#endif
