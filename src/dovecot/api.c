#include "dovecot/api.h"

#include "dovecot/settings_info.h"

#if DOVECOT_PREREQ(2, 4, 0)

#include <settings.h>

bool api_settings_read(struct mail_user *user, struct api_settings *ret)
{
	const struct settings_info_values *values;
	const char *error;
	if (settings_get(user->event, &settings_info, 0, &values, &error) < 0) {
		e_error(user->event, "mailpush: %s", error);
		return false;
	}
	*ret = (struct api_settings){
		.socket = p_strdup(user->pool, values->mailpush_socket),
		.spool = p_strdup(user->pool, values->mailpush_spool),
		.keep = p_strdup(user->pool, values->mailpush_keep),
		.require_tls = values->mailpush_require_tls,
	};
	settings_free(values);
	return true;
}

bool api_has_tls(const struct mail_user *user)
{
	return user->conn.end_client_tls_secured;
}

void api_unregister(struct notify_context **context)
{
	notify_unregister(context);
}

#else

static const char *setting(struct mail_user *user, const char *name, const char *fallback)
{
	const char *value = mail_user_plugin_getenv(user, name);
	return value && *value ? value : fallback;
}

bool api_settings_read(struct mail_user *user, struct api_settings *ret)
{
	*ret = (struct api_settings){
		.socket = setting(user, "mailpush_socket", SETTINGS_INFO_SOCKET),
		.spool = setting(user, "mailpush_spool", SETTINGS_INFO_SPOOL),
		.keep = setting(user, "mailpush_keep", SETTINGS_INFO_KEEP),
		.require_tls = mail_user_plugin_getenv_bool(user, "mailpush_require_tls"),
	};
	return true;
}

bool api_has_tls(const struct mail_user *user)
{
	return user->conn.ssl_secured;
}

void api_unregister(struct notify_context **context)
{
	notify_unregister(*context);
	*context = NULL;
}

#endif
