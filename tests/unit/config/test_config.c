#include "config/config_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/config_diff.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static int set_up(void **state)
{
	(void)state;
	strcpy(path, "/tmp/mailpush.conf.XXXXXX");
	int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

static void write_config(const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	/* Not every system has the group mail. */
	fputs("\nsocket_group = \"\"\n", file);
	fclose(file);
}

static struct config *read_good(const char *text)
{
	write_config(text);
	struct config *config = NULL;
	struct err err = {""};
	if (config_file_read(path, &config, &err))
		fail_msg("%s", err.text);
	return config;
}

/* The text of the error, without the path in front. */
static const char *read_bad(const char *text)
{
	static struct err err;
	write_config(text);
	struct config *config = NULL;
	assert_true(config_file_read(path, &config, &err) < 0);
	assert_null(config);
	assert_int_equal(strncmp(err.text, path, strlen(path)), 0);
	return err.text + strlen(path);
}

static void an_empty_file_gives_the_defaults(void **state)
{
	(void)state;
	struct config *config = read_good("");
	assert_string_equal(config->imapd_conf, "/etc/imapd.conf");
	assert_string_equal(config->notify_socket, "/run/mailpush/notify");
	assert_string_equal(config->stream_socket, "/run/mailpush/cyrus");
	assert_int_equal(config->socket_mode, 0660);
	assert_int_equal(config->ack_timeout_ms, 2000);
	assert_int_equal(config->max_waiting, 1000000);
	assert_string_equal(config->registry, "sqlite:/var/lib/mailpush/registry.sqlite");
	assert_int_equal(config->registration_ttl_ms, 30 * CLOCK_DAY_MS);
	assert_int_equal(config->registrations_per_user, 64);
	assert_int_equal(config->deleted_user_grace_ms, 7 * CLOCK_DAY_MS);
	assert_true(config->shared_mailboxes);
	assert_int_equal(config->subtopic_count, 1);
	assert_string_equal(config->subtopics[0], "com.apple.mobilemail");
	assert_int_equal(config->min_interval_ms, 2000);
	assert_int_equal(config->deferred_delay_ms, 30000);
	assert_int_equal(config->max_push_rate, 2000);
	assert_string_equal(config->apns_host, "api.push.apple.com");
	assert_int_equal(config->apns_port, 443);
	assert_int_equal(config->connections, 4);
	assert_int_equal(config->priority, 0);
	assert_int_equal(config->log_level, LOG_LEVEL_INFO);
	assert_int_equal(config->policy.of[EVENT_MESSAGE_NEW], RELAY_URGENT);
	assert_false(config->status_page_names);
	config_file_free(config);
}

static void root_and_ourselves_may_always_talk_to_us(void **state)
{
	(void)state;
	struct config *config = read_good("allowed_users = {12345, 0}");
	assert_true(peer_is_allowed(&config->peers, 0));
	assert_true(peer_is_allowed(&config->peers, geteuid()));
	assert_true(peer_is_allowed(&config->peers, 12345));
	assert_false(peer_is_allowed(&config->peers, 12346));
	config_file_free(config);
}

static void durations_take_every_unit(void **state)
{
	(void)state;
	struct config *config = read_good("ack_timeout = \"200ms\"\n"
					  "min_interval = 3s\n"
					  "deferred_delay = \"5min\"\n"
					  "registration_ttl = \"240h\"\n"
					  "deleted_user_grace = \"2d\"\n");
	assert_int_equal(config->ack_timeout_ms, 200);
	assert_int_equal(config->min_interval_ms, 3000);
	assert_int_equal(config->deferred_delay_ms, 300000);
	assert_int_equal(config->registration_ttl_ms, 10 * CLOCK_DAY_MS);
	assert_int_equal(config->deleted_user_grace_ms, 2 * CLOCK_DAY_MS);
	config_file_free(config);
}

static void credentials_are_read_in_order(void **state)
{
	(void)state;
	struct config *config =
		read_good("credential \"new\" { certificate = \"/a/c.pem\" key = \"/a/k.pem\" "
			  "topic = \"t\" }\n"
			  "credential \"old\" { certificate = \"/b/c.pem\" key = \"/b/k.pem\" }\n");
	assert_int_equal(config->credential_count, 2);
	assert_string_equal(config->credentials[0].name, "new");
	assert_string_equal(config->credentials[0].topic, "t");
	assert_string_equal(config->credentials[1].key, "/b/k.pem");
	assert_null(config->credentials[1].topic);
	config_file_free(config);
}

static void a_list_of_events_replaces_the_default_one(void **state)
{
	(void)state;
	struct config *config = read_good("urgent_events = {MessageNew, MessageAppend}\n"
					  "deferred_events = {MessageRead}\n");
	assert_int_equal(config->policy.of[EVENT_MESSAGE_NEW], RELAY_URGENT);
	assert_int_equal(config->policy.of[EVENT_MESSAGE_APPEND], RELAY_URGENT);
	assert_int_equal(config->policy.of[EVENT_MESSAGE_READ], RELAY_DEFERRED);
	assert_int_equal(config->policy.of[EVENT_MESSAGE_TRASH], RELAY_IGNORE);
	assert_int_equal(config->policy.of_clears_seen, RELAY_IGNORE);
	config_file_free(config);
}

static void an_empty_list_of_events_pushes_none(void **state)
{
	(void)state;
	struct config *config = read_good("deferred_events = {}\n");
	assert_int_equal(config->policy.of[EVENT_MESSAGE_READ], RELAY_IGNORE);
	assert_int_equal(config->policy.of[EVENT_MESSAGE_NEW], RELAY_URGENT);
	config_file_free(config);
}

static void errors_name_line_key_value_and_remedy(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *starts;
		const char *contains;
	} rows[] = {
		{"\nmin_intervall = \"2s\"\n", ":2: unknown key", "'min_intervall'"},
		{"min_interval = \"2s\"\nmin_interval = \"3s\"\n",
			":2: min_interval is given twice", "remove"},
		{"allowed_users = {1}\nallowed_users = {2}\n", ":2: allowed_users is given twice",
			"remove"},
		{"min_interval = \"2x\"\n", ":1: min_interval: '2x' is not a duration", "\"2s\""},
		{"min_interval = \"2\"\n", ":1: min_interval: '2' is not a duration", "unit"},
		{"min_interval = \"-2s\"\n", ":1: min_interval: '-2s' is not a duration", "unit"},
		{"ack_timeout = \"2d\"\n", ":1: ack_timeout: '2d' is out of range",
			"from 50ms to 60s"},
		{"max_waiting = 5\n", ":1: max_waiting: '5' is out of range", "from 1000"},
		{"max_waiting = many\n", ":1: max_waiting: 'many' is not a number", "1000000"},
		{"apns_port = 70000\n", ":1: apns_port: '70000' is out of range", "65535"},
		{"priority = 7\n", ":1: priority: '7' is not an apns-priority", "none"},
		{"shared_mailboxes = perhaps\n", ":1: shared_mailboxes: 'perhaps'", "yes nor no"},
		{"queue = \"relative\"\n", ":1: queue: 'relative' is not an absolute path", "/"},
		{"registry = \"oracle:x\"\n", ":1: registry: 'oracle:x'", "sqlite:"},
		{"socket_mode = 0999\n", ":1: socket_mode: '0999'", "octal"},
		{"allowed_users = {no-such-user-here}\n", ":1: allowed_users: 'no-such-user-here'",
			"write the name or the number"},
		{"log_level = loud\n", ":1: log_level: 'loud'", "debug"},
		{"log_target = printer\n", ":1: log_target: 'printer'", "journal"},
		{"urgent_events = {MailboxDelete}\n", ":1: urgent_events: 'MailboxDelete'",
			"MessageNew"},
		{"site = \"a b\"\n", ":1: site: 'a b'", "letters"},
		{"notify_socket = \"\"\nstream_socket = \"\"\n",
			": notify_socket and stream_socket", "without a socket"},
		{"notify_socket = \"/a\"\nstream_socket = \"/a\"\n",
			": notify_socket and stream_socket", "'/a'"},
		{"credential \"x\" { key = \"/k.pem\" }\n",
			":1: credential \"x\": certificate is missing",
			"/etc/mailpush/certificate.pem"},
		{"credential \"x\" { certificate = \"/c\" p8 = \"/k\" }\n",
			":1: credential \"x\": certificate and p8 are both set", "two sections"},
		{"credential \"x\" { pkcs12 = \"/c\" key = \"/k\" }\n",
			":1: credential \"x\": key does not go with pkcs12", "remove it"},
		{"credential \"x\" { pkcs12 = \"c.p12\" }\n",
			":1: credential \"x\": pkcs12 is not an absolute path", "leading /"},
		{"credential \"x\" { certificate = \"/c\" passphrase_file = \"p\" }\n",
			":1: credential \"x\": passphrase_file is not an absolute path",
			"leading /"},
		{"credential \"x\" { certificate = \"/c\" key_id = ABC123DEFG }\n",
			":1: credential \"x\": key_id does not go with certificate", "remove it"},
		{"credential \"x\" { p8 = \"/k\" team_id = DEF123GHIJ topic = t }\n",
			":1: credential \"x\": p8 needs key_id as well", "mailpush.conf(5)"},
		{"credential \"x\" { p8 = \"/k\" key_id = ABC123DEFG topic = t }\n",
			":1: credential \"x\": p8 needs team_id as well", "mailpush.conf(5)"},
		{"credential \"x\" { p8 = \"/k\" key_id = ABC123DEFG team_id = DEF123GHIJ }\n",
			":1: credential \"x\": p8 needs topic as well", "mailpush.conf(5)"},
		{"credential \"x\" { p8 = \"/k\" key_id = abc team_id = DEF123GHIJ topic = t }\n",
			":1: credential \"x\": key_id 'abc' is not one of Apple's", "10 capital"},
		{"credential \"x\" { p8 = \"/k\" key_id = ABC123DEFG team_id = DEF123GHIJK topic = "
		 "t }\n",
			":1: credential \"x\": team_id 'DEF123GHIJK' is not", "10 capital"},
		{"credential \"x\" { certificate = \"c.pem\" key = \"/k\" }\n",
			":1: credential \"x\": certificate is not an absolute path", "write"},
		{"credential \"x\" { certificat = \"/k\" }\n", ":1: unknown key", "'certificat'"},
		{"apns_host = \"\"\n", ":1: apns_host: '' is not a host", "api.push.apple.com"},
		{"apns_host = \"a b\"\n", ":1: apns_host: 'a b' is not a name", "host"},
		{"apns_host = \"api.push.apple.com:443\"\n",
			":1: apns_host: 'api.push.apple.com:443' is not a name", "apns_port"},
		{"apns_check_interval = \"30s\"\n", ":1: apns_check_interval: '30s' must be",
			"from 1min to 1d, or 0s"},
		{"max_push_rate = 2,000\n", ":1: max_push_rate: unexpected token ','", "in quotes"},
		{"\n# x\n  deferred_delay = {}\n", ":3: deferred_delay: unexpected token '{'",
			"where a key takes one"},
		{"}\n", ":1: unexpected closing brace", "mailpush.conf(5)"},
		{"proxy = \"http://me:secret@proxy:1\"\n", ":1: proxy: '...@proxy:1' has a user",
			"proxy_password_file"},
		{"subtopics = {}\n", ": subtopics is empty", "remove"},
		{"urgent_events = {MessageNew}\ndeferred_events = {MessageNew}\n",
			":2: deferred_events: 'MessageNew' is listed twice", "not both"},
		{"registry = \"sqlite:/a/b\"\nqueue = \"/a/b\"\n",
			": registry and queue are the same", "'/a/b'"},
		{"registry = \"postgresql://me:secret@db/mail\"\n",
			":1: registry: '...@db/mail' has a password", "registry_password_file"},
		{"registry = \"postgresql://me:Ab/c?d@db/mail\"\n",
			":1: registry: '...@db/mail' has a password", "registry_password_file"},
		{"registry = \"postgresql://me@db/mail?password=secret\"\n",
			":1: registry: '...@db/mail?' has a password", "registry_password_file"},
		{"registry = \"postgresql://me:secret@db/mail?sslpassword=secret\"\n",
			":1: registry: '...@db/mail?ssl' has a password", "registry_password_file"},
		{"min_interval = {\n", ":", "mailpush.conf(5)"},
		{"min_interval\n", ":", "mailpush.conf(5)"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *text = read_bad(rows[i].text);
		if (strncmp(text, rows[i].starts, strlen(rows[i].starts)) != 0)
			fail_msg("'%s' does not start with '%s'", text, rows[i].starts);
		if (!strstr(text, rows[i].contains))
			fail_msg("'%s' does not contain '%s'", text, rows[i].contains);
	}
}

static void the_same_credential_name_twice_is_an_error(void **state)
{
	(void)state;
	const char *text = read_bad("credential \"x\" { certificate = \"/c\" key = \"/k\" }\n"
				    "credential \"x\" { certificate = \"/d\" key = \"/l\" }\n");
	assert_non_null(strstr(text, "section 'x' is given twice"));
}

static void a_file_that_ends_too_early_is_an_error(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"credential \"x\" {\n certificate = \"/c\"\n key = \"/k\"\n",
		"site = \"unclosed\nmin_interval = 2s\n",
		"allowed_users = {0,\n",
		"min_interval =\n",
		"socket_group = \"\"\n/* comment\n",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		FILE *file = fopen(path, "w");
		fputs(texts[i], file);
		fclose(file);
		struct config *config = NULL;
		struct err err = {""};
		if (!config_file_read(path, &config, &err))
			fail_msg("read: %s", texts[i]);
		if (!strstr(err.text, "ends too early") && !strstr(err.text, "mailpush.conf(5)"))
			fail_msg("%s", err.text);
	}
}

/* What is left out of mailpush.conf, or another value where the default is empty. */
static const struct written {
	const char *key;
	const char *value; /* as it is written */
} otherwise[] = {
	{"site", "other"},
	{"registry_password_file", "\"/etc/mailpush/registry\""},
	{"subtopics", "{ other }"},
	{"forward_socket", "\"/run/other\""},
	{"proxy", "\"proxy.example.org:3128\""},
	{"apns_ca_file", "\"/etc/other.pem\""},
	{"control_group", "\"0\""},
	{"control_users", "{ root }"},
	{"http_listen", "\"127.0.0.1:9105\""},
	{"alarm_command", "\"/bin/true\""},
	{"user", "root"},
};

static bool is_list(const char *key)
{
	static const char *const lists[] = {
		"allowed_users", "subtopics", "urgent_events", "deferred_events", "control_users"};
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (!strcmp(lists[i], key))
			return true;
	return false;
}

static char *write_otherwise(const struct config_setting *setting)
{
	const char *key = setting->key;
	for (size_t i = 0; i < sizeof(otherwise) / sizeof(otherwise[0]); i++)
		if (!strcmp(otherwise[i].key, key))
			return mem_printf("%s = %s\n", key, otherwise[i].value);
	if (is_list(key))
		return mem_printf("%s = {}\n", key);
	if (!*setting->value)
		fail_msg("no other value of %s is known to this test", key);
	return mem_printf("%s = \"%s\"\n", key, setting->value);
}

static int fill(const char *text)
{
	FILE *file = fopen(path, "w");
	return !file || fputs(text, file) < 0 || fclose(file);
}

/* The keys that a reload from one text to the other leaves to a restart; "": none. */
static char *waiting(const char *before, const char *after)
{
	struct config *first = NULL;
	struct config *second = NULL;
	struct err err;
	if (config_file_read_text("before", before, strlen(before), &first, &err) ||
		config_file_read_text("after", after, strlen(after), &second, &err))
		fail_msg("%s", err.text);
	char *names = config_diff_that_wait(first->written, second->written);
	config_file_free(first);
	config_file_free(second);
	return names ? names : mem_dup("");
}

static void each_key_that_changes_is_named_by_a_reload(void **state)
{
	(void)state;
	static const char base[] = "socket_group = \"\"\n";
	struct config *config = read_good("");
	for (unsigned i = 0; i < config->setting_count; i++) {
		const char *key = config->settings[i].key;
		/* One is taken at once, one is in the way here, one needs a file. */
		if (!strcmp(key, "log_level") || !strcmp(key, "socket_group") ||
			!strcmp(key, "proxy_password_file"))
			continue;
		mem_auto char *line = write_otherwise(&config->settings[i]);
		mem_auto char *text = mem_printf("%s%s", base, line);
		mem_auto char *names = waiting(base, text);
		assert_string_equal(names, key);
	}
	config_file_free(config);
}

static void other_keys_and_sections_that_change_are_named_too(void **state)
{
	(void)state;
	static const char base[] = "socket_group = \"\"\n";
	static const struct {
		const char *text;
		const char *names;
	} rows[] = {
		{"socket_group = \"0\"\n", "socket_group"},
		{"socket_group = \"\"\nlog_level = debug\n", ""},
		{"socket_group = \"\"\ngroup \"a\" { members = { b } }\n", "group"},
		{"socket_group = \"\"\ncredential \"a\" { certificate = \"/a\" }\n", "credential"},
		{"socket_group = \"\"\nsite = a\nconnections = 2\n", "site, connections"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mem_auto char *names = waiting(base, rows[i].text);
		assert_string_equal(names, rows[i].names);
		mem_auto char *back = waiting(rows[i].text, base);
		assert_string_equal(back, rows[i].names);
	}
}

/* `path` is a file of ours here, with another text for each reading. */
static void a_file_that_is_not_read_again_and_changes_is_named(void **state)
{
	(void)state;
	static const char *const keys[] = {"apns_ca_file", "proxy_password_file"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		mem_auto char *text = mem_printf(
			"socket_group = \"\"\nproxy = \"a:1\"\n%s = \"%s\"\n", keys[i], path);
		struct config *config[3] = {NULL};
		struct err err;
		for (size_t j = 0; j < 3; j++) {
			if (j != 1)
				assert_int_equal(fill(j ? "user:other\n" : "user:one\n"), 0);
			if (config_file_read_text("text", text, strlen(text), &config[j], &err))
				fail_msg("%s", err.text);
		}
		assert_null(config_diff_that_wait(config[0]->written, config[1]->written));
		mem_auto char *names =
			config_diff_that_wait(config[1]->written, config[2]->written);
		assert_non_null(names);
		assert_string_equal(names, keys[i]);
		for (size_t j = 0; j < 3; j++)
			config_file_free(config[j]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_gives_the_defaults),
		cmocka_unit_test(root_and_ourselves_may_always_talk_to_us),
		cmocka_unit_test(durations_take_every_unit),
		cmocka_unit_test(credentials_are_read_in_order),
		cmocka_unit_test(a_list_of_events_replaces_the_default_one),
		cmocka_unit_test(an_empty_list_of_events_pushes_none),
		cmocka_unit_test(errors_name_line_key_value_and_remedy),
		cmocka_unit_test(the_same_credential_name_twice_is_an_error),
		cmocka_unit_test(a_file_that_ends_too_early_is_an_error),
		cmocka_unit_test(each_key_that_changes_is_named_by_a_reload),
		cmocka_unit_test(other_keys_and_sections_that_change_are_named_too),
		cmocka_unit_test(a_file_that_is_not_read_again_and_changes_is_named),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
