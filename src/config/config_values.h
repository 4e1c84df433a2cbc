/*
 * config_values - the kinds of values in mailpush.conf: checks a value and stores it.
 *
 * The lists of events and the sections are in config_file.c.
 */
#ifndef MAILPUSH_CONFIG_CONFIG_VALUES_H
#define MAILPUSH_CONFIG_CONFIG_VALUES_H

#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_TAKE_WHY_SIZE ERR_TEXT_MAX

struct key;

/* Stores one value; false: `why` says what is wrong and what to write instead. */
typedef bool config_take_fn(
	struct config *config, const struct key *key, const char *value, char *why);

/*
 * A row for each key.  libconfuse does the syntax and gives every value as a string; its meaning,
 * bounds and default are here.
 */
struct key {
	const char *name;
	const char *fallback; /* the default, as it would be written; for lists in { } */
	bool is_list;
	config_take_fn *take;
	size_t offset;
	int64_t least;
	int64_t most;
};

void *config_take_place(struct config *config, const struct key *key);

config_take_fn config_take_duration;
config_take_fn config_take_size;
config_take_fn config_take_unsigned;
config_take_fn config_take_max_waiting;
config_take_fn config_take_port;
config_take_fn config_take_priority;
config_take_fn config_take_proxy;
config_take_fn config_take_page_login;
config_take_fn config_take_address;
config_take_fn config_take_mail_server;
config_take_fn config_take_yes_no;
config_take_fn config_take_text;
config_take_fn config_take_path;
config_take_fn config_take_forward_socket;
config_take_fn config_take_host;
config_take_fn config_take_registry;
config_take_fn config_take_site;
config_take_fn config_take_dovecot_site;
config_take_fn config_take_mode;
config_take_fn config_take_group;
config_take_fn config_take_listen;
config_take_fn config_take_allowed_user;
config_take_fn config_take_client;
config_take_fn config_take_dovecot_user;
config_take_fn config_take_subtopic;
config_take_fn config_take_log_level;
config_take_fn config_take_log_target;
config_take_fn config_take_user;

#endif
