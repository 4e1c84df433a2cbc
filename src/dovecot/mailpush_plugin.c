/*
 * lib25_mailpush_plugin - in each mail process of Dovecot: what happens to mailboxes goes to
 * mailpushd.  Dovecot finds a plugin's entry points by its name: mailpush_plugin_*.
 *
 * The map of the folder, by the way of an event:
 *
 *   mailpush_plugin  all mail processes load it
 *   session          its settings, for each user
 *   changes          what happens to messages and mailboxes
 *   repeats          the same again is sent once a second, with all its flags
 *   place            whose mailbox it is, and its name there
 *   json_text        news, as mailpushd takes it
 *   delivery         gives it to mailpushd, or has it kept
 *   keep             mailpush-dovecot-keep: writes into the spool folder for others
 *
 * and of a registration:
 *
 *   imap_mailpush_plugin  imap loads it: the capability
 *   push_command     XAPPLEPUSHSERVICE: looks for the mailboxes, registers, confirms
 *   registration     its arguments, read and checked
 *   question         asks mailpushd while imap goes on
 *
 * What differs between Dovecot's releases:
 *
 *   api              settings, TLS, the notify plugin
 *   imap_api         the same for imap
 *   settings_info    the settings described, for 2.4 and its doveconf
 */
#include "dovecot/mailpush_plugin.h"
#include "dovecot/changes.h"
#include "dovecot/session.h"

const char *mailpush_plugin_version = DOVECOT_ABI_VERSION;
const char *mailpush_plugin_dependencies[] = {"notify", NULL};

static struct notify_context *listening;

void mailpush_plugin_init(struct module *module)
{
	session_init(module, changes_end);
	listening = notify_register(&changes_listener);
}

void mailpush_plugin_deinit(void)
{
	api_unregister(&listening);
	session_deinit();
}
