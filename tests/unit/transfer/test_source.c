/* What each source makes of what it finds. */
#include "base/mem.h"
#include "transfer/source.h"
#include "transfer/time_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#define TOKEN "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* A source that is read to its end. */
struct reading {
	json_t *found;
	unsigned refused;
	enum source_found end;
	char error[ERR_TEXT_MAX]; /* the last one */
	char where[SOURCE_WHERE_MAX];
	char warning[256];
};

static struct reading read_source(
	const char *kind, const char *text, const char *place, const char *columns)
{
	struct reading reading = {.found = json_array()};
	const struct source_ops *ops = source_kind(kind);
	struct source_settings settings = {.place = place, .columns = columns};
	struct source *source = NULL;
	struct err err = {.text = ""};
	if (text)
		settings.file = fmemopen((void *)text, strlen(text), "r");
	reading.end = SOURCE_FAILED;
	if (ops->open(&settings, &source, &err) == 0) {
		for (;;) {
			json_t *json = NULL;
			reading.end = ops->next(source, &json, &err);
			ops->where(source, reading.where);
			if (reading.end == SOURCE_FOUND)
				json_array_append_new(reading.found, json);
			else if (reading.end == SOURCE_REFUSED)
				reading.refused++;
			else
				break;
		}
		const char *warning = ops->warning(source);
		snprintf(reading.warning, sizeof(reading.warning), "%s", warning ? warning : "");
		ops->close(source);
	}
	snprintf(reading.error, sizeof(reading.error), "%s", err.text);
	if (settings.file)
		fclose(settings.file);
	return reading;
}

/* The registrations found, as compact JSON; frees them. */
static void assert_found(struct reading *reading, const char *wanted)
{
	char *text = json_dumps(reading->found, JSON_COMPACT | JSON_REAL_PRECISION(13));
	assert_string_equal(text, wanted);
	free(text);
	json_decref(reading->found);
}

static void lines_are_objects_and_others_are_refused(void **state)
{
	(void)state;
	struct reading reading =
		read_source("export", "{\"a\":1}\n\n  \r\nnonsense\n[]\n{\"b\":2}", "f", NULL);
	assert_int_equal(reading.end, SOURCE_END);
	assert_int_equal(reading.refused, 2);
	assert_string_equal(reading.where, "line 7");
	assert_found(&reading, "[{\"a\":1},{\"b\":2}]");
}

static void a_line_beyond_the_bound_is_refused_and_the_next_one_read(void **state)
{
	(void)state;
	mem_auto char *text = mem_alloc(SOURCE_OBJECT_MAX + 64);
	memset(text, 'x', SOURCE_OBJECT_MAX + 1);
	strcpy(text + SOURCE_OBJECT_MAX + 1, "\n{\"a\":1}\n");
	struct reading reading = read_source("export", text, "f", NULL);
	assert_int_equal(reading.refused, 1);
	assert_found(&reading, "[{\"a\":1}]");
}

#define REGISTRATION(user, id, mailboxes, rest)       \
	"{\"user\":\"" user "\",\"account_id\":\"" id \
	"\",\"subtopic\":\"com.apple.mobilemail\",\"version\":2,\"mailboxes\":" mailboxes rest "}"

static void xapsd_files_of_all_ages_are_understood(void **state)
{
	(void)state;
	struct reading reading = read_source("xapsd",
		"{ \"Users\": {\n"
		" \"alice\": {\"Accounts\": {\n"
		"  \"A-1\": {\"DeviceToken\": \"" TOKEN
		"\", \"Mailboxes\": [\"INBOX\", \"Sent\"],\n"
		"   \"RegistrationTime\": \"2026-05-06T09:08:09.500000000+02:00\"},\n"
		"  \"A-2\": {\"DeviceToken\": \"" TOKEN "\", \"Mailboxes\": null}}},\n"
		" \"bob\": {\"Accounts\": {}},\n"
		" \"Carol\": {\"Accounts\": {\"C\": {\"DeviceToken\": \"" TOKEN "\",\n"
		"  \"RegistrationTime\": \"0001-01-01T00:00:00Z\"}}}\n"
		"}}",
		"database.json", NULL);
	assert_int_equal(reading.end, SOURCE_END);
	assert_int_equal(reading.refused, 0);
	assert_string_equal(reading.warning, "");
	assert_found(&reading,
		"[" REGISTRATION("alice", "A-1", "[\"INBOX\",\"Sent\"]",
			",\"token\":\"" TOKEN
			"\",\"renewed\":1778051289.5") "," REGISTRATION("alice", "A-2",
			"[\"INBOX\"]", ",\"token\":\"" TOKEN "\"") "," REGISTRATION("Carol", "C",
			"[\"INBOX\"]", ",\"token\":\"" TOKEN "\"") "]");
}

static void keys_in_xapsd_files_are_passed_over_with_a_warning(void **state)
{
	(void)state;
	struct reading reading = read_source("xapsd",
		"{\"AppleCerts\":{\"Mail\":{\"Key\":\"SECRET\",\"Users\":{}}},\"Version\":3,"
		"\"Flag\":true,\"Users\":{\"alice\":{\"Accounts\":{\"A\":{}}}},\"More\":[1,{}]}",
		"database.json", NULL);
	assert_int_equal(reading.end, SOURCE_END);
	assert_non_null(strstr(reading.warning, "private keys"));
	assert_found(&reading, "[" REGISTRATION("alice", "A", "[\"INBOX\"]", "") "]");
}

static void what_is_odd_in_an_xapsd_file_is_refused_alone(void **state)
{
	(void)state;
	struct reading reading = read_source("xapsd",
		"{\"Users\":{\"a\":{\"Accounts\":3},\"b\":{},\"c\":{\"Accounts\":{\"x\":1,"
		"\"y\":{\"RegistrationTime\":\"soon\"},\"z\":{}}}}}",
		"database.json", NULL);
	assert_int_equal(reading.end, SOURCE_END);
	assert_int_equal(reading.refused, 4);
	assert_found(&reading, "[" REGISTRATION("c", "z", "[\"INBOX\"]", "") "]");
}

static void a_cut_or_foreign_file_fails_after_what_was_whole(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "[]", "{\"Users\":", "{\"Users\":{\"a\":[]}}",
		"{\"Users\":{\"a\":{\"Accounts\":{\"x\":{", "{\"Users\":{\"a\" {}}}", "{,}"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct reading reading =
			read_source("xapsd", *texts[i] ? texts[i] : " ", "f", NULL);
		assert_int_equal(reading.end, SOURCE_FAILED);
		assert_string_equal(
			reading.error, "f is not a database.json of xapsd, or is damaged");
		assert_found(&reading, "[]");
	}
}

static char *make_database(const char *sql)
{
	static char path[] = "/tmp/mailpush-transfer-XXXXXX";
	strcpy(path, "/tmp/mailpush-transfer-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	return path;
}

static void tables_of_a_script_are_read(void **state)
{
	(void)state;
	const char *path = make_database(
		"CREATE TABLE devices (device_token TEXT, account_id TEXT, user TEXT, time TEXT);"
		"CREATE TABLE mailboxes (user TEXT, mailbox TEXT);"
		"INSERT INTO devices VALUES ('" TOKEN "', 'A', 'alice', '2026-05-06 07:08:09'),"
		" ('" TOKEN "', 'B', 'bob', '1778051289'), ('" TOKEN "', 'C', 'carol', NULL),"
		" ('x', 'D', 'dave', 'soon'), ('x', 'E', 'erin', 'infinity'),"
		" ('" TOKEN "', 'F', 'alice', 1e400);"
		"INSERT INTO mailboxes VALUES ('alice', 'INBOX'), ('alice', 'Sent');");
	mem_auto char *dsn = mem_printf("sqlite:%s", path);
	struct reading reading = read_source("sql", NULL, dsn, NULL);
	unlink(path);
	assert_string_equal(reading.error, "its time is not a time");
	assert_int_equal(reading.end, SOURCE_END);
	assert_int_equal(reading.refused, 3);
	assert_string_equal(reading.where, "row 6");
#define ROW(user, id, mailboxes, time)                                                  \
	"{\"subtopic\":\"com.apple.mobilemail\",\"version\":2,\"mailboxes\":" mailboxes \
	",\"token\":\"" TOKEN "\",\"account_id\":\"" id "\",\"user\":\"" user "\"" time "}"
	assert_found(&reading,
		"[" ROW("alice", "A", "[\"INBOX\",\"Sent\"]", ",\"renewed\":1778051289.0") "," ROW(
			"bob", "B", "[\"INBOX\"]", ",\"renewed\":1778051289.0") "," ROW("carol",
			"C", "[\"INBOX\"]", "") "]");
}

/* Each has all the mailboxes of its user, and what is not of its own is not cut by it. */
static void devices_of_one_user_share_the_mailboxes(void **state)
{
	(void)state;
	const char *path = make_database(
		"CREATE TABLE devices (device_token TEXT COLLATE NOCASE, account_id TEXT,"
		" user TEXT COLLATE NOCASE, time INTEGER);"
		"CREATE TABLE mailboxes (user TEXT COLLATE NOCASE, mailbox TEXT);"
		"INSERT INTO devices VALUES ('" TOKEN "', 'B', 'alice', 5), ('" TOKEN
		"', 'A', 'Alice', 5), ('" TOKEN "', 'A', 'alice', 5), ('" TOKEN
		"', NULL, NULL, 5), ('" TOKEN "', 'A', 'alice', 7);"
		"INSERT INTO mailboxes VALUES ('alice', 'INBOX'), ('alice', 'Sent'),"
		" ('bob', 'INBOX');");
	mem_auto char *dsn = mem_printf("sqlite:%s", path);
	struct reading reading = read_source("sql", NULL, dsn, NULL);
	unlink(path);
	assert_string_equal(reading.where, "row 5");
#define BOTH "[\"INBOX\",\"Sent\"]"
	assert_found(&reading,
		"[{\"subtopic\":\"com.apple.mobilemail\",\"version\":2,\"mailboxes\":[\"INBOX\"],"
		"\"token\":\"" TOKEN "\",\"account_id\":null,\"user\":null,\"renewed\":5.0}," ROW(
			"Alice", "A", BOTH, ",\"renewed\":5.0") "," ROW("alice", "A", BOTH,
			",\"renewed\":5.0") "," ROW("alice", "A", BOTH,
			",\"renewed\":7.0") "," ROW("alice", "B", BOTH, ",\"renewed\":5.0") "]");
}

static void tables_and_columns_may_have_other_names(void **state)
{
	(void)state;
	const char *path = make_database(
		"CREATE TABLE \"my \"\"phones\" (tok TEXT, acc TEXT, who TEXT, seen INTEGER);"
		"CREATE TABLE boxes (who TEXT, name TEXT);"
		"INSERT INTO \"my \"\"phones\" VALUES ('" TOKEN "', 'A', 'alice', 1778051289500);"
		"INSERT INTO boxes VALUES ('alice', 'Notes');");
	mem_auto char *dsn = mem_printf("sqlite:%s", path);
	struct reading reading = read_source("sql", NULL, dsn,
		"devices=my \"phones,device_token=tok,account_id=acc,user=who,time=seen,"
		"mailboxes=boxes,mailbox_user=who,mailbox=name");
	assert_found(
		&reading, "[" ROW("alice", "A", "[\"Notes\"]", ",\"renewed\":1778051289.5") "]");
	reading = read_source("sql", NULL, dsn, "tables=x");
	assert_non_null(strstr(reading.error, "--columns: 'tables' must be one of devices="));
	json_decref(reading.found);
	reading = read_source("sql", NULL, dsn, NULL);
	assert_non_null(strstr(reading.error, "no such table"));
	json_decref(reading.found);
	reading = read_source("sql", NULL, dsn,
		"devices=my \"phones,device_token=tok,account_id=acc,mailboxes=boxes,"
		"mailbox_user=who,mailbox=name,time=seen");
	assert_non_null(strstr(reading.error, "no such column"));
	json_decref(reading.found);
	unlink(path);
	reading = read_source("sql", NULL, "oracle:here", NULL);
	assert_non_null(strstr(reading.error, "write sqlite:/path/to/file"));
	json_decref(reading.found);
}

static void a_password_in_a_url_is_refused_and_not_repeated(void **state)
{
	static const char *const urls[] = {"postgresql://u:geheim@h/d",
		"postgresql://u@h/d?pass%77ord=geheim", "postgresql://u@h/d?pass%77ord=geheim%zz",
		"postgresql://u@h/d?scram_client_key=geheim%zz", "mysql://u@h/d?passwd=geheim"};
	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct reading reading = read_source("sql", NULL, urls[i], NULL);
		assert_non_null(strstr(reading.error, "name that with --password-file"));
		assert_null(strstr(reading.error, "geheim"));
		json_decref(reading.found);
	}
}

static void times_are_read_as_others_write_them(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_fine;
		double s;
	} rows[] = {
		{"2026-05-06T07:08:09Z", true, 1778051289},
		{"2026-05-06 07:08:09", true, 1778051289},
		{"2026-05-06T09:38:09.25+02:30", true, 1778051289.25},
		{"2026-05-06t00:08:09-07:00", true, 1778051289},
		{"2026-05-06 09:08:09.5+02", true, 1778051289.5},
		{"0001-01-01T00:00:00Z", true, -62135596800},
		{"2026-13-06T07:08:09Z", false, 0},
		{"2026-05-06", false, 0},
		{"2026-05-06T07:08:09+25:00", false, 0},
		{"2026-05-06T07:08:09Zx", false, 0},
		{"", false, 0},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double s = 7;
		assert_int_equal(time_text_read(rows[i].text, &s), rows[i].is_fine);
		assert_true(!rows[i].is_fine || (s > rows[i].s - 1e-3 && s < rows[i].s + 1e-3));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_objects_and_others_are_refused),
		cmocka_unit_test(a_line_beyond_the_bound_is_refused_and_the_next_one_read),
		cmocka_unit_test(xapsd_files_of_all_ages_are_understood),
		cmocka_unit_test(keys_in_xapsd_files_are_passed_over_with_a_warning),
		cmocka_unit_test(what_is_odd_in_an_xapsd_file_is_refused_alone),
		cmocka_unit_test(a_cut_or_foreign_file_fails_after_what_was_whole),
		cmocka_unit_test(tables_of_a_script_are_read),
		cmocka_unit_test(devices_of_one_user_share_the_mailboxes),
		cmocka_unit_test(tables_and_columns_may_have_other_names),
		cmocka_unit_test(a_password_in_a_url_is_refused_and_not_repeated),
		cmocka_unit_test(times_are_read_as_others_write_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
