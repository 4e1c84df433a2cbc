#include "dovecot/settings_info.h"

#define DEFINE(TYPE, name) SETTING_DEFINE_STRUCT_##TYPE(#name, name, struct settings_info_values)

static const struct setting_define defines[] = {
	DEFINE(STR, mailpush_socket),
	DEFINE(STR, mailpush_spool),
	DEFINE(STR, mailpush_keep),
	DEFINE(BOOL, mailpush_require_tls),
	SETTING_DEFINE_LIST_END,
};

static const struct settings_info_values defaults = {
	.mailpush_socket = SETTINGS_INFO_SOCKET,
	.mailpush_spool = SETTINGS_INFO_SPOOL,
	.mailpush_keep = SETTINGS_INFO_KEEP,
	.mailpush_require_tls = false,
};

const struct setting_parser_info settings_info = {
	.name = "mailpush",
	.plugin_dependency = "lib25_mailpush_plugin",
	.defines = defines,
	.defaults = &defaults,
	.struct_size = sizeof(struct settings_info_values),
	.pool_offset1 = 1 + offsetof(struct settings_info_values, pool),
};

const char *mailpush_settings_version = DOVECOT_ABI_VERSION;
const struct setting_parser_info *mailpush_settings_set_infos[] = {&settings_info, NULL};
