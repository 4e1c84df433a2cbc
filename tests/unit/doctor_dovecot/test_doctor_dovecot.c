/* What doctor understands of doveconf and of modules; tests/system/test_doctor_dovecot.py has both.
 */
#include "base/mem.h"
#include "doctor_dovecot/doveconf.h"
#include "doctor_dovecot/doveconf_text.h"
#include "doctor_dovecot/dovecot_abi.h"
#include "doctor_dovecot/dovecot_plugins.h"
#include "doctor_dovecot/dovecot_processes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1800000000000)
#define MINUTE_MS INT64_C(60000)

static void plugins_are_read_as_each_release_prints_them(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *inherited;
		const char *plugins;
	} rows[] = {
		/* 2.3 */
		{"mail_plugins =  a sieve\n", NULL, " a sieve "},
		{"doveconf: Warning: x\nmail_plugins = a\n", NULL, " a "},
		{"mail_plugins = \n", " b ", " "},
		/* 2.4: a section adds, takes out, or sets anew */
		{"mail_plugins {\n  imap_mailpush = yes\n}\n", " notify mailpush ",
			" notify mailpush imap_mailpush "},
		{"mail_plugins {\n  mailpush = no\n}\n", " notify mailpush ", " notify "},
		{"mail_plugins = sieve\n", " notify mailpush ", " sieve "},
		{"mail_plugins {\n  a = yes\n", NULL, " a "},
		/* others */
		{"mail_plugins = a, b,c\n", NULL, " a b c "},
		{"", " a ", " a "},
		{"", NULL, " "},
		{"mail_pluginsx = a\nx mail_plugins = b", NULL, " "},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mem_auto char *plugins =
			doveconf_text_list(rows[i].text, "mail_plugins", rows[i].inherited);
		assert_string_equal(plugins, rows[i].plugins);
	}
	assert_true(doveconf_text_has(" imap_mailpush notify ", "notify"));
	assert_false(doveconf_text_has(" imap_mailpush notify ", "mailpush"));
}

static void values_are_found_by_their_whole_keys(void **state)
{
	(void)state;
	const char *text =
		"mail_uid_x = no\nplugin/mailpush_socket = /run/a b \nmail_uid = vmail\n";
	mem_auto char *user = doveconf_text_value(text, "mail_uid");
	mem_auto char *socket = doveconf_text_value(text, "plugin/mailpush_socket");
	assert_string_equal(user, "vmail");
	assert_string_equal(socket, "/run/a b");
	assert_null(doveconf_text_value(text, "mail"));
	assert_null(doveconf_text_value("", "mail_uid"));
}

static void the_user_of_a_static_userdb_is_found(void **state)
{
	(void)state;
	mem_auto char *of_2_3 =
		doveconf_text_id("userdb {\n  args = uid=vmail gid=mail home=/x\n}\n", "uid");
	mem_auto char *of_2_4 =
		doveconf_text_id("  fields {\n    gid = mail\n    uid = 5000\n  }\n", "uid");
	assert_string_equal(of_2_3, "vmail");
	assert_string_equal(of_2_4, "5000");
	mem_auto char *group = doveconf_text_id("  args = uid=vmail gid=mail home=/x\n", "gid");
	assert_string_equal(group, "mail");
	assert_null(doveconf_text_id("  args = gid=mail guid=x uid=\n", "uid"));
	assert_null(doveconf_text_id("    uid = %{passdb:uid}\n", "uid"));
	assert_null(doveconf_text_id("uid", "uid"));
}

static void a_userdb_of_the_systems_users_is_found(void **state)
{
	(void)state;
	assert_true(doveconf_text_is_passwd("userdb {\n  args = \n  driver = passwd\n}\n"));
	assert_true(doveconf_text_is_passwd("doveconf: Warning: x\nuserdb passwd {\n}\n"));
	assert_true(doveconf_text_is_passwd("userdb users {\n  userdb_driver = passwd\n}\n"));
	assert_false(doveconf_text_is_passwd("userdb {\n  driver = passwd-file\n}\n"));
	assert_false(doveconf_text_is_passwd("userdb {\n  driver = static\n  name = passwd\n}\n"));
	assert_false(doveconf_text_is_passwd("userdb passwd-file {\n}\n"));
	assert_false(doveconf_text_is_passwd(""));
}

/* As whom imap works then depends on which of them knows the user. */
static void users_of_the_system_beside_others_are_not_all(void **state)
{
	(void)state;
	assert_false(doveconf_text_is_passwd(
		"userdb {\n  driver = sql\n}\nuserdb {\n  driver = passwd\n}\n"));
	assert_false(doveconf_text_is_passwd(
		"userdb {\n  driver = passwd\n}\nuserdb {\n  driver = sql\n}\n"));
	assert_false(doveconf_text_is_passwd("userdb passwd {\n}\nuserdb sql {\n}\n"));
	assert_false(doveconf_text_is_passwd("userdb passwd {\n  driver = sql\n}\n"));
	assert_true(doveconf_text_is_passwd(
		"userdb passwd {\n  fields {\n  }\n}\nuserdb more {\n  driver = passwd\n}\n"));
}

static void a_version_and_an_error_are_found(void **state)
{
	(void)state;
	unsigned major;
	unsigned minor;
	assert_true(doveconf_text_version("2.3.19.1 (9b53102964)\n", &major, &minor));
	assert_int_equal(major, 2);
	assert_int_equal(minor, 3);
	assert_false(doveconf_text_version("usage\n", &major, &minor));
	mem_auto char *error = doveconf_text_error("a Warning: b\ndoveconf: Fatal: c\nd\n");
	assert_string_equal(error, "doveconf: Fatal: c");
	mem_auto char *other = doveconf_text_error("one\ntwo\n");
	assert_string_equal(other, "one");
}

static void the_abi_of_a_module_is_found(void **state)
{
	(void)state;
	char abi[DOVECOT_ABI_SIZE];
	static const char of_2_3[] = "\0x.ABIv\0002.3.ABIv19(2.3.19.1)\0";
	static const char of_2_4[] = "\0002.4.ABIv1\0";
	static const char none[] = ".ABIv1 2.ABIv";
	static const char long_one[] = "1111111111111111111111111111111111111111.ABIv1";
	assert_true(dovecot_abi_find(of_2_3, sizeof(of_2_3), abi));
	assert_string_equal(abi, "2.3.ABIv19");
	assert_true(dovecot_abi_find(of_2_4, sizeof(of_2_4), abi));
	assert_string_equal(abi, "2.4.ABIv1");
	assert_false(dovecot_abi_find(none, sizeof(none) - 1, abi));
	assert_false(dovecot_abi_find(long_one, sizeof(long_one) - 1, abi));
	assert_false(dovecot_abi_find("", 0, abi));
	assert_false(dovecot_abi_read("/nowhere", abi));
}

static struct doveconf conf_of(unsigned minor, char *imap, char *others)
{
	struct doveconf conf = {.path = "/etc/dovecot/dovecot.conf", .major = 2, .minor = minor};
	for (int i = 0; i < DOVECONF_PROTOCOLS; i++) {
		conf.plugins[i] = i == DOVECONF_IMAP ? imap : others;
		conf.is_offered[i] = i != DOVECONF_POP3;
	}
	return conf;
}

static void the_remedy_is_written_as_that_release_reads_it(void **state)
{
	(void)state;
	char imap[] = " notify mailpush ";
	char others[] = " notify mailpush ";
	struct report report = {0};
	struct doveconf conf = conf_of(3, imap, others);
	dovecot_plugins_judge(&report, &conf);
	assert_string_equal(report.list[0].run,
		"printf 'protocol imap {\\n  mail_plugins = $mail_plugins imap_mailpush\\n}\\n' "
		">>/etc/dovecot/dovecot.conf && systemctl restart dovecot");
	report_fini(&report);
	report = (struct report){0};
	conf.minor = 4;
	dovecot_plugins_judge(&report, &conf);
	assert_string_equal(report.list[0].run,
		"printf 'protocol imap {\\n  mail_plugins {\\n    imap_mailpush = yes\\n  "
		"}\\n}\\n' "
		">>/etc/dovecot/dovecot.conf && systemctl restart dovecot");
	report_fini(&report);
}

static void what_adds_all_that_is_missing_is_said_once(void **state)
{
	(void)state;
	char none[] = " ";
	struct report report = {0};
	struct doveconf conf = conf_of(3, none, none);
	dovecot_plugins_judge(&report, &conf);
	assert_int_equal(report.count, 3);
	assert_non_null(strstr(report.list[0].run,
		"protocol imap {\\n  mail_plugins = $mail_plugins notify mailpush imap_mailpush"));
	for (size_t i = 1; i < report.count; i++) {
		assert_null(report.list[i].run);
		assert_non_null(strstr(report.list[i].why, "; the command above mends this too"));
	}
	report_fini(&report);
}

static void programs_that_are_not_offered_need_no_plugin(void **state)
{
	(void)state;
	char imap[] = " notify mailpush imap_mailpush ";
	char others[] = " notify mailpush ";
	char none[] = " ";
	struct report report = {0};
	struct doveconf conf = conf_of(3, imap, others);
	conf.plugins[DOVECONF_POP3] = none;
	dovecot_plugins_judge(&report, &conf);
	assert_int_equal(report.count, 1);
	assert_string_equal(report.list[0].why, "mailpush is loaded by imap, lmtp, lda, doveadm");
	report_fini(&report);
}

static void the_process_log_says_when_dovecot_has_read_its_configuration(void **state)
{
	(void)state;
	struct process list[] = {
		{.name = "dovecot", .pid = 2, .parent = 1, .age_ms = 90 * MINUTE_MS},
		{.name = "anvil", .pid = 3, .parent = 2, .age_ms = 90 * MINUTE_MS},
		{.name = "log", .pid = 4, .parent = 2, .age_ms = 30 * MINUTE_MS},
		{.name = "imap", .pid = 5, .parent = 2, .age_ms = 60 * MINUTE_MS},
		/* Will be one of them. */
		{.name = "dovecot", .pid = 6, .parent = 2, .age_ms = MINUTE_MS},
	};
	static const struct {
		int64_t changed_ago_ms;
		enum report_level level;
		const char *word;
	} rows[] = {
		{70 * MINUTE_MS, REPORT_OK, "Dovecot has read FILE since it was changed"},
		{40 * MINUTE_MS, REPORT_WARN, "1 process of imap"},
		{20 * MINUTE_MS, REPORT_WARN,
			"FILE was changed 20 min ago, and Dovecot has not read"},
		{-MINUTE_MS, REPORT_WARN, "the clock was set back"},
	};
	const struct processes dovecot = {.list = list, .count = sizeof(list) / sizeof(list[0])};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct report report = {0};
		dovecot_processes_judge(
			&report, &dovecot, "FILE", NOW_MS - rows[i].changed_ago_ms, NOW_MS);
		assert_int_equal(report.count, 1);
		assert_int_equal(report.list->level, rows[i].level);
		assert_non_null(strstr(report.list->why, rows[i].word));
		report_fini(&report);
	}
}

static void a_master_alone_has_read_its_configuration_at_its_start(void **state)
{
	(void)state;
	struct process master = {
		.name = "dovecot", .pid = 2, .parent = 1, .age_ms = 30 * MINUTE_MS};
	const struct processes dovecot = {.list = &master, .count = 1};
	const int64_t changed_ago_ms[] = {40 * MINUTE_MS, 20 * MINUTE_MS};
	const enum report_level levels[] = {REPORT_OK, REPORT_WARN};
	for (size_t i = 0; i < 2; i++) {
		struct report report = {0};
		dovecot_processes_judge(
			&report, &dovecot, "FILE", NOW_MS - changed_ago_ms[i], NOW_MS);
		assert_int_equal(report.count, 1);
		assert_int_equal(report.list->level, levels[i]);
		report_fini(&report);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plugins_are_read_as_each_release_prints_them),
		cmocka_unit_test(values_are_found_by_their_whole_keys),
		cmocka_unit_test(the_user_of_a_static_userdb_is_found),
		cmocka_unit_test(a_userdb_of_the_systems_users_is_found),
		cmocka_unit_test(users_of_the_system_beside_others_are_not_all),
		cmocka_unit_test(a_version_and_an_error_are_found),
		cmocka_unit_test(the_abi_of_a_module_is_found),
		cmocka_unit_test(the_remedy_is_written_as_that_release_reads_it),
		cmocka_unit_test(what_adds_all_that_is_missing_is_said_once),
		cmocka_unit_test(programs_that_are_not_offered_need_no_plugin),
		cmocka_unit_test(the_process_log_says_when_dovecot_has_read_its_configuration),
		cmocka_unit_test(a_master_alone_has_read_its_configuration_at_its_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
