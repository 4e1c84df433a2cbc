/* Urls of a registry: which driver one means, what is said of a wrong one, what people are shown.
 */
#include "base/mem.h"
#include "database/database.h"
#include "driver/ops.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void check_refused(const char *url, const char *why)
{
	struct err err = {"nothing"};
	if (database_check(url, &err) != -EINVAL || !strstr(err.text, why))
		fail_msg("'%s' %s, not: %s", url, err.text, why);
}

static void check_taken(const char *url, const char *name, const char *file)
{
	struct err err;
	const char *place = NULL;
	if (database_check(url, &err))
		fail_msg("'%s' %s", url, err.text);
	assert_non_null(database_driver(url, &place));
	assert_string_equal(place, strchr(url, ':') + 1);
	mem_auto char *shown = database_name(url);
	assert_string_equal(shown, name);
	if (file)
		assert_string_equal(database_file(url), file);
	else
		assert_null(database_file(url));
}

static void an_unknown_kind_is_refused_with_examples(void **state)
{
	static const char *const urls[] = {
		"oracle:x", "sqlite", "sqlite:", "", "sqlit:/x", "sqlite3:/x"};
	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		const char *place;
		check_refused(urls[i], "is not a database that this version knows");
		check_refused(urls[i], "\"sqlite:/");
		assert_null(database_driver(urls[i], &place));
	}
}

static void a_file_has_an_absolute_path(void **state)
{
	(void)state;
	check_taken("sqlite:/var/lib/x", "sqlite:/var/lib/x", "/var/lib/x");
	check_refused("sqlite:x", "absolute path");
	check_refused("sqlite:/var/lib/", "not the path of a file");
}

static void a_password_is_refused_wherever_it_stands(void **state)
{
	(void)state;
	check_refused("postgresql://me:secret@db/mail", "registry_password_file");
	check_refused("postgresql://me:Ab/c?d@db/mail", "registry_password_file");
	check_refused("postgresql://me@db/mail?password=secret", "registry_password_file");
	check_refused("postgresql://me@db/mail?sslpassword=secret", "registry_password_file");
}

static void a_secret_parameter_is_known_however_its_name_is_written(void **state)
{
	static const char *const urls[] = {"postgresql://me@db/mail?pass%77ord=geheim",
		"postgresql://me@db/mail?pass%77ord=geheim%zz",
		"postgresql://me@db/mail?sslmode=require&%73slpassword=geheim",
		"postgresql://me@db/mail?scram_client_key=geheim%zz",
		"postgresql://me@db/mail?PassWord=geheim",
		"postgresql://me:@db/mail?sslmode=geheim", "mariadb://me@db/mail?passwd=geheim",
		"mariadb://me@db/mail?pwd=geheim", "mariadb://me@db/mail?p%77d=geheim",
		"mariadb://me@db/mail?ssl_passphrase=geheim", "mysql://me@db/mail?passwd=geheim",
		"mariadb:db?password=geheim"};
	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct err err;
		check_refused(urls[i], "registry_password_file");
		assert_true(database_has_password(urls[i]));
		database_check(urls[i], &err);
		assert_null(strstr(err.text, "geheim"));
	}
	assert_false(database_has_password("postgresql://me@db/mail?passfile=/etc/pgpass"));
	assert_false(database_has_password("mariadb://me@db/mail?ssl_key=/etc/password"));
	assert_false(database_has_password("sqlite:/var/lib/what?password=none"));
}

static void an_at_sign_behind_the_hosts_is_no_password(void **state)
{
	static const char *const urls[] = {"postgresql://db:5433/ma@il", "postgresql://db/ma:i@l",
		"postgresql://me@db/mail?sslrootcert=/etc/a:b@c",
		"postgresql://[::1]:5433,db:5432/ma@il", "postgresql:///m@il?host=/run/a:b@c",
		"mariadb://db:3307/mail?ssl_ca=/etc/a@b", "sqlite:///var/lib/a:b@c"};
	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		if (database_has_password(urls[i]))
			fail_msg("%s", urls[i]);
	}
	assert_true(database_has_password("postgresql://me:se@cret@db/mail"));
	assert_true(database_has_password("postgresql://:secret@db/mail"));
	assert_true(database_has_password("mariadb://me:a?b@db/mail"));
	assert_true(database_has_password("postgresql://me:p#1@db/mail"));
}

#ifdef MAILPUSH_POSTGRESQL
static void a_url_of_postgresql_is_read_by_its_library(void **state)
{
	(void)state;
	check_taken("postgresql://me@db1,db2:5433/mail?sslmode=verify-full",
		"postgresql://me@db1,db2:5433/mail", NULL);
	check_refused("postgresql:db", "postgresql://user@host/database");
	check_refused("postgresql://me@db/mail?colour=blue", "colour");
	check_refused("postgresql://me@db/mail?col%6fur=blue", "knows no parameter 'colour'");
	check_refused("postgresql://me@[::1/mail", "library can read");
	check_refused("postgresql://me@db:x/mail", "port is a number");
	check_taken("postgresql://me@db1:1,db2,[::1]:3/mail?passfile=/etc/pgpass",
		"postgresql://me@db1:1,db2,::1:3/mail", NULL);
}

static void what_the_library_of_postgresql_says_of_a_url_is_not_repeated(void **state)
{
	static const char *const urls[] = {"postgresql://me@db/mail?geheim%zz",
		"postgresql://me@db/mail?sslmode=geheim%zz", "postgresql://me@db/mail?a=geheim%zz",
		"postgresql://me@db/mail?options=geheim=geheim", "postgresql://me:geheim%zz",
		"postgresql://me:geheim", "postgresql://db/geheim%zz"};
	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct err err;
		assert_int_equal(database_check(urls[i], &err), -EINVAL);
		if (strstr(err.text, "geheim"))
			fail_msg("%s: %s", urls[i], err.text);
	}
}
#endif

#ifdef MAILPUSH_MARIADB
static void a_url_of_mariadb_is_checked(void **state)
{
	(void)state;
	check_taken("mariadb://me@db1,db2:3307/mail?ssl_verify=yes",
		"mariadb://me@db1,db2:3307/mail", NULL);
	check_refused("mariadb:mail", "mariadb://user@host/database");
	check_refused("mariadb://me:secret@db/mail", "registry_password_file");
	check_refused("mariadb://me@db/mail?password=secret", "registry_password_file");
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unknown_kind_is_refused_with_examples),
		cmocka_unit_test(a_file_has_an_absolute_path),
		cmocka_unit_test(a_password_is_refused_wherever_it_stands),
		cmocka_unit_test(a_secret_parameter_is_known_however_its_name_is_written),
		cmocka_unit_test(an_at_sign_behind_the_hosts_is_no_password),
#ifdef MAILPUSH_POSTGRESQL
		cmocka_unit_test(a_url_of_postgresql_is_read_by_its_library),
		cmocka_unit_test(what_the_library_of_postgresql_says_of_a_url_is_not_repeated),
#endif
#ifdef MAILPUSH_MARIADB
		cmocka_unit_test(a_url_of_mariadb_is_checked),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
