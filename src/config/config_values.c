#include "config/config_values.h"

#include "alert/mail_text.h"
#include "base/mem.h"
#include "base/units.h"
#include "config/accounts.h"
#include "config/listen.h"
#include "config/notify_socket.h"
#include "config/proxy_setting.h"
#include "database/database.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

void *config_take_place(struct config *config, const struct key *key)
{
	return (char *)config + key->offset;
}

bool config_take_duration(
	struct config *config, const struct key *key, const char *value, char *why)
{
	int64_t ms;
	if (!units_parse_duration(value, &ms)) {
		snprintf(why, CONFIG_TAKE_WHY_SIZE,
			"is not a duration; write a number with its unit (ms, s, min, h or d), "
			"such as "
			"\"%s\"",
			key->fallback);
		return false;
	}
	if (ms < key->least || ms > key->most) {
		char least[32];
		char most[32];
		units_print_duration(key->least, least, sizeof(least));
		units_print_duration(key->most, most, sizeof(most));
		snprintf(why, CONFIG_TAKE_WHY_SIZE, "is out of range; it must be from %s to %s",
			least, most);
		return false;
	}
	*(int64_t *)config_take_place(config, key) = ms;
	return true;
}

bool config_take_size(struct config *config, const struct key *key, const char *value, char *why)
{
	int64_t bytes;
	if (!units_parse_size(value, &bytes)) {
		snprintf(why, CONFIG_TAKE_WHY_SIZE,
			"is not a size; write a number with its unit (KiB, MiB or GiB), such as "
			"\"%s\"",
			key->fallback);
		return false;
	}
	if (bytes < key->least || bytes > key->most) {
		char least[32];
		char most[32];
		units_print_size(key->least, least, sizeof(least));
		units_print_size(key->most, most, sizeof(most));
		snprintf(why, CONFIG_TAKE_WHY_SIZE, "is out of range; it must be from %s to %s",
			least, most);
		return false;
	}
	*(int64_t *)config_take_place(config, key) = bytes;
	return true;
}

static bool check_number(const struct key *key, const char *value, int64_t *ret, char *why)
{
	if (!units_parse_number(value, ret)) {
		snprintf(why, CONFIG_TAKE_WHY_SIZE,
			"is not a number from %lld to %lld; the default is %s",
			(long long)key->least, (long long)key->most, key->fallback);
		return false;
	}
	if (*ret < key->least || *ret > key->most) {
		snprintf(why, CONFIG_TAKE_WHY_SIZE, "is out of range; it must be from %lld to %lld",
			(long long)key->least, (long long)key->most);
		return false;
	}
	return true;
}

bool config_take_unsigned(
	struct config *config, const struct key *key, const char *value, char *why)
{
	int64_t number;
	if (!check_number(key, value, &number, why))
		return false;
	*(unsigned *)config_take_place(config, key) = (unsigned)number;
	return true;
}

bool config_take_max_waiting(
	struct config *config, const struct key *key, const char *value, char *why)
{
	int64_t number;
	if (!check_number(key, value, &number, why))
		return false;
	config->max_waiting = (uint64_t)number;
	return true;
}

bool config_take_port(struct config *config, const struct key *key, const char *value, char *why)
{
	int64_t number;
	if (!check_number(key, value, &number, why))
		return false;
	config->apns_port = (uint16_t)number;
	return true;
}

bool config_take_priority(
	struct config *config, const struct key *key, const char *value, char *why)
{
	(void)key;
	static const char *const values[] = {"none", "1", "5", "10"};
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (!strcmp(value, values[i])) {
			config->priority = i ? atoi(value) : 0;
			return true;
		}
	}
	snprintf(why, CONFIG_TAKE_WHY_SIZE,
		"is not an apns-priority; write none (the header is left out), 1, 5 or 10");
	return false;
}

bool config_take_proxy(struct config *config, const struct key *key, const char *value, char *why)
{
	if (!*value)
		return true;
	if (strcmp(key->name, "proxy") != 0)
		return proxy_setting_read_login(
			value, &config->proxy_login, why, CONFIG_TAKE_WHY_SIZE);
	return proxy_setting_parse(
		value, &config->proxy_host, &config->proxy_port, why, CONFIG_TAKE_WHY_SIZE);
}

bool config_take_page_login(
	struct config *config, const struct key *key, const char *value, char *why)
{
	(void)key;
	return logins_of(value, &config->page_login, why, CONFIG_TAKE_WHY_SIZE);
}

bool config_take_address(struct config *config, const struct key *key, const char *value, char *why)
{
	if (!*value || mail_text_is_address(value))
		return config_take_text(config, key, value, why);
	snprintf(why, CONFIG_TAKE_WHY_SIZE,
		"is not an address; write one, such as \"postmaster@example.com\"");
	return false;
}

bool config_take_mail_server(
	struct config *config, const struct key *key, const char *value, char *why)
{
	if (proxy_setting_parse(value, &config->alarm_mail_host, &config->alarm_mail_port, why,
		    CONFIG_TAKE_WHY_SIZE))
		return true;
	snprintf(why, CONFIG_TAKE_WHY_SIZE,
		"is not a mail server; write its host and port, such as \"%s\"", key->fallback);
	return false;
}

bool config_take_yes_no(struct config *config, const struct key *key, const char *value, char *why)
{
	bool *at = config_take_place(config, key);
	if (!strcmp(value, "yes") || !strcmp(value, "no")) {
		*at = *value == 'y';
		return true;
	}
	snprintf(why, CONFIG_TAKE_WHY_SIZE, "is neither yes nor no");
	return false;
}

bool config_take_text(struct config *config, const struct key *key, const char *value, char *why)
{
	char **at = config_take_place(config, key);
	if (strlen(value) > (size_t)key->most) {
		snprintf(why, CONFIG_TAKE_WHY_SIZE,
			"is too long; at most %lld characters are allowed", (long long)key->most);
		return false;
	}
	free(*at);
	*at = mem_dup(value);
	return true;
}

/* A path: absolute, so that it means the same wherever the daemon is started. */
bool config_take_path(struct config *config, const struct key *key, const char *value, char *why)
{
	if (!*value && key->least) {
		snprintf(why, CONFIG_TAKE_WHY_SIZE, "is empty; write the path of a file");
		return false;
	}
	if (*value && *value != '/') {
		snprintf(why, CONFIG_TAKE_WHY_SIZE,
			"is not an absolute path; write it with a leading /");
		return false;
	}
	return config_take_text(config, key, value, why);
}

bool config_take_forward_socket(
	struct config *config, const struct key *key, const char *value, char *why)
{
	bool is_dlist;
	const char *path = notify_socket_path(value, &is_dlist);
	if (!path || (*path == '/' && strlen(path) <= (size_t)key->most)) {
		free(config->forward_socket);
		config->forward_socket = mem_dup(value);
		return true;
	}
	snprintf(why, CONFIG_TAKE_WHY_SIZE,
		"is not a socket; write the absolute path, of at most %lld characters, of one that "
		"takes datagrams, or \"dlist:\" and the path of one that speaks dlist",
		(long long)key->most);
	return false;
}

bool config_take_host(struct config *config, const struct key *key, const char *value, char *why)
{
	struct in6_addr address;
	size_t plain = strspn(value, LETTERS_AND_DIGITS ".-");
	if (value[plain] && inet_pton(AF_INET6, value, &address) != 1) {
		snprintf(why, CONFIG_TAKE_WHY_SIZE,
			"is not a name or address of a host; the port is apns_port");
		return false;
	}
	if (!*value) {
		snprintf(why, CONFIG_TAKE_WHY_SIZE, "is not a host; Apple's is %s", key->fallback);
		return false;
	}
	return config_take_text(config, key, value, why);
}

bool config_take_registry(
	struct config *config, const struct key *key, const char *value, char *why)
{
	struct err err;
	if (database_check(value, &err)) {
		snprintf(why, CONFIG_TAKE_WHY_SIZE, "%s", err.text);
		return false;
	}
	return config_take_text(config, key, value, why);
}

bool config_take_site(struct config *config, const struct key *key, const char *value, char *why)
{
	for (const char *c = value; *c; c++) {
		if (!isalnum((unsigned char)*c) && !strchr(".-_", *c)) {
			snprintf(why, CONFIG_TAKE_WHY_SIZE,
				"is not a name of a site; use letters, digits, dot, dash and "
				"underscore");
			return false;
		}
	}
	return config_take_text(config, key, value, why);
}

/* It becomes part of users' names. */
bool config_take_dovecot_site(
	struct config *config, const struct key *key, const char *value, char *why)
{
	for (const char *c = value; *c; c++) {
		if (isupper((unsigned char)*c)) {
			snprintf(why, CONFIG_TAKE_WHY_SIZE,
				"has a capital letter; write it in lower case, as users are");
			return false;
		}
	}
	return config_take_site(config, key, value, why);
}

bool config_take_mode(struct config *config, const struct key *key, const char *value, char *why)
{
	char *end;
	unsigned long mode = strtoul(value, &end, 8);
	if (end == value || *end || mode > 0777) {
		snprintf(why, CONFIG_TAKE_WHY_SIZE,
			"is not a mode of a file; write it in octal, such as %s", key->fallback);
		return false;
	}
	*(mode_t *)config_take_place(config, key) = (mode_t)mode;
	return true;
}

bool config_take_group(struct config *config, const struct key *key, const char *value, char *why)
{
	gid_t *at = config_take_place(config, key);
	if (!*value) {
		*at = (gid_t)-1;
		return true;
	}
	if (!accounts_find_group(value, at)) {
		snprintf(why, CONFIG_TAKE_WHY_SIZE,
			"is not a group of this system; name one, such as the group that Cyrus "
			"runs "
			"in, or \"\" for the daemon's own");
		return false;
	}
	return true;
}

bool config_take_listen(struct config *config, const struct key *key, const char *value, char *why)
{
	if (listen_parse(value, config_take_place(config, key)))
		return true;
	snprintf(why, CONFIG_TAKE_WHY_SIZE,
		"is not a numeric address with a port; write such as \"127.0.0.1:9105\" or "
		"\"[::1]:9105\"");
	return false;
}

bool config_take_allowed_user(
	struct config *config, const struct key *key, const char *value, char *why)
{
	struct peer_rules *peers = config_take_place(config, key);
	uid_t uid;
	if (!accounts_find_user(value, &uid)) {
		/* The default names cyrus, who need not exist. */
		if (!strcmp(value, "cyrus"))
			return true;
		snprintf(why, CONFIG_TAKE_WHY_SIZE,
			"is not a user of this system; write the name or the number of one that "
			"is");
		return false;
	}
	/* Root is there already, and the daemon's own is still to come. */
	if (peers->count == PEER_UIDS_MAX - 1) {
		snprintf(why, CONFIG_TAKE_WHY_SIZE,
			"is one too many; at most %d users can be allowed", PEER_UIDS_MAX - 2);
		return false;
	}
	peer_allow(peers, uid);
	return true;
}

/* The default names those whom Dovecot's packages and manuals name, who need not exist. */
bool config_take_dovecot_user(
	struct config *config, const struct key *key, const char *value, char *why)
{
	uid_t uid;
	bool is_usual = !strcmp(value, "vmail") || !strcmp(value, "dovecot");
	return (is_usual && !accounts_find_user(value, &uid)) ||
		config_take_allowed_user(config, key, value, why);
}

bool config_take_subtopic(
	struct config *config, const struct key *key, const char *value, char *why)
{
	(void)key;
	if (!*value || strlen(value) > 255) {
		snprintf(why, CONFIG_TAKE_WHY_SIZE,
			"is not a subtopic; the one of Mail is com.apple.mobilemail");
		return false;
	}
	if (config->subtopic_count == CONFIG_SUBTOPICS_MAX) {
		snprintf(why, CONFIG_TAKE_WHY_SIZE,
			"is one too many; at most %d subtopics can be allowed",
			CONFIG_SUBTOPICS_MAX);
		return false;
	}
	config->subtopics[config->subtopic_count++] = mem_dup(value);
	return true;
}

bool config_take_client(struct config *config, const struct key *key, const char *value, char *why)
{
	(void)key;
	if (config->xaps_client_count == CONFIG_CLIENTS_MAX) {
		snprintf(why, CONFIG_TAKE_WHY_SIZE, "is one too many; at most %d can be allowed",
			CONFIG_CLIENTS_MAX);
		return false;
	}
	if (network_parse(value, &config->xaps_clients[config->xaps_client_count])) {
		config->xaps_client_count++;
		return true;
	}
	snprintf(why, CONFIG_TAKE_WHY_SIZE,
		"is not a numeric address or network; write such as \"192.0.2.7\" or "
		"\"10.1.0.0/16\"");
	return false;
}

bool config_take_log_level(
	struct config *config, const struct key *key, const char *value, char *why)
{
	(void)key;
	int level = log_level_parse(value);
	if (level < 0) {
		snprintf(why, CONFIG_TAKE_WHY_SIZE,
			"is not a log level; write error, warn, info or debug");
		return false;
	}
	config->log_level = (enum log_level)level;
	return true;
}

bool config_take_log_target(
	struct config *config, const struct key *key, const char *value, char *why)
{
	(void)key;
	static const char *const names[] = {"auto", "stderr", "journal", "syslog"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(value, names[i])) {
			config->log_target = (enum log_target)i;
			return true;
		}
	}
	snprintf(why, CONFIG_TAKE_WHY_SIZE,
		"is not a log target; write auto, stderr, journal or syslog");
	return false;
}

bool config_take_user(struct config *config, const struct key *key, const char *value, char *why)
{
	if (*value && !accounts_find_account(value)) {
		snprintf(why, CONFIG_TAKE_WHY_SIZE,
			"is not a user of this system; write the name or the number of one that "
			"is");
		return false;
	}
	return config_take_text(config, key, value, why);
}
