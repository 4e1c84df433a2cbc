/*
 * imap_mailpush_plugin - the entry points by which Dovecot loads the plugin for imap.
 */
#ifndef MAILPUSH_DOVECOT_IMAP_MAILPUSH_PLUGIN_H
#define MAILPUSH_DOVECOT_IMAP_MAILPUSH_PLUGIN_H

struct module;

extern const char *imap_mailpush_plugin_version;
extern const char *imap_mailpush_plugin_dependencies[];
extern const char imap_mailpush_plugin_binary_dependency[];

void imap_mailpush_plugin_init(struct module *module);
void imap_mailpush_plugin_deinit(void);

#endif
