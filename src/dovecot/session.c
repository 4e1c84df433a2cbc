#include "dovecot/session.h"

#include <mail-storage-hooks.h>

static MODULE_CONTEXT_DEFINE_INIT(user_module, &mail_user_module_register);

static void (*at_end)(struct session *session);

struct session *session_of(struct mail_user *user)
{
	return MODULE_CONTEXT(user, user_module);
}

static void on_deinit(struct mail_user *user)
{
	struct session *session = session_of(user);
	if (at_end)
		at_end(session);
	session->module_ctx.super.deinit_pre(user);
}

static void on_user(struct mail_user *user)
{
	struct session *session = p_new(user->pool, struct session, 1);
	if (user->autocreated || !api_settings_read(user, &session->settings))
		return;
	session->way = (struct delivery){
		.socket = session->settings.socket,
		.spool = session->settings.spool,
		.keep = session->settings.keep,
	};
	struct mail_user_vfuncs *v = user->vlast;
	session->module_ctx.super = *v;
	user->vlast = &session->module_ctx.super;
	v->deinit_pre = on_deinit;
	MODULE_CONTEXT_SET(user, user_module, session);
}

static struct mail_storage_hooks hooks = {.mail_user_created = on_user};

void session_init(struct module *module, void (*end)(struct session *session))
{
	at_end = end;
	mail_storage_hooks_add(module, &hooks);
}

void session_deinit(void)
{
	mail_storage_hooks_remove(&hooks);
}
