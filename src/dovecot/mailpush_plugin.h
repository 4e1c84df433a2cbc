/*
 * mailpush_plugin - the entry points by which Dovecot loads the plugin for all mail processes.
 */
#ifndef MAILPUSH_DOVECOT_MAILPUSH_PLUGIN_H
#define MAILPUSH_DOVECOT_MAILPUSH_PLUGIN_H

struct module;

extern const char *mailpush_plugin_version;
extern const char *mailpush_plugin_dependencies[];

void mailpush_plugin_init(struct module *module);
void mailpush_plugin_deinit(void);

#endif
