#include "event/imapdconf.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

MEM_DEFINE_CLEANUP(conf_cleanup, struct imapdconf, imapdconf_free)
#define conf_auto __attribute__((cleanup(conf_cleanup)))

static struct imapdconf *parse(const char *text)
{
	struct imapdconf *conf = NULL;
	struct err err = {0};
	int r = imapdconf_parse("imapd.conf", text, strlen(text), NULL, NULL, &conf, &err);
	if (r < 0)
		print_message("%s\n", err.text);
	assert_int_equal(r, 0);
	return conf;
}

static void assert_refused(const char *text, const char *message)
{
	struct imapdconf *conf = NULL;
	struct err err = {0};
	int r = imapdconf_parse("imapd.conf", text, strlen(text), NULL, NULL, &conf, &err);
	assert_int_equal(r, -EINVAL);
	assert_null(conf);
	assert_string_equal(err.text, message);
}

static void what_is_not_set_has_cyrus_own_default(void **state)
{
	(void)state;
	conf_auto struct imapdconf *conf = parse("");
	assert_true(conf->names.altnamespace);
	assert_true(conf->names.unixhierarchysep);
	assert_false(conf->names.virtdomains);
	assert_string_equal(conf->names.defaultdomain, "internal");
	assert_string_equal(conf->names.userprefix, "Other Users");
	assert_string_equal(conf->names.sharedprefix, "Shared Folders");
	assert_string_equal(conf->servername, "");
	assert_string_equal(conf->aps_topic, "");
}

static void what_is_set_counts(void **state)
{
	(void)state;
	conf_auto struct imapdconf *conf = parse("altnamespace: no\n"
						 "unixhierarchysep: no\n"
						 "virtdomains: userid\n"
						 "defaultdomain: example.com\n"
						 "userprefix: Andere\n"
						 "sharedprefix: Gemeinsam hier\n"
						 "servername: mail.example.com\n"
						 "aps_topic: com.apple.mail.XServer.0\n");
	assert_false(conf->names.altnamespace);
	assert_false(conf->names.unixhierarchysep);
	assert_true(conf->names.virtdomains);
	assert_string_equal(conf->names.defaultdomain, "example.com");
	assert_string_equal(conf->names.userprefix, "Andere");
	assert_string_equal(conf->names.sharedprefix, "Gemeinsam hier");
	assert_string_equal(conf->servername, "mail.example.com");
	assert_string_equal(conf->aps_topic, "com.apple.mail.XServer.0");
}

static void administrators_are_named_for_all_services_or_for_one(void **state)
{
	(void)state;
	conf_auto struct imapdconf *none = parse("");
	assert_false(imapdconf_is_admin(none, NULL, "cyrus"));
	assert_false(imapdconf_is_admin(none, NULL, ""));

	conf_auto struct imapdconf *all = parse("admins: cyrus  Root\tadmin@example.org\n");
	assert_true(imapdconf_is_admin(all, NULL, "cyrus"));
	assert_true(imapdconf_is_admin(all, NULL, "root"));
	assert_true(imapdconf_is_admin(all, NULL, "admin@example.org"));
	assert_false(imapdconf_is_admin(all, NULL, "cyru"));
	assert_false(imapdconf_is_admin(all, NULL, "cyruss"));
	assert_false(imapdconf_is_admin(all, NULL, "alice"));

	/* Of one service: instead of the others, for that service. */
	conf_auto struct imapdconf *one = parse("admins: cyrus\nimap_admins: alice\n"
						"lmtp_admins: bob\n");
	assert_true(imapdconf_is_admin(one, NULL, "alice"));
	assert_true(imapdconf_is_admin(one, NULL, "cyrus"));
	assert_false(imapdconf_is_admin(one, NULL, "bob"));
	conf_auto struct imapdconf *both = parse("admins: cyrus\nimap_admins: alice\n"
						 "imaps_admins: alice\n");
	assert_false(imapdconf_is_admin(both, NULL, "cyrus"));
}

static void administrators_may_be_a_group(void **state)
{
	(void)state;
	conf_auto struct imapdconf *conf = parse("admins: cyrus group:staff\n");
	struct groups *groups = groups_new();
	groups_add(groups, "staff", (const char *const[]){"alice"}, 1);
	assert_true(imapdconf_is_admin(conf, groups, "alice"));
	assert_false(imapdconf_is_admin(conf, groups, "bob"));
	assert_false(imapdconf_is_admin(conf, NULL, "alice"));
	groups_free(groups);
}

static void switches_have_many_spellings(void **state)
{
	(void)state;
	static const char *const on[] = {"yes", "on", "t", "true", "1", "YES", "On", "True"};
	static const char *const off[] = {"no", "off", "f", "false", "0", "NO", "Off", "False"};
	for (size_t i = 0; i < sizeof(on) / sizeof(on[0]); i++) {
		char text[64];
		snprintf(text, sizeof(text), "virtdomains: %s\n", on[i]);
		conf_auto struct imapdconf *set = parse(text);
		assert_true(set->names.virtdomains);
		snprintf(text, sizeof(text), "altnamespace: %s\n", off[i]);
		conf_auto struct imapdconf *unset = parse(text);
		assert_false(unset->names.altnamespace);
	}
}

static void a_value_that_cyrus_refuses_is_refused_with_its_line(void **state)
{
	(void)state;
	assert_refused("# x\naltnamespace: perhaps\n",
		"imapd.conf:2: 'perhaps' is not a value of altnamespace; Cyrus accepts yes, no");
	assert_refused("virtdomains: all\n",
		"imapd.conf:1: 'all' is not a value of virtdomains; Cyrus accepts yes, no or "
		"userid");
	assert_refused("unixhierarchysep: userid\n",
		"imapd.conf:1: 'userid' is not a value of unixhierarchysep; Cyrus accepts yes, no");
}

static void white_space_and_case_of_keys_do_not_matter(void **state)
{
	(void)state;
	conf_auto struct imapdconf *conf =
		parse("  \t AltNamespace:no  \r\n\n\nUSERPREFIX:\tOther  Ones \t\nservername:x");
	assert_false(conf->names.altnamespace);
	assert_string_equal(conf->userprefix, "Other  Ones");
	assert_string_equal(conf->servername, "x");
}

static void comments_and_foreign_lines_are_skipped(void **state)
{
	(void)state;
	conf_auto struct imapdconf *conf = parse("#altnamespace: no\n"
						 " # altnamespace: no\n"
						 "no colon here\n"
						 "lmtp_altnamespace: no\n"
						 "sasl_mech_list: PLAIN\n"
						 ": no\n");
	assert_true(conf->names.altnamespace);
}

static void a_value_may_hold_a_colon_or_a_hash(void **state)
{
	(void)state;
	conf_auto struct imapdconf *conf = parse("userprefix: a:b # c\n");
	assert_string_equal(conf->userprefix, "a:b # c");
}

static void a_backslash_continues_the_line(void **state)
{
	(void)state;
	conf_auto struct imapdconf *conf = parse("userprefix: Other \\\nUsers\\\n here\n"
						 "# a comment \\\naltnamespace: no\n"
						 "servername: last\\");
	assert_string_equal(conf->userprefix, "Other Users here");
	assert_true(conf->names.altnamespace);
	assert_string_equal(conf->servername, "last\\");
}

static void lines_are_counted_through_continuations(void **state)
{
	(void)state;
	assert_refused("userprefix: a\\\nb\nvirtdomains: x\n",
		"imapd.conf:3: 'x' is not a value of virtdomains; Cyrus accepts yes, no or userid");
}

static void the_first_key_that_is_set_again_is_reported(void **state)
{
	(void)state;
	conf_auto struct imapdconf *conf = parse("admins: cyrus\n# admins: x\nother: 1\n"
						 "Admins: root\nother: 2\n");
	assert_string_equal(conf->doubled, "imapd.conf:4 sets Admins, as imapd.conf:1 does");
	conf_auto struct imapdconf *plain = parse("admins: cyrus\nimap_admins: cyrus\n");
	assert_null(plain->doubled);
}

static void a_line_for_one_service_is_kept_apart(void **state)
{
	(void)state;
	conf_auto struct imapdconf *conf =
		parse("event_groups: message\nlmtp_event_groups: flags\nLMTP_notifysocket : x\n");
	assert_string_equal(imapdconf_find(conf, "event_groups")->value, "message");
	assert_null(conf->doubled);
	assert_string_equal(conf->of_one_service, "LMTP_notifysocket in imapd.conf:3");
	conf_auto struct imapdconf *plain = parse("cyrus_user: cyrus\n_event_groups: x\n");
	assert_null(plain->of_one_service);
}

static int read_empty(void *ctx, const char *path, struct buf *ret, struct err *err)
{
	(void)ctx;
	(void)path;
	(void)ret;
	(void)err;
	return 0;
}

static void a_line_that_cyrus_does_not_start_with_is_reported(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *fatal; /* NULL: Cyrus takes it */
	} rows[] = {
		{"# x\n\n  \t\n a-b_1:x\n@include: /dev/null\n", NULL},
		{"a: b\nc:  \nd\n", "imapd.conf:2: c has no value"},
		{"servername : x\n", "imapd.conf:1 is not of the form \"key: value\""},
		{"\n\xef\xbb\xbf"
		 "a: b\n",
			"imapd.conf:2 is not of the form \"key: value\""},
		{"event_groups message\n", "imapd.conf:1 is not of the form \"key: value\""},
		{"x", "imapd.conf:1 is not of the form \"key: value\""},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct imapdconf *conf = NULL;
		struct err err;
		assert_int_equal(imapdconf_parse("imapd.conf", rows[i].text, strlen(rows[i].text),
					 read_empty, NULL, &conf, &err),
			0);
		if (rows[i].fatal)
			assert_string_equal(conf->fatal_line, rows[i].fatal);
		else
			assert_null(conf->fatal_line);
		imapdconf_free(conf);
	}
}

/* A folder with two files, one of which includes the other and itself. */
static int read_included(void *ctx, const char *path, struct buf *ret, struct err *err)
{
	unsigned *reads = ctx;
	(*reads)++;
	if (strcmp(path, "/etc/a.conf") == 0)
		buf_append_text(
			ret, "altnamespace: no\n@include: /etc/b.conf\n@include: /etc/a.conf\n");
	else if (strcmp(path, "/etc/b.conf") == 0)
		buf_append_text(ret, "servername: from-b\n");
	else if (strcmp(path, "/etc/bad.conf") == 0)
		buf_append_text(ret, "\naltnamespace: bad\n");
	else
		return err_set(err, -ENOENT, "'%s': No such file or directory", path);
	return 0;
}

static void included_files_are_read_once(void **state)
{
	(void)state;
	const char *text = "@include: /etc/a.conf\n@INCLUDE: /etc/b.conf\nuserprefix: here\n";
	unsigned reads = 0;
	struct err err;
	conf_auto struct imapdconf *conf = NULL;
	assert_int_equal(imapdconf_parse("imapd.conf", text, strlen(text), read_included, &reads,
				 &conf, &err),
		0);
	assert_int_equal(reads, 2);
	assert_false(conf->names.altnamespace);
	assert_string_equal(conf->servername, "from-b");
	assert_string_equal(conf->userprefix, "here");
}

static void what_is_wrong_with_an_included_file_is_reported(void **state)
{
	(void)state;
	unsigned reads = 0;
	struct err err;
	struct imapdconf *conf = NULL;
	const char *missing = "\n@include: /etc/none.conf\n";
	assert_int_equal(imapdconf_parse("imapd.conf", missing, strlen(missing), read_included,
				 &reads, &conf, &err),
		-ENOENT);
	assert_string_equal(
		err.text, "imapd.conf:2: @include: '/etc/none.conf': No such file or directory");
	const char *bad = "@include: /etc/bad.conf\n";
	assert_int_equal(
		imapdconf_parse("imapd.conf", bad, strlen(bad), read_included, &reads, &conf, &err),
		-EINVAL);
	assert_string_equal(err.text,
		"imapd.conf:1: @include: /etc/bad.conf:2: 'bad' is not a value of altnamespace; "
		"Cyrus accepts yes, no");
	assert_null(conf);
}

static int read_endlessly(void *ctx, const char *path, struct buf *ret, struct err *err)
{
	(void)path;
	(void)err;
	buf_printf(ret, "@include: /%u\n", ++*(unsigned *)ctx);
	return 0;
}

static void includes_without_end_are_refused(void **state)
{
	(void)state;
	const char *text = "@include: /0\n";
	unsigned reads = 0;
	struct err err;
	struct imapdconf *conf = NULL;
	assert_int_equal(imapdconf_parse("imapd.conf", text, strlen(text), read_endlessly, &reads,
				 &conf, &err),
		-E2BIG);
	assert_int_equal(reads, IMAPDCONF_FILES_MAX);
	assert_null(conf);
}

static void without_a_reader_an_include_is_refused(void **state)
{
	(void)state;
	assert_refused("@include: /etc/more.conf\n",
		"imapd.conf:1: @include: '/etc/more.conf' is not read here");
}

static void a_file_of_another_kind_is_refused(void **state)
{
	(void)state;
	struct imapdconf *conf = NULL;
	struct err err;
	assert_int_equal(imapdconf_parse("x", "a: b\n\0", 6, NULL, NULL, &conf, &err), -EINVAL);
	static char large[IMAPDCONF_TEXT_MAX + 1];
	memset(large, '#', sizeof(large));
	assert_int_equal(
		imapdconf_parse("x", large, sizeof(large), NULL, NULL, &conf, &err), -EMSGSIZE);
	assert_null(conf);
}

static int read_events(void *ctx, const char *path, struct buf *ret, struct err *err)
{
	(void)ctx;
	(void)err;
	assert_string_equal(path, "/etc/events.conf");
	buf_append_text(ret, "\nEvent_Groups: message\n");
	return 0;
}

static void a_setting_is_reported_with_where_it_stands(void **state)
{
	(void)state;
	static const char text[] = "event_notifier: log\n@include: /etc/events.conf\n"
				   "event_notifier: \\\nexternal\n";
	conf_auto struct imapdconf *conf = NULL;
	struct err err;
	assert_int_equal(imapdconf_parse("/etc/imapd.conf", text, strlen(text), read_events, NULL,
				 &conf, &err),
		0);
	const struct imapdconf_setting *notifier = imapdconf_find(conf, "event_notifier");
	assert_string_equal(notifier->value, "external");
	assert_string_equal(notifier->file, "/etc/imapd.conf");
	assert_int_equal(notifier->line, 3);
	assert_string_equal(
		conf->doubled, "/etc/imapd.conf:3 sets event_notifier, as /etc/imapd.conf:1 does");
	const struct imapdconf_setting *groups = imapdconf_find(conf, "event_groups");
	assert_string_equal(groups->value, "message");
	assert_string_equal(groups->file, "/etc/events.conf");
	assert_int_equal(groups->line, 2);
	assert_null(imapdconf_find(conf, "notifysocket")->value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_setting_is_reported_with_where_it_stands),
		cmocka_unit_test(what_is_not_set_has_cyrus_own_default),
		cmocka_unit_test(what_is_set_counts),
		cmocka_unit_test(administrators_are_named_for_all_services_or_for_one),
		cmocka_unit_test(administrators_may_be_a_group),
		cmocka_unit_test(switches_have_many_spellings),
		cmocka_unit_test(a_value_that_cyrus_refuses_is_refused_with_its_line),
		cmocka_unit_test(white_space_and_case_of_keys_do_not_matter),
		cmocka_unit_test(comments_and_foreign_lines_are_skipped),
		cmocka_unit_test(a_value_may_hold_a_colon_or_a_hash),
		cmocka_unit_test(a_backslash_continues_the_line),
		cmocka_unit_test(lines_are_counted_through_continuations),
		cmocka_unit_test(the_first_key_that_is_set_again_is_reported),
		cmocka_unit_test(a_line_for_one_service_is_kept_apart),
		cmocka_unit_test(a_line_that_cyrus_does_not_start_with_is_reported),
		cmocka_unit_test(included_files_are_read_once),
		cmocka_unit_test(what_is_wrong_with_an_included_file_is_reported),
		cmocka_unit_test(includes_without_end_are_refused),
		cmocka_unit_test(without_a_reader_an_include_is_refused),
		cmocka_unit_test(a_file_of_another_kind_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
