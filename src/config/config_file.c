#include "config/config_file.h"

#include "alert/mail_text.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "config/config_consistency.h"
#include "config/config_credential.h"
#include "config/config_diff.h"
#include "config/config_group.h"
#include "config/config_values.h"
#include "config/conftext.h"
#include "config/setting.h"
#include "event/user_site.h"

#include <arpa/inet.h>
#include <assert.h>
#include <confuse.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LISTED_MAX 64 /* values of one list */
#define SEEN_MAX 512
#define EVENT_NAME_SIZE 32

#define AT(member) offsetof(struct config, member)

/* libconfuse's callbacks have no context argument; one call of config_file_read at a time. */
static struct {
	struct config *config;
	const char *path; /* of the file that is read */
	const char *file; /* the same if it is included; NULL: mailpush.conf itself */
	int include_line; /* of mailpush.conf: where it includes files */
	const char *text;
	/* A key of our own, with a name that nobody can have written, and the value that this file
	 * must give to it.
	 */
	char end_key[32];
	char end[24];
	int code; /* a negative errno, if it has failed */
	struct err *err;
	bool failed;
	char listed[LISTED_MAX][EVENT_NAME_SIZE]; /* events in urgent_events and deferred_events */
	size_t listed_count;
	/* The list that is being read: its callback runs for each value and again at the end. */
	const cfg_opt_t *list;
	unsigned list_size;
	const cfg_opt_t *seen[SEEN_MAX];
	size_t seen_count;
} reading;

/* In urgent_events and deferred_events together, so that none is in both. */
static bool is_listed(const char *value)
{
	for (size_t i = 0; i < reading.listed_count; i++)
		if (!strcmp(reading.listed[i], value))
			return true;
	if (reading.listed_count < LISTED_MAX && strlen(value) < EVENT_NAME_SIZE)
		strcpy(reading.listed[reading.listed_count++], value);
	return false;
}

static bool take_event(
	struct config *config, const char *value, enum relay_action action, char *why)
{
	if (relay_policy_set(&config->policy, value, action)) {
		if (!is_listed(value))
			return true;
		snprintf(why, CONFIG_TAKE_WHY_SIZE,
			"is listed twice; an event is urgent or deferred, not both");
		return false;
	}
	snprintf(why, CONFIG_TAKE_WHY_SIZE,
		"is not an event that can push; mailpush.conf(5) lists those that can, such as "
		"MessageNew "
		"and FlagsClear:Seen");
	return false;
}

static bool take_urgent_events(
	struct config *config, const struct key *key, const char *value, char *why)
{
	(void)key;
	return take_event(config, value, RELAY_URGENT, why);
}

static bool take_deferred_events(
	struct config *config, const struct key *key, const char *value, char *why)
{
	(void)key;
	return take_event(config, value, RELAY_DEFERRED, why);
}

/* Apple may take frequent checks for an attack. */
static bool take_check_interval(
	struct config *config, const struct key *key, const char *value, char *why)
{
	if (!config_take_duration(config, key, value, why))
		return false;
	int64_t ms = config->apns_check_interval_ms;
	if (ms == 0 || ms >= CLOCK_MINUTE_MS)
		return true;
	snprintf(why, CONFIG_TAKE_WHY_SIZE, "must be from 1min to 1d, or 0s to never ask Apple");
	return false;
}

static const struct key keys[] = {
	{"include", "", false, config_take_path, AT(include), 0, PATH_MAX - 1},
	{"imapd_conf", "/etc/imapd.conf", false, config_take_path, AT(imapd_conf), 0, PATH_MAX - 1},
	{"site", "", false, config_take_site, AT(site), 0, 255},
	{"notify_socket", "/run/mailpush/notify", false, config_take_path, AT(notify_socket), 0,
		107},
	{"stream_socket", "/run/mailpush/cyrus", false, config_take_path, AT(stream_socket), 0,
		107},
	{"socket_group", "mail", false, config_take_group, AT(socket_gid), 0, 0},
	{"socket_mode", "0660", false, config_take_mode, AT(socket_mode), 0, 0},
	{"allowed_users", "{cyrus}", true, config_take_allowed_user, AT(peers), 0, 0},
	{"ack_timeout", "2s", false, config_take_duration, AT(ack_timeout_ms), 50, CLOCK_MINUTE_MS},
	{"max_waiting", "1000000", false, config_take_max_waiting, 0, 1000, 100000000},
	{"spool_dir", "/var/spool/mailpush", false, config_take_path, AT(spool_dir), 0, 1024},
	{"forward_socket", "", false, config_take_forward_socket, 0, 0, 107},
	{"forward_events", "no", false, config_take_yes_no, AT(forward_events), 0, 0},
	{"xaps_listen", "", false, config_take_listen, AT(xaps_listen), 0, 0},
	{"xaps_clients", "{}", true, config_take_client, 0, 0, 0},
	{"xaps_socket", "", false, config_take_path, AT(xaps_socket), 0, 107},
	{"xaps_fold_users", "yes", false, config_take_yes_no, AT(xaps_fold_users), 0, 0},
	{"dovecot_socket", "", false, config_take_path, AT(dovecot_socket), 0, 107},
	{"dovecot_site", "", false, config_take_dovecot_site, AT(dovecot_site), 0, USER_SITE_MAX},
	{"dovecot_users", "{vmail, dovecot}", true, config_take_dovecot_user, AT(dovecot_peers), 0,
		0},
	{"dovecot_system_users", "no", false, config_take_yes_no, AT(dovecot_system_users), 0, 0},
	{"registry", "sqlite:/var/lib/mailpush/registry.sqlite", false, config_take_registry,
		AT(registry), 0, PATH_MAX - 1},
	{"registry_password_file", "", false, config_take_path, AT(registry_password_file), 0,
		PATH_MAX - 1},
	{"registry_timeout", "5s", false, config_take_duration, AT(registry_timeout_ms), 100,
		CLOCK_MINUTE_MS},
	{"queue", "/var/lib/mailpush/queue.sqlite", false, config_take_path, AT(queue), 1,
		PATH_MAX - 1},
	{"registration_ttl", "30d", false, config_take_duration, AT(registration_ttl_ms),
		7 * CLOCK_DAY_MS, 3650 * CLOCK_DAY_MS},
	{"registrations_per_user", "64", false, config_take_unsigned, AT(registrations_per_user), 1,
		10000},
	{"deleted_user_grace", "7d", false, config_take_duration, AT(deleted_user_grace_ms), 0,
		365 * CLOCK_DAY_MS},
	{"shared_mailboxes", "yes", false, config_take_yes_no, AT(shared_mailboxes), 0, 0},
	{"subtopics", "{com.apple.mobilemail}", true, config_take_subtopic, 0, 0, 0},
	{"urgent_events", "{}", true, take_urgent_events, 0, 0, 0},
	{"deferred_events", "{}", true, take_deferred_events, 0, 0, 0},
	{"min_interval", "2s", false, config_take_duration, AT(min_interval_ms), 0, CLOCK_HOUR_MS},
	{"deferred_delay", "30s", false, config_take_duration, AT(deferred_delay_ms), 0,
		CLOCK_DAY_MS},
	{"max_push_rate", "2000", false, config_take_unsigned, AT(max_push_rate), 0, 1000000},
	{"apns_host", "api.push.apple.com", false, config_take_host, AT(apns_host), 1, 253},
	{"apns_port", "443", false, config_take_port, 0, 1, 65535},
	{"apns_ca_file", "", false, config_take_path, AT(apns_ca_file), 0, PATH_MAX - 1},
	{"apns_check_interval", "1h", false, take_check_interval, AT(apns_check_interval_ms), 0,
		CLOCK_DAY_MS},
	{"connections", "4", false, config_take_unsigned, AT(connections), 1, 16},
	{"priority", "none", false, config_take_priority, 0, 0, 0},
	{"control_socket", "/run/mailpush/control", false, config_take_path, AT(control_socket), 0,
		107},
	{"control_group", "", false, config_take_group, AT(control_gid), 0, 0},
	{"control_mode", "0660", false, config_take_mode, AT(control_mode), 0, 0},
	{"control_users", "{}", true, config_take_allowed_user, AT(control_peers), 0, 0},
	{"http_listen", "", false, config_take_listen, AT(http_listen), 0, 0},
	{"status_page_names", "no", false, config_take_yes_no, AT(status_page_names), 0, 0},
	{"page_login", "", false, config_take_page_login, 0, 0, 0},
	{"proxy", "", false, config_take_proxy, 0, 0, 0},
	{"proxy_password_file", "", false, config_take_proxy, 0, 0, 0},
	{"trace_keep", "7d", false, config_take_duration, AT(trace_keep_ms), 0, 365 * CLOCK_DAY_MS},
	{"trace_size", "64MiB", false, config_take_size, AT(trace_size), 1048576, 4294967296},
	{"log_level", "info", false, config_take_log_level, 0, 0, 0},
	{"log_target", "auto", false, config_take_log_target, 0, 0, 0},
	{"alarm_command", "", false, config_take_path, AT(alarm_command), 0, PATH_MAX - 1},
	{"alarm_mail", "", false, config_take_address, AT(alarm_mail), 0, MAIL_TEXT_ADDRESS_MAX},
	{"alarm_mail_server", "localhost:25", false, config_take_mail_server, 0, 0, 0},
	{"user", "", false, config_take_user, AT(user), 0, 255},
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

/* Keys of a `credential "name" { }` section, beside the list of its domains. */
static const char *const credential_keys[] = {
	"certificate", "key", "passphrase_file", "topic", "pkcs12", "p8", "key_id", "team_id"};

#define CREDENTIAL_KEYS (sizeof(credential_keys) / sizeof(credential_keys[0]))

static int fail(int line, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Keeps the first error, which is the one to correct first. */
static int fail(int line, const char *format, ...)
{
	if (reading.failed)
		return -1;
	reading.failed = true;
	char text[ERR_TEXT_MAX - 1];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (line > 0)
		err_set(reading.err, -EINVAL, "%s:%d: %s", reading.path, line, text);
	else
		err_set(reading.err, -EINVAL, "%s: %s", reading.path, text);
	return -1;
}

static int fail_at_end(const cfg_t *cfg)
{
	return fail(cfg->line - 1, "the file ends too early: a }, a quote or more is missing");
}

/* What to do about an unknown key; `quoted` is its name in single quotes. */
static const char *remedy_of_unknown(const char *quoted)
{
	size_t size = strlen(quoted);
	if (size > 2 && quoted[size - 2] == ':')
		return "a key is followed by =, other than in imapd.conf";
	for (size_t i = 0; i < CREDENTIAL_KEYS; i++)
		if (size == strlen(credential_keys[i]) + 2 &&
			!strncmp(quoted + 1, credential_keys[i], size - 2))
			return "it belongs into a section: credential \"mail\" { ... }";
	return "mailpush.conf(5) lists all keys";
}

/* "KEY: " of the line that it begins, for messages of libconfuse that do not name it. */
static char *key_at(int line)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	const char *at = reading.text;
	for (int i = 1; i < line && at; i++)
		at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL;
	at = at ? at + strspn(at, " \t") : "";
	int size = (int)strspn(at, name);
	return mem_printf("%.*s%s", size, at, size ? ": " : "");
}

static void on_syntax_error(cfg_t *cfg, const char *format, va_list args)
{
	char text[ERR_TEXT_MAX - 1];
	vsnprintf(text, sizeof(text), format, args);
	static const char unknown[] = "no such option ";
	static const char untitled[] = "missing title for section '";
	static const char second[] = "found duplicate title";
	mem_auto char *key = key_at(cfg->line);
	if (strstr(text, reading.end_key) || !strcmp(text, "premature end of file"))
		fail_at_end(cfg);
	else if (!strncmp(text, unknown, strlen(unknown)))
		fail(cfg->line, "unknown key %s; %s", text + strlen(unknown),
			remedy_of_unknown(text + strlen(unknown)));
	else if (!strncmp(text, untitled, strlen(untitled)))
		fail(cfg->line, "section '%.*s' has no name; write %.*s \"NAME\" { ... }",
			(int)strcspn(text + strlen(untitled), "'"), text + strlen(untitled),
			(int)strcspn(text + strlen(untitled), "'"), text + strlen(untitled));
	else if (!strncmp(text, second, strlen(second)))
		fail(cfg->line, "section%s is given twice; each needs a name of its own",
			text + strlen(second));
	else
		fail(cfg->line,
			"%s%s; a list, where a key takes one, is written { a, b }, and a value "
			"with other than letters, digits, . - _ and / in quotes: see "
			"mailpush.conf(5)",
			key, text);
}

/* A key given twice: the later one would win silently. */
static int check_once(cfg_t *cfg, cfg_opt_t *opt)
{
	for (size_t i = 0; i < reading.seen_count; i++)
		if (reading.seen[i] == opt)
			return fail(
				cfg->line, "%s is given twice; remove one of the two", opt->name);
	if (reading.seen_count < SEEN_MAX)
		reading.seen[reading.seen_count++] = opt;
	return 0;
}

/* A given list replaces the whole default list. */
static int begin_list(cfg_t *cfg, cfg_opt_t *opt, const struct key *key)
{
	if (check_once(cfg, opt))
		return -1;
	if (key->take == take_urgent_events)
		relay_policy_clear(&reading.config->policy, RELAY_URGENT);
	else if (key->take == take_deferred_events)
		relay_policy_clear(&reading.config->policy, RELAY_DEFERRED);
	return 0;
}

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < KEYS; i++)
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

/* Does the value name a file that this user may not read? */
static bool is_out_of_reach(const struct key *key, const char *value)
{
	const char *path = strchr(value, '/');
	bool is_read =
		!strcmp(key->name, "page_login") || !strcmp(key->name, "proxy_password_file");
	return is_read && path && access(path, R_OK) && errno == EACCES;
}

/*
 * The log gets only what cannot be a secret: what follows the last @ of "user:password@host", and
 * the scheme alone if there are parameters, or if a password may stand where a port should.
 */
static int fail_value(cfg_t *cfg, const struct key *key, const char *value, const char *why)
{
	bool is_registry = key->take == config_take_registry;
	const char *at = strrchr(value, '@');
	const char *scheme = strchr(value, ':');
	/* However they are written: there are databases with "host=host password=password". */
	const char *parameters = strpbrk(value, is_registry ? "?;&=" : "?");
	const char *begins = value;
	const char *ends = value + strlen(value);
	if (parameters)
		ends = scheme && scheme < parameters ? scheme + 1 : parameters;
	else if (at && scheme && scheme < at)
		begins = at;
	else if (is_registry && scheme && strchr(scheme + 1, ':'))
		ends = scheme + 1;
	int length = ends - begins < 100 ? (int)(ends - begins) : 100;
	return fail(cfg->line, "%s: '%s%.*s%s' %s", key->name, begins > value ? "..." : "", length,
		begins, *ends ? "..." : "", why);
}

static int take_value(cfg_t *cfg, cfg_opt_t *opt, const struct key *key)
{
	const char *value = cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1);
	if (!strcmp(value, reading.end_key))
		return fail_at_end(cfg);
	char why[CONFIG_TAKE_WHY_SIZE];
	if (key->take(reading.config, key, value, why)) {
		setting_add(reading.config, key->name, value, reading.file, cfg->line);
		return 0;
	}
	if (is_out_of_reach(key, value))
		reading.code = -EACCES;
	return fail_value(cfg, key, value, why);
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt)
{
	const struct key *key = find_key(opt->name);
	assert(key);
	if (reading.file && !strcmp(key->name, "include"))
		return fail(cfg->line, "include: only mailpush.conf itself can include files");
	if (!strcmp(key->name, "include"))
		reading.include_line = cfg->line;
	return check_once(cfg, opt) ? -1 : take_value(cfg, opt, key);
}

/* libconfuse calls this for each value of a list, and again at the list's end. */
static bool follow_list(cfg_opt_t *opt, bool *ret_is_end)
{
	unsigned size = cfg_opt_size(opt);
	bool is_begin = reading.list != opt;
	*ret_is_end = size == 0 || (!is_begin && size == reading.list_size);
	reading.list = *ret_is_end ? NULL : opt;
	reading.list_size = size;
	return is_begin;
}

static int on_list_value(cfg_t *cfg, cfg_opt_t *opt)
{
	const struct key *key = find_key(opt->name);
	assert(key);
	bool is_end;
	if (follow_list(opt, &is_end) && begin_list(cfg, opt, key))
		return -1;
	if (is_end)
		return 0;
	if (cfg_opt_size(opt) > LISTED_MAX)
		return fail(cfg->line, "%s has more than %d values", key->name, LISTED_MAX);
	return take_value(cfg, opt, key);
}

/* Of a list in a section with a name. */
static int on_named_list_value(cfg_t *cfg, cfg_opt_t *opt)
{
	bool is_end;
	if (follow_list(opt, &is_end) && check_once(cfg, opt))
		return -1;
	if (is_end)
		return 0;
	const char *value = cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1);
	if (!strcmp(value, reading.end_key))
		return fail_at_end(cfg);
	mem_auto char *key = mem_printf("%s %s: %s", cfg->name, cfg_title(cfg), opt->name);
	setting_add(reading.config, key, value, reading.file, cfg->line);
	return 0;
}

static int on_group(cfg_t *cfg, cfg_opt_t *opt)
{
	struct err err;
	cfg_t *section = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
	if (config_group_take(section, reading.config->groups, &err))
		return fail(cfg->line, "%s", err.text);
	return 0;
}

/* Of a section with a name. */
static int on_named_value(cfg_t *cfg, cfg_opt_t *opt)
{
	if (check_once(cfg, opt))
		return -1;
	mem_auto char *key = mem_printf("%s %s: %s", cfg->name, cfg_title(cfg), opt->name);
	setting_add(reading.config, key, cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1), reading.file,
		cfg->line);
	return 0;
}

static int on_user(cfg_t *cfg, cfg_opt_t *opt)
{
	struct err err;
	cfg_t *section = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
	if (config_group_take_user(section, reading.config->users, &err))
		return fail(cfg->line, "%s", err.text);
	return 0;
}

static int on_credential(cfg_t *cfg, cfg_opt_t *opt)
{
	cfg_t *section = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
	struct config *config = reading.config;
	if (config->credential_count == CONFIG_CREDENTIALS_MAX)
		return fail(cfg->line, "more than %d credentials", CONFIG_CREDENTIALS_MAX);

	char why[CONFIG_TAKE_WHY_SIZE];
	if (!config_credential_take(
		    section, &config->credentials[config->credential_count], why, sizeof(why)))
		return fail(cfg->line, "credential \"%s\": %s", cfg_title(section), why);
	config->credential_count++;
	if (!config_credential_take_domains(section, config, why, sizeof(why)))
		return fail(cfg->line, "credential \"%s\": %s", cfg_title(section), why);
	return 0;
}

/* A default may name a group that this system does not have. */
static void take_default(const struct key *key, const char *value)
{
	char why[CONFIG_TAKE_WHY_SIZE];
	if (!key->take(reading.config, key, value, why))
		fail(0, "%s is not set and its default '%s' %s", key->name, value, why);
	setting_add(reading.config, key->name, value, reading.file, 0);
}

/* Written {a, b}. */
static void take_default_list(const struct key *key)
{
	mem_auto char *values = mem_dup(key->fallback + 1);
	char *rest;
	for (char *value = strtok_r(values, ", }", &rest); value;
		value = strtok_r(NULL, ", }", &rest))
		take_default(key, value);
}

/* Without Cyrus its sockets are there only if they are asked for, which is refused. */
static bool is_of_cyrus(const struct key *key)
{
	return key->offset == AT(notify_socket) || key->offset == AT(stream_socket);
}

/* Keys that the file does not set take their default through the same functions. */
static void take_defaults(cfg_t *cfg)
{
	for (size_t i = 0; i < KEYS; i++) {
		const struct key *key = &keys[i];
		cfg_opt_t *opt = cfg_getopt(cfg, key->name);
		if (opt->flags & CFGF_MODIFIED) {
			/* No callback has run for an empty list. */
			if (key->is_list && !cfg_opt_size(opt)) {
				begin_list(cfg, opt, key);
				setting_add(reading.config, key->name, "", reading.file, cfg->line);
			}
			continue;
		}
		if (!key->is_list)
			take_default(key,
				is_of_cyrus(key) && !*reading.config->imapd_conf ? ""
										 : key->fallback);
		else if (!strcmp(key->fallback, "{}"))
			setting_add_default_list(reading.config, key->name);
		else
			take_default_list(key);
	}
}

/*
 * libconfuse accepts a section, a list or a string that the file's end cuts off.  So a key of our
 * own is appended, which must turn up at the top level.
 */
static void parse_text(cfg_t *cfg, struct buf *text)
{
	buf_printf(text, "\n%s = %s\n", reading.end_key, reading.end);
	reading.text = buf_text(text);
	int parsed = cfg_parse_buf(cfg, buf_text(text));
	if (!reading.failed &&
		(parsed != CFG_SUCCESS ||
			strcmp(cfg_getstr(cfg, reading.end_key), reading.end) != 0))
		fail_at_end(cfg);
}

/* As if the text stood at the end of mailpush.conf: a key that is there already is given twice. */
static void parse_included(cfg_t *cfg, size_t number)
{
	buf_auto struct buf text;
	struct err err;
	buf_init(&text);
	reading.path = reading.file = reading.config->included[number];
	int failed = conftext_read(
		reading.path, "correct the include, or move the file away", &text, &err);
	if (failed) {
		reading.failed = true;
		reading.code = failed;
		err_set(reading.err, failed, "%s:%d: include: %s", reading.config->path,
			reading.include_line, err.text);
		return;
	}
	snprintf(reading.end, sizeof(reading.end), "yes%u", (unsigned)number);
	parse_text(cfg, &text);
}

static void parse_all(cfg_t *cfg, struct buf *text, bool is_alone)
{
	struct config *config = reading.config;
	const char *main_path = reading.path;
	struct err err;
	strcpy(reading.end, "yes");
	parse_text(cfg, text);
	if (reading.failed || is_alone || !config->include || !*config->include)
		return;
	int failed =
		conftext_find(config->include, &config->included, &config->included_count, &err);
	if (failed) {
		reading.code = failed;
		fail(reading.include_line, "include: %s", err.text);
	}
	for (size_t i = 0; i < config->included_count && !reading.failed; i++)
		parse_included(cfg, i);
	reading.path = main_path;
	reading.file = NULL;
}

static void begin_reading(const char *path, struct config *config, struct err *err)
{
	uint64_t number;
	uint8_t seed[RANDOM_SEED_SIZE];
	random_seed(seed);
	memcpy(&number, seed, sizeof(number));
	memset(&reading, 0, sizeof(reading));
	snprintf(reading.end_key, sizeof(reading.end_key), "end_%016" PRIx64, number);
	reading.config = config;
	reading.path = path;
	reading.err = err;
	reading.code = -EINVAL;
}

/* Reads a text that conftext has cleaned; `is_alone`: and no file that it includes. */
static int parse(
	const char *path, struct buf *text, bool is_alone, struct config **ret, struct err *err)
{
	struct config *config = mem_alloc_zero(1, sizeof(*config));
	begin_reading(path, config, err);
	config->groups = groups_new();
	config->users = user_settings_new();
	relay_policy_init(&config->policy);
	peer_allow(&config->peers, 0);
	peer_allow(&config->dovecot_peers, 0);
	peer_allow(&config->control_peers, 0);
	config->path = mem_dup(path);

	cfg_opt_t credential[CREDENTIAL_KEYS + 2];
	for (size_t i = 0; i < CREDENTIAL_KEYS; i++)
		credential[i] = (cfg_opt_t)CFG_STR(credential_keys[i], "", CFGF_NONE);
	credential[CREDENTIAL_KEYS] = (cfg_opt_t)CFG_STR_LIST("domains", "{}", CFGF_NONE);
	credential[CREDENTIAL_KEYS + 1] = (cfg_opt_t)CFG_END();
	cfg_opt_t group[] = {CFG_STR_LIST("members", "{}", CFGF_NONE),
		CFG_STR("system", "no", CFGF_NONE), CFG_END()};
	cfg_opt_t user[] = {CFG_STR("push", "yes", CFGF_NONE),
		CFG_STR("pushes_per_minute", "", CFGF_NONE), CFG_END()};
	cfg_opt_t options[KEYS + 5];
	for (size_t i = 0; i < KEYS; i++)
		if (keys[i].is_list)
			options[i] = (cfg_opt_t)CFG_STR_LIST(keys[i].name, "{}", CFGF_NONE);
		else
			options[i] = (cfg_opt_t)CFG_STR(keys[i].name, "", CFGF_NONE);
	options[KEYS] = (cfg_opt_t)CFG_SEC(
		"credential", credential, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
	options[KEYS + 1] =
		(cfg_opt_t)CFG_SEC("group", group, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
	options[KEYS + 2] = (cfg_opt_t)CFG_SEC(
		"user_settings", user, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
	options[KEYS + 3] = (cfg_opt_t)CFG_STR(reading.end_key, "", CFGF_NONE);
	options[KEYS + 4] = (cfg_opt_t)CFG_END();

	cfg_t *cfg = cfg_init(options, CFGF_NONE);
	cfg_set_error_function(cfg, on_syntax_error);
	for (size_t i = 0; i < KEYS; i++)
		cfg_set_validate_func(
			cfg, keys[i].name, keys[i].is_list ? on_list_value : on_value);
	cfg_set_validate_func(cfg, "group", on_group);
	cfg_set_validate_func(cfg, "group|members", on_named_list_value);
	cfg_set_validate_func(cfg, "group|system", on_named_value);
	cfg_set_validate_func(cfg, "user_settings", on_user);
	cfg_set_validate_func(cfg, "user_settings|push", on_named_value);
	cfg_set_validate_func(cfg, "user_settings|pushes_per_minute", on_named_value);
	cfg_set_validate_func(cfg, "credential", on_credential);
	cfg_set_validate_func(cfg, "credential|domains", on_named_list_value);
	for (size_t i = 0; i < CREDENTIAL_KEYS; i++) {
		char name[64];
		snprintf(name, sizeof(name), "credential|%s", credential_keys[i]);
		cfg_set_validate_func(cfg, name, on_named_value);
	}

	parse_all(cfg, text, is_alone);
	if (!reading.failed)
		take_defaults(cfg);
	config->written = config_diff_record(cfg, reading.end_key);
	cfg_free(cfg);
	struct err together;
	if (!reading.failed && config_consistency_check(config, &together))
		fail(0, "%s", together.text);
	if (reading.failed) {
		config_file_free(config);
		return reading.code;
	}
	*ret = config;
	return 0;
}

int config_file_read(const char *path, const char *option, struct config **ret, struct err *err)
{
	buf_auto struct buf text;
	buf_init(&text);
	mem_auto char *remedy = mem_printf("give the path with %s", option);
	int failed = conftext_read(path, remedy, &text, err);
	return failed ? failed : parse(path, &text, false, ret, err);
}

int config_file_read_text(
	const char *path, const char *bytes, size_t size, struct config **ret, struct err *err)
{
	buf_auto struct buf text;
	buf_init(&text);
	int failed = conftext_take(path, bytes, size, &text, err);
	return failed ? failed : parse(path, &text, true, ret, err);
}

struct config *config_file_copy_inputs(const struct config *config)
{
	struct config *copy = mem_alloc_zero(1, sizeof(*copy));
	copy->imapd_conf = mem_dup(config->imapd_conf);
	copy->site = mem_dup(config->site);
	copy->credential_count = config->credential_count;
	for (unsigned i = 0; i < config->credential_count; i++)
		config_credential_copy(&config->credentials[i], &copy->credentials[i]);
	return copy;
}

void config_file_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < KEYS; i++)
		if (keys[i].take == config_take_text || keys[i].take == config_take_path ||
			keys[i].take == config_take_site ||
			keys[i].take == config_take_dovecot_site ||
			keys[i].take == config_take_host || keys[i].take == config_take_registry ||
			keys[i].take == config_take_user || keys[i].take == config_take_address)
			free(*(char **)config_take_place(config, &keys[i]));
	free(config->forward_socket);
	groups_free(config->groups);
	user_settings_free(config->users);
	free(config->alarm_mail_host);
	free(config->proxy_host);
	free(config->proxy_login);
	logins_free(config->page_login);
	for (unsigned i = 0; i < config->subtopic_count; i++)
		free(config->subtopics[i]);
	for (unsigned i = 0; i < config->credential_count; i++)
		config_credential_fini(&config->credentials[i]);
	for (unsigned i = 0; i < config->domain_count; i++)
		free(config->domains[i].name);
	free(config->domains);
	setting_free_all(config);
	for (size_t i = 0; i < config->included_count; i++)
		free(config->included[i]);
	free(config->included);
	free(config->path);
	free(config->written);
	free(config);
}
