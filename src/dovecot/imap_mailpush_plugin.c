/*
 * lib26_imap_mailpush_plugin - in imap: phones register for pushes.
 *
 * Dovecot finds a plugin's entry points by its name: imap_mailpush_plugin_*.
 */
#include "dovecot/imap_mailpush_plugin.h"

#include "dovecot/push_command.h"
#include "dovecot/session.h"

const char *imap_mailpush_plugin_version = DOVECOT_ABI_VERSION;
const char *imap_mailpush_plugin_dependencies[] = {NULL};
const char imap_mailpush_plugin_binary_dependency[] = "imap";

static imap_client_created_func_t *next_hook;

/* Does nothing where the capabilities are set by hand. */
static void on_client(struct client **client)
{
	if (push_command_is_offered(*client))
		client_add_capability(*client, PUSH_COMMAND);
	if (next_hook)
		next_hook(client);
}

void imap_mailpush_plugin_init(struct module *module)
{
	session_init(module, NULL);
	command_register(PUSH_COMMAND, push_command, IMAP_API_ENDS_BEFORE_LOGOUT);
	next_hook = imap_client_created_hook_set(on_client);
}

void imap_mailpush_plugin_deinit(void)
{
	imap_client_created_hook_set(next_hook);
	command_unregister(PUSH_COMMAND);
	session_deinit();
}
