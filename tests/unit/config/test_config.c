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
	if (config_file_read(path, "-c", &config, &err))
		fail_msg("%s", err.text);
	return config;
}

/* The text of the error, without the path in front. */
static const char *read_bad(const char *text)
{
	static struct err err;
	write_config(text);
	struct config *config = NULL;
	assert_true(config_file_read(path, "-c", &config, &err) < 0);
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

static void the_usual_users_of_dovecot_need_not_exist(void **state)
{
	(void)state;
	struct config *config = read_good("dovecot_users = {vmail, dovecot, 12345}");
	assert_true(peer_is_allowed(&config->dovecot_peers, 0));
	assert_true(peer_is_allowed(&config->dovecot_peers, 12345));
	assert_false(peer_is_allowed(&config->peers, 12345));
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

static void sizes_take_every_unit(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t bytes;
	} rows[] = {{"", 64 << 20}, {"trace_size = \"2048KiB\"\n", 2 << 20},
		{"trace_size = \"5MiB\"\n", 5 << 20},
		{"trace_size = \"4 GiB\"\n", INT64_C(4) << 30}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config *config = read_good(rows[i].text);
		assert_int_equal(config->trace_size, rows[i].bytes);
		assert_int_equal(config->trace_keep_ms, 7 * CLOCK_DAY_MS);
		config_file_free(config);
	}
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

/* Beside root and the daemon's own. */
static void sixty_two_users_can_be_allowed(void **state)
{
	(void)state;
	static const char *const keys[] = {"allowed_users", "dovecot_users", "control_users"};
	for (size_t key = 0; key < sizeof(keys) / sizeof(keys[0]); key++) {
		char text[1024];
		int used = sprintf(text, "%s = { root", keys[key]);
		for (int uid = 7001; uid <= 7062; uid++)
			used += sprintf(text + used, ", %d", uid);
		strcpy(text + used, " }\n");
		struct config *config = read_good(text);
		peer_allow(&config->peers, 7099);
		peer_allow(&config->dovecot_peers, 7099);
		peer_allow(&config->control_peers, 7099);
		config_file_free(config);
		strcpy(text + used, ", 7063 }\n");
		const char *why = read_bad(text);
		assert_non_null(strstr(why, "'7063' is one too many; at most 62 users"));
	}
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
		{"trace_size = 5\n", ":1: trace_size: '5' is not a size", "\"64MiB\""},
		{"trace_size = \"-5MiB\"\n", ":1: trace_size: '-5MiB' is not a size", "unit"},
		{"trace_size = \"1023KiB\"\n", ":1: trace_size: '1023KiB' is out of range",
			"from 1MiB to 4GiB"},
		{"trace_size = \"5GiB\"\n", ":1: trace_size: '5GiB' is out of range", "4GiB"},
		{"trace_keep = \"366d\"\n", ":1: trace_keep: '366d' is out of range",
			"from 0s to 365d"},
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
		{"dovecot_site = \"a/b\"\n", ":1: dovecot_site: 'a/b'", "letters"},
		{"dovecot_site = Dove\n", ":1: dovecot_site: 'Dove'", "lower case"},
		{"notify_socket = \"\"\nstream_socket = \"\"\n",
			": notify_socket, stream_socket, dovecot_socket, xaps_listen",
			"without one"},
		{"notify_socket = \"/a\"\nstream_socket = \"/a\"\n",
			": notify_socket and stream_socket", "'/a'"},
		{"dovecot_socket = \"/a\"\nstream_socket = \"/a\"\n",
			": stream_socket and dovecot_socket", "'/a'"},
		{"dovecot_socket = \"/a\"\nforward_socket = \"/a\"\n",
			": forward_socket '/a' is our own dovecot_socket", "come back"},
		{"imapd_conf = \"\"\nstream_socket = \"/a\"\ndovecot_socket = \"/b\"\n",
			": imapd_conf is \"\", so there is no Cyrus, but stream_socket", "remove"},
		{"imapd_conf = \"\"\n",
			": notify_socket, stream_socket, dovecot_socket, xaps_listen",
			"without one"},
		{"dovecot_users = {no-such-user-here}\n", ":1: dovecot_users: 'no-such-user-here'",
			"write the name or the number"},
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
		{"credential \"x\" { certificate = \"/c\" domains = { \"a@b\" } }\n",
			":1: credential \"x\": domains: 'a@b' is not a domain", "behind the @"},
		{"credential \"x\" { certificate = \"/c\" domains = { \"\" } }\n",
			":1: credential \"x\": domains: '' is not a domain", "behind the @"},
		{"credential \"x\" { certificate = \"/c\" domains = { a.b } }\n"
		 "credential \"y\" { certificate = \"/d\" domains = { c.d, A.B } }\n",
			":2: credential \"y\": domains: 'A.B' is in credential \"x\" already",
			"one topic"},
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
			":1: registry: 'postgresql:...' has a password", "registry_password_file"},
		{"registry = \"postgresql://me@db/mail?password=secret\"\n",
			":1: registry: 'postgresql:...' has a password", "registry_password_file"},
		{"registry = \"postgresql://me:secret@db/mail?sslpassword=secret\"\n",
			":1: registry: 'postgresql:...' has a password", "registry_password_file"},
		{"registry = \"postgresql://me@db/mail?pass%77ord=secret\"\n",
			":1: registry: 'postgresql:...' has a password", "registry_password_file"},
		{"registry = \"mariadb://me@db/mail?passwd=secret\"\n",
			":1: registry: 'mariadb:...' has a password", "registry_password_file"},
		{"registry = \"mariadb://me@db/mail?passwd=se@cret\"\n",
			":1: registry: 'mariadb:...' has a password", "registry_password_file"},
		{"registry = \"postgresql://me@db/mail;password=secret\"\n",
			":1: registry: 'postgresql:...' has a password", "registry_password_file"},
		{"registry = \"host=db password=secret\"\n",
			":1: registry: 'host...' is not a database", "sqlite"},
		{"registry = \"postgresql:host=db password=secret\"\n",
			":1: registry: 'postgresql:...' is not", "write"},
#ifdef MAILPUSH_POSTGRESQL
		{"registry = \"postgresql://me:secret/mail\"\n", ":1: registry: 'postgresql:...' ",
			"port is a number"},
#endif
#ifdef MAILPUSH_MARIADB
		{"registry = \"mariadb://me@db/mail?nonsense=secret\"\n",
			":1: registry: 'mariadb:...' is not a url", "parameters"},
#endif
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
		if (!config_file_read(path, "-c", &config, &err))
			fail_msg("read: %s", texts[i]);
		if (!strstr(err.text, "ends too early") && !strstr(err.text, "mailpush.conf(5)"))
			fail_msg("%s", err.text);
	}
}

/* `included`: the value of include. */
static void assert_include_fails(const char *included, const char *said)
{
	mem_auto char *text = mem_printf("\n\ninclude = \"%s\"\n", included);
	mem_auto char *whole = mem_printf(said, path);
	write_config(text);
	struct config *config = NULL;
	struct err err;
	assert_true(config_file_read(path, "-c", &config, &err) < 0);
	assert_string_equal(err.text, whole);
}

static void a_file_that_cannot_be_included_is_named_with_the_line_that_includes_it(void **state)
{
	(void)state;
	char link[] = "/tmp/mailpush-dangling";
	unlink(link);
	assert_int_equal(symlink("/nowhere", link), 0);
	assert_include_fails("/tmp/mailpush-dang*",
		"%s:3: include: /tmp/mailpush-dangling: cannot open: No such file or directory; "
		"correct the include, or move the file away");
	unlink(link);
	assert_include_fails("/dev/null",
		"%s:3: include: /dev/null: is not a file; correct the include, or move the file "
		"away");
	assert_include_fails("/nowhere/a.conf",
		"%s:3: include: '/nowhere/a.conf' does not exist; correct the path, or remove the "
		"line");
}

static void a_file_that_comes_to_the_included_ones_is_no_key_that_changes(void **state)
{
	(void)state;
	mem_auto char *pattern = mem_printf("include = \"%s.*\"\n", path);
	mem_auto char *included = mem_printf("%s.a", path);
	struct config *before = read_good(pattern);
	FILE *file = fopen(included, "w");
	assert_non_null(file);
	fputs("log_level = debug\n", file);
	fclose(file);
	struct config *after = read_good(pattern);
	unlink(included);
	assert_int_equal(after->included_count, 1);
	mem_auto char *waiting = config_diff_that_wait(before->written, after->written);
	assert_null(waiting);
	config_file_free(before);
	config_file_free(after);
}

static void the_reader_has_no_key_of_its_own_that_could_be_written(void **state)
{
	(void)state;
	assert_string_equal(read_bad("end_of_this_file = yes\n"),
		":1: unknown key 'end_of_this_file'; mailpush.conf(5) lists all keys");
}

static void a_login_to_a_page_that_is_not_there_is_an_error(void **state)
{
	(void)state;
	assert_non_null(strstr(read_bad("page_login = \"header:X-Remote-User\"\n"),
		"page_login is set, but http_listen is not"));
	assert_non_null(strstr(read_bad("page_login = \"header:X-Remote-User\"\n"
					"http_listen = \"192.0.2.7:9105\"\n"),
		"http_listen is not a loopback address"));
}

static void a_path_that_is_no_file_is_said_with_the_option_that_gives_another(void **state)
{
	(void)state;
	struct config *config = NULL;
	struct err err;
	assert_true(config_file_read("/tmp", "--config", &config, &err) < 0);
	assert_string_equal(err.text, "/tmp: is not a file; give the path with --config");
}

/* What is left out of mailpush.conf, or another value where the default is empty. */
static const struct written {
	const char *key;
	const char *value; /* as it is written */
} otherwise[] = {
	{"include", "\"/etc/mailpush/none/*.conf\""},
	{"site", "other"},
	{"registry_password_file", "\"/etc/mailpush/registry\""},
	{"subtopics", "{ other }"},
	{"forward_socket", "\"/run/other\""},
	{"dovecot_socket", "\"/run/dovecot\""},
	{"dovecot_site", "dovecot"},
	{"proxy", "\"proxy.example.org:3128\""},
	{"apns_ca_file", "\"/etc/other.pem\""},
	{"control_group", "\"0\""},
	{"control_users", "{ root }"},
	{"http_listen", "\"127.0.0.1:9105\""},
	{"xaps_listen", "\"127.0.0.1:11619\""},
	{"xaps_socket", "\"/run/mailpush/xapsd\""},
	{"xaps_clients", "{ \"192.0.2.7\" }"},
	{"alarm_command", "\"/bin/true\""},
	{"alarm_mail", "\"root@localhost\""},
	{"alarm_mail_server", "\"localhost:26\""},
	{"page_login", "\"header:X-Remote-User\"\nhttp_listen = \"127.0.0.1:9105\""},
	{"user", "root"},
};

static bool is_list(const char *key)
{
	static const char *const lists[] = {"allowed_users", "dovecot_users", "subtopics",
		"urgent_events", "deferred_events", "control_users"};
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

static void each_key_that_changes_and_waits_for_a_restart_is_named(void **state)
{
	(void)state;
	static const char base[] = "socket_group = \"\"\n";
	struct config *config = read_good("");
	for (unsigned i = 0; i < config->setting_count; i++) {
		const char *key = config->settings[i].key;
		/* One is in the way here, one needs a file. */
		if (!strcmp(key, "socket_group") || !strcmp(key, "proxy_password_file"))
			continue;
		mem_auto char *line = write_otherwise(&config->settings[i]);
		mem_auto char *text = mem_printf("%s%s", base, line);
		mem_auto char *names = waiting(base, text);
		assert_string_equal(names, config_diff_waits(key) ? key : "");
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
		{"socket_group = \"\"\ngroup \"a\" { members = { b } }\n", ""},
		{"socket_group = \"\"\ncredential \"a\" { certificate = \"/a\" }\n", ""},
		{"socket_group = \"\"\nsite = a\nlog_target = stderr\n", "site, log_target"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mem_auto char *names = waiting(base, rows[i].text);
		assert_string_equal(names, rows[i].names);
		mem_auto char *back = waiting(rows[i].text, base);
		assert_string_equal(back, rows[i].names);
	}
}

static const char *shown(const struct config *config, const char *key)
{
	for (unsigned i = 0; i < config->setting_count; i++)
		if (!strcmp(config->settings[i].key, key))
			return config->settings[i].value;
	return NULL;
}

/* What waits is named at each reload until the restart, and shown as it is in force. */
static void what_need_not_wait_is_taken(void **state)
{
	(void)state;
	static const char before[] = "socket_group = \"\"\nmin_interval = 3s\nsite = a\n"
				     "credential \"x\" { certificate = \"/x\" }\n";
	static const char after[] =
		"socket_group = \"\"\nmin_interval = 4s\nsite = b\n"
		"credential \"y\" { certificate = \"/y\" }\nalarm_mail = \"a@b\"\n";
	struct config *config = NULL;
	struct err err;
	if (config_file_read_text("before", before, strlen(before), &config, &err))
		fail_msg("%s", err.text);
	for (int i = 0; i < 2; i++) {
		struct config *fresh = NULL;
		if (config_file_read_text("after", after, strlen(after), &fresh, &err))
			fail_msg("%s", err.text);
		mem_auto char *names = config_diff_that_wait(config->written, fresh->written);
		assert_string_equal(names, "site");
		config_diff_take(config, fresh);
		config_file_free(fresh);
		assert_int_equal(config->min_interval_ms, 4000);
		assert_string_equal(config->site, "a");
		assert_string_equal(shown(config, "site"), "a");
		assert_string_equal(shown(config, "min_interval"), "4s");
		assert_int_equal(config->credential_count, 1);
		assert_string_equal(config->credentials[0].certificate, "/y");
		assert_null(shown(config, "credential x: certificate"));
		assert_string_equal(config->alarm_mail, "a@b");
	}
	config_file_free(config);
}

/* `path` is a file of ours here, with another text for each reading. */
static void a_file_that_changes_is_a_key_that_changes(void **state)
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
		const char *const key[] = {keys[i], NULL};
		assert_false(config_diff_concerns(config[0]->written, config[1]->written, key));
		assert_true(config_diff_concerns(config[1]->written, config[2]->written, key));
		for (size_t j = 0; j < 3; j++)
			config_file_free(config[j]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_gives_the_defaults),
		cmocka_unit_test(root_and_ourselves_may_always_talk_to_us),
		cmocka_unit_test(the_usual_users_of_dovecot_need_not_exist),
		cmocka_unit_test(durations_take_every_unit),
		cmocka_unit_test(sizes_take_every_unit),
		cmocka_unit_test(credentials_are_read_in_order),
		cmocka_unit_test(a_list_of_events_replaces_the_default_one),
		cmocka_unit_test(an_empty_list_of_events_pushes_none),
		cmocka_unit_test(sixty_two_users_can_be_allowed),
		cmocka_unit_test(errors_name_line_key_value_and_remedy),
		cmocka_unit_test(the_same_credential_name_twice_is_an_error),
		cmocka_unit_test(a_file_that_ends_too_early_is_an_error),
		cmocka_unit_test(
			a_file_that_cannot_be_included_is_named_with_the_line_that_includes_it),
		cmocka_unit_test(a_file_that_comes_to_the_included_ones_is_no_key_that_changes),
		cmocka_unit_test(the_reader_has_no_key_of_its_own_that_could_be_written),
		cmocka_unit_test(a_login_to_a_page_that_is_not_there_is_an_error),
		cmocka_unit_test(a_path_that_is_no_file_is_said_with_the_option_that_gives_another),
		cmocka_unit_test(each_key_that_changes_and_waits_for_a_restart_is_named),
		cmocka_unit_test(other_keys_and_sections_that_change_are_named_too),
		cmocka_unit_test(a_file_that_changes_is_a_key_that_changes),
		cmocka_unit_test(what_need_not_wait_is_taken),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
