#include "config/config_diff.h"

#include "base/buf.h"
#include "base/mem.h"
#include "config/setting.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Files that nobody watches; the credentials' files are read again when they change. */
static bool names_a_file(const char *name)
{
	return !strcmp(name, "apns_ca_file") || !strcmp(name, "proxy_password_file");
}

static void print_file(const char *path, FILE *to)
{
	struct stat status;
	if (*path && !stat(path, &status))
		fprintf(to, "%llu %llu %lld %lld.%09ld", (unsigned long long)status.st_dev,
			(unsigned long long)status.st_ino, (long long)status.st_size,
			(long long)status.st_mtim.tv_sec, (long)status.st_mtim.tv_nsec);
}

char *config_diff_record(cfg_t *cfg, const char *except)
{
	char *record = NULL;
	size_t size;
	FILE *file = open_memstream(&record, &size);
	for (cfg_opt_t *opt = cfg->opts; opt->name; opt++) {
		if (!strcmp(opt->name, except))
			continue;
		fprintf(file, "%s\n", opt->name);
		/* A list that is given empty is not one that is not given. */
		fputs(opt->flags & CFGF_MODIFIED ? "given\n" : "not given\n", file);
		cfg_opt_print(opt, file);
		if (names_a_file(opt->name))
			print_file(cfg_opt_getstr(opt), file);
		fputc('\0', file);
	}
	fclose(file);
	return record;
}

/* The keys that a reload brings into force, and sections; all others wait for a restart. */
static const char *const at_once[] = {
	"include",
	"imapd_conf",
	"allowed_users",
	"max_waiting",
	"forward_events",
	"xaps_clients",
	"dovecot_users",
	"dovecot_system_users",
	"registration_ttl",
	"registrations_per_user",
	"deleted_user_grace",
	"shared_mailboxes",
	"subtopics",
	"urgent_events",
	"deferred_events",
	"min_interval",
	"deferred_delay",
	"max_push_rate",
	"apns_host",
	"apns_port",
	"apns_ca_file",
	"apns_check_interval",
	"connections",
	"priority",
	"proxy",
	"proxy_password_file",
	"control_users",
	"http_listen",
	"status_page_names",
	"page_login",
	"log_level",
	"alarm_command",
	"alarm_mail",
	"alarm_mail_server",
	"credential",
	"group",
	"user_settings",
};

#define AT_ONCE (sizeof(at_once) / sizeof(at_once[0]))

static bool is_key(const char *name, size_t size, const char *key)
{
	return size == strlen(key) && !memcmp(name, key, size);
}

static bool is_taken_at_once(const char *name, size_t size)
{
	for (size_t i = 0; i < AT_ONCE; i++)
		if (is_key(name, size, at_once[i]))
			return true;
	return false;
}

bool config_diff_waits(const char *key)
{
	return !is_taken_at_once(key, strcspn(key, " "));
}

char *config_diff_that_wait(const char *before, const char *after)
{
	buf_auto struct buf names;
	buf_init(&names);
	while (*before) {
		size_t size = strcspn(before, "\n");
		if (strcmp(before, after) != 0 && !is_taken_at_once(before, size)) {
			buf_append_text(&names, names.used ? ", " : "");
			buf_append(&names, before, size);
		}
		before += strlen(before) + 1;
		after += strlen(after) + 1;
	}
	return names.used ? mem_dup(buf_text(&names)) : NULL;
}

bool config_diff_concerns(const char *before, const char *after, const char *const *keys)
{
	bool is_changed = false;
	while (*before && !is_changed) {
		size_t size = strcspn(before, "\n");
		for (const char *const *key = keys; *key; key++)
			is_changed |= is_key(before, size, *key) && strcmp(before, after) != 0;
		before += strlen(before) + 1;
		after += strlen(after) + 1;
	}
	return is_changed;
}

/* The record of what is in force: keys that wait are as they were. */
static char *merge(const char *before, const char *after)
{
	struct buf merged;
	buf_init(&merged);
	while (*before) {
		const char *one = is_taken_at_once(before, strcspn(before, "\n")) ? after : before;
		buf_append(&merged, one, strlen(one) + 1);
		before += strlen(before) + 1;
		after += strlen(after) + 1;
	}
	buf_append(&merged, "", 1);
	return (char *)merged.data;
}

void config_diff_swap_shown(const struct config *one, const struct config *other, const char *key)
{
	struct config_setting *of_one = setting_find(one, key);
	struct config_setting *of_other = setting_find(other, key);
	if (!of_one || !of_other)
		return;
	struct config_setting swapped = *of_one;
	*of_one = *of_other;
	*of_other = swapped;
}

/* For people: what waits stands there as it is in force. */
static void keep_shown(const struct config *config, const struct config *fresh)
{
	for (unsigned i = 0; i < fresh->setting_count; i++)
		if (config_diff_waits(fresh->settings[i].key))
			config_diff_swap_shown(config, fresh, fresh->settings[i].key);
}

#define SWAP(member)                                                      \
	do {                                                              \
		__typeof__(config->member) swapped;                       \
		memcpy(&swapped, &config->member, sizeof(swapped));       \
		memcpy(&config->member, &fresh->member, sizeof(swapped)); \
		memcpy(&fresh->member, &swapped, sizeof(swapped));        \
	} while (0)

void config_diff_take(struct config *config, struct config *fresh)
{
	char *written = merge(config->written, fresh->written);
	free(config->written);
	config->written = written;
	keep_shown(config, fresh);
	SWAP(settings);
	SWAP(setting_count);
	SWAP(include);
	SWAP(included);
	SWAP(included_count);
	SWAP(imapd_conf);
	SWAP(peers);
	SWAP(max_waiting);
	SWAP(forward_events);
	SWAP(xaps_clients);
	SWAP(xaps_client_count);
	SWAP(dovecot_peers);
	SWAP(dovecot_system_users);
	SWAP(registration_ttl_ms);
	SWAP(registrations_per_user);
	SWAP(deleted_user_grace_ms);
	SWAP(shared_mailboxes);
	SWAP(subtopics);
	SWAP(subtopic_count);
	SWAP(policy);
	SWAP(min_interval_ms);
	SWAP(deferred_delay_ms);
	SWAP(max_push_rate);
	SWAP(apns_host);
	SWAP(apns_port);
	SWAP(apns_ca_file);
	SWAP(apns_check_interval_ms);
	SWAP(connections);
	SWAP(priority);
	SWAP(proxy_host);
	SWAP(proxy_port);
	SWAP(proxy_login);
	SWAP(control_peers);
	SWAP(http_listen);
	SWAP(status_page_names);
	SWAP(page_login);
	SWAP(log_level);
	SWAP(alarm_command);
	SWAP(alarm_mail);
	SWAP(alarm_mail_host);
	SWAP(alarm_mail_port);
	SWAP(credentials);
	SWAP(credential_count);
	SWAP(domains);
	SWAP(domain_count);
	groups_take_members(fresh->groups, config->groups);
	SWAP(groups);
	SWAP(users);
}
