#include "config/config_consistency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "config/config_file.h"

#include <string.h>

#define LONG_TOPIC "com.apple.mail.XServer.01234567-89ab-cdef-0123-456789abcdef"
#define SHORT_TOPIC "com.apple.mobilemail.push.org.example"
#define OTHER_SHORT_TOPIC "com.apple.mobilemail.push.net.example"

#define XAPS "xaps_listen = \"127.0.0.1:11619\"\n"
#define FOR(name, domains) \
	"credential \"" name "\" { certificate = \"/c\" domains = { " domains " } }\n"
#define FOR_OTHERS(name) "credential \"" name "\" { certificate = \"/c\" }\n"

static void on_warning(void *ctx, const char *key, const char *text)
{
	buf_printf(ctx, "%s: %s\n", key, text);
}

/*
 * All warnings of a mailpush.conf without Cyrus, or (aps_topic) with a Cyrus that has this one.
 * `topics`: of the credentials, as far as these can be read.
 */
static void warn(
	struct buf *ret, const char *text, const char *aps_topic, const char *const topics[])
{
	buf_auto struct buf conf;
	buf_init(&conf);
	buf_init(ret);
	buf_printf(&conf, "%simapd_conf = \"%s\"\nsocket_group = \"\"\n", text,
		aps_topic ? "/etc/imapd.conf" : "");
	struct config *config = NULL;
	struct err err = {""};
	if (config_file_read_text("mailpush.conf", buf_text(&conf), conf.used, &config, &err))
		fail_msg("%s", err.text);
	struct imapdconf imapdconf = {.aps_topic = (char *)(aps_topic ? aps_topic : "")};
	struct credential credentials[CONFIG_CREDENTIALS_MAX] = {0};
	struct input_files input_files = {
		.imapdconf = &imapdconf, .credential_count = config->credential_count};
	for (unsigned i = 0; i < config->credential_count; i++) {
		credentials[i].topic = (char *)topics[i];
		input_files.credentials[i] = topics[i] ? &credentials[i] : NULL;
	}
	config_consistency_warn(config, &input_files, on_warning, ret);
	buf_text(ret);
	config_file_free(config);
}

static unsigned count(struct buf *text, const char *part)
{
	unsigned found = 0;
	for (const char *at = buf_text(text); (at = strstr(at, part)); at++)
		found++;
	return found;
}

static void each_topic_too_short_for_the_plugin_for_xapsd_is_told_once(void **state)
{
	(void)state;
	static const char text[] = XAPS FOR_OTHERS("a") FOR("b", "b.example") FOR("c", "c.example")
		FOR("d", "d.example") FOR("e", "e.example");
	const char *const topics[] = {
		LONG_TOPIC, SHORT_TOPIC, LONG_TOPIC "2", OTHER_SHORT_TOPIC, NULL};
	buf_auto struct buf said;
	warn(&said, text, NULL, topics);
	assert_int_equal(count(&said, "xaps_listen: the topic " SHORT_TOPIC " is so short"), 1);
	assert_int_equal(
		count(&said, "xaps_listen: the topic " OTHER_SHORT_TOPIC " is so short"), 1);
	assert_int_equal(count(&said, "\n"), 2);
}

static void aps_topic_is_told_once_though_a_domain_has_it_too(void **state)
{
	(void)state;
	const char *const topics[] = {SHORT_TOPIC, LONG_TOPIC};
	buf_auto struct buf said;
	warn(&said, XAPS FOR("a", "a.example") FOR_OTHERS("b"), SHORT_TOPIC, topics);
	assert_int_equal(count(&said, "xaps_listen: the topic " SHORT_TOPIC " is so short"), 1);
	assert_int_equal(count(&said, "\n"), 1);
}

/* Nor the topic of a credential for others that is not the first: nobody gets it. */
static void other_ways_than_the_plugin_s_may_have_short_topics(void **state)
{
	(void)state;
	const char *const topics[] = {SHORT_TOPIC, OTHER_SHORT_TOPIC};
	const char *const one[] = {LONG_TOPIC, SHORT_TOPIC};
	buf_auto struct buf said, of_two;
	warn(&said, "dovecot_socket = \"/run/d\"\n" FOR("a", "a.example") FOR_OTHERS("b"), NULL,
		topics);
	assert_string_equal(buf_text(&said), "");
	warn(&of_two, XAPS FOR_OTHERS("a") FOR_OTHERS("b"), NULL, one);
	assert_string_equal(buf_text(&of_two), "");
}

static void users_of_other_domains_without_a_topic_are_told(void **state)
{
	(void)state;
	static const char *const doors[] = {
		"dovecot_socket = \"/run/d\"\n", "xaps_socket = \"/run/x\"\n", XAPS};
	const char *const topics[] = {LONG_TOPIC, NULL};
	for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++) {
		buf_auto struct buf conf, said;
		buf_init(&conf);
		buf_printf(&conf, "%s%s", doors[i],
			FOR("a", "a.example, b.example") FOR("b", "c.example"));
		warn(&said, buf_text(&conf), NULL, topics);
		assert_int_equal(count(&said, "domains: every credential lists some"), 1);
		assert_int_equal(count(&said, "add a credential without them\n"), 1);
		assert_int_equal(count(&said, "\n"), 1);
	}
	/* Dovecot with our own plugin does not get Cyrus' topic. */
	buf_auto struct buf with_cyrus;
	warn(&with_cyrus, "dovecot_socket = \"/run/d\"\n" FOR("a", "a.example"), LONG_TOPIC,
		topics);
	assert_int_equal(count(&with_cyrus, "domains: every credential lists some"), 1);
}

static void where_others_have_a_topic_all_is_well(void **state)
{
	(void)state;
	const char *const topics[] = {LONG_TOPIC, NULL};
	buf_auto struct buf with_aps_topic, with_another, with_none;
	warn(&with_aps_topic, XAPS FOR("a", "a.example"), LONG_TOPIC, topics);
	assert_string_equal(buf_text(&with_aps_topic), "");
	/* Its file cannot be read, which is another matter. */
	warn(&with_another, XAPS FOR("a", "a.example") FOR_OTHERS("b"), NULL, topics);
	assert_string_equal(buf_text(&with_another), "");
	warn(&with_none, XAPS, NULL, topics);
	assert_string_equal(buf_text(&with_none), "");
}

static void a_policy_that_pushes_nothing_is_told(void **state)
{
	(void)state;
	const char *const topics[] = {NULL};
	buf_auto struct buf of_none, of_one;
	warn(&of_none, "urgent_events = {}\ndeferred_events = {}\n", LONG_TOPIC, topics);
	assert_int_equal(
		count(&of_none, "urgent_events: it is empty, and so is deferred_events"), 1);
	assert_int_equal(count(&of_none, "\n"), 1);
	warn(&of_one, "urgent_events = {}\n", LONG_TOPIC, topics);
	assert_string_equal(buf_text(&of_one), "");
}

static void sockets_that_nobody_can_use_are_told(void **state)
{
	(void)state;
	const char *const topics[] = {NULL};
	buf_auto struct buf said, of_owner;
	warn(&said, "socket_mode = 0\n", LONG_TOPIC, topics);
	assert_int_equal(count(&said, "socket_mode: nobody but root can connect"), 1);
	assert_int_equal(count(&said, "\n"), 1);
	warn(&of_owner, "socket_mode = 0600\n", LONG_TOPIC, topics);
	assert_string_equal(buf_text(&of_owner), "");
}

static void domains_are_idle_with_cyrus_alone(void **state)
{
	(void)state;
	const char *const topics[] = {SHORT_TOPIC};
	buf_auto struct buf said;
	warn(&said, FOR("a", "a.example"), SHORT_TOPIC, topics);
	assert_int_equal(count(&said, "domains: those of credentials have no effect"), 1);
	assert_int_equal(count(&said, "\n"), 1);
}

static void users_of_the_system_who_are_none_of_cyrus_are_told(void **state)
{
	(void)state;
	static const char *const fine[] = {
		"dovecot_socket = \"/run/d\"\n",
		"dovecot_system_users = yes\n",
		"dovecot_socket = \"/run/d\"\ndovecot_system_users = yes\ndovecot_site = dove\n",
	};
	const char *const topics[] = {NULL};
	buf_auto struct buf said, without_cyrus;
	warn(&said, "dovecot_socket = \"/run/d\"\ndovecot_system_users = yes\n", LONG_TOPIC,
		topics);
	assert_string_equal(buf_text(&said),
		"dovecot_system_users: users of the system can speak for Cyrus' users of the same "
		"name; set dovecot_site\n");
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		buf_auto struct buf of_fine;
		warn(&of_fine, fine[i], LONG_TOPIC, topics);
		assert_string_equal(buf_text(&of_fine), "");
	}
	warn(&without_cyrus, "dovecot_socket = \"/run/d\"\ndovecot_system_users = yes\n", NULL,
		topics);
	assert_string_equal(buf_text(&without_cyrus), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_topic_too_short_for_the_plugin_for_xapsd_is_told_once),
		cmocka_unit_test(aps_topic_is_told_once_though_a_domain_has_it_too),
		cmocka_unit_test(other_ways_than_the_plugin_s_may_have_short_topics),
		cmocka_unit_test(users_of_other_domains_without_a_topic_are_told),
		cmocka_unit_test(where_others_have_a_topic_all_is_well),
		cmocka_unit_test(a_policy_that_pushes_nothing_is_told),
		cmocka_unit_test(sockets_that_nobody_can_use_are_told),
		cmocka_unit_test(domains_are_idle_with_cyrus_alone),
		cmocka_unit_test(users_of_the_system_who_are_none_of_cyrus_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
