#include "apns/credential.h"

#include "base/clock.h"
#include "certificates.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define TOPIC "com.apple.mail.XServer.4a9d"
#define DAY_S 86400L

static char dir[] = "/tmp/mailpush-credential-XXXXXX";
static char certificate[64], key[64], passphrase[64], other[64];

static int begin_group(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(certificate, sizeof(certificate), "%s/apns.pem", dir);
	snprintf(key, sizeof(key), "%s/apns.key", dir);
	snprintf(passphrase, sizeof(passphrase), "%s/passphrase", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	return 0;
}

static int end_test(void **state)
{
	(void)state;
	unlink(certificate);
	unlink(key);
	unlink(passphrase);
	unlink(other);
	return 0;
}

static int end_group(void **state)
{
	(void)state;
	return rmdir(dir);
}

static struct credential_files files(void)
{
	return (struct credential_files){.name = "main", .certificate = certificate, .key = key};
}

static struct credential *load(const struct credential_files *which)
{
	struct credential *credential = NULL;
	struct err err = {""};
	int r = credential_load(which, clock_unix_ms(), &credential, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(r, 0);
	return credential;
}

static void assert_refused(const struct credential_files *which, int code, const char *file,
	const char *what, const char *remedy)
{
	struct credential *credential = NULL;
	struct err err = {""};
	assert_int_equal(credential_load(which, clock_unix_ms(), &credential, &err), code);
	assert_null(credential);
	if (!strstr(err.text, file) || !strstr(err.text, what) || !strstr(err.text, remedy))
		fail_msg("'%s' should name '%s', '%s' and '%s'", err.text, file, what, remedy);
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void the_uid_is_the_topic(void **state)
{
	(void)state;
	write_pair(certificate, key, &(struct certificate_shape){.uid = TOPIC});
	const struct credential_files which = files();
	struct credential *credential = load(&which);
	assert_string_equal(credential->topic, TOPIC);
	assert_string_equal(credential->name, "main");
	assert_int_equal(credential->topic_count, 1);
	assert_true(credential->not_after_unix_ms > clock_unix_ms() + 364 * DAY_S * 1000);
	credential_free(credential);
}

static void certificates_behind_the_first_are_its_chain(void **state)
{
	(void)state;
	EVP_PKEY *authority = make_key();
	X509 *chain = make_certificate(&(struct certificate_shape){.uid = "authority"}, authority);
	write_pair(certificate, key, &(struct certificate_shape){.uid = TOPIC});
	write_certificate(certificate, "a", chain);
	const struct credential_files which = files();
	struct credential *credential = load(&which);
	assert_int_equal(sk_X509_num(credential->chain), 1);
	assert_int_equal(X509_cmp(sk_X509_value(credential->chain, 0), chain), 0);
	credential_free(credential);
	X509_free(chain);
	EVP_PKEY_free(authority);
}

/* SEQUENCE { UTF8String "a.b", SEQUENCE { UTF8String "x" }, UTF8String "c.d", SEQUENCE {} } */
static const uint8_t two_topics[] = {
	0x30, 17, 0x0c, 3, 'a', '.', 'b', 0x30, 3, 0x0c, 1, 'x', 0x0c, 3, 'c', '.', 'd', 0x30, 0};

static void further_topics_stand_in_the_extension(void **state)
{
	(void)state;
	write_pair(certificate, key,
		&(struct certificate_shape){.uid = TOPIC,
			.topics_extension = two_topics,
			.topics_extension_size = sizeof(two_topics)});
	const struct credential_files which = files();
	struct credential *credential = load(&which);
	assert_int_equal(credential->topic_count, 3);
	assert_string_equal(credential->topic, TOPIC);
	assert_string_equal(credential->topics[0], TOPIC);
	assert_string_equal(credential->topics[1], "a.b");
	assert_string_equal(credential->topics[2], "c.d");
	credential_free(credential);
}

static void a_configured_topic_may_be_one_of_the_extension(void **state)
{
	(void)state;
	write_pair(certificate, key,
		&(struct certificate_shape){.uid = TOPIC,
			.topics_extension = two_topics,
			.topics_extension_size = sizeof(two_topics)});
	struct credential_files which = files();
	which.topic = "c.d";
	struct credential *credential = load(&which);
	assert_string_equal(credential->topic, "c.d");
	credential_free(credential);
}

static void a_configured_topic_that_the_certificate_has_not_is_refused(void **state)
{
	(void)state;
	write_pair(certificate, key, &(struct certificate_shape){.uid = TOPIC});
	struct credential_files which = files();
	which.topic = "com.example.other";
	assert_refused(&which, -EINVAL, certificate, TOPIC, "correct `topic`");
}

/* Every cut and every changed byte of the extension: the UID stays, nothing worse happens. */
static void a_damaged_extension_leaves_the_uid(void **state)
{
	(void)state;
	static const uint8_t values[] = {0, 1, 0x30, 0x7f, 0x80, 0x84, 0xff};
	uint8_t damaged[sizeof(two_topics)];
	for (int size = 0; size < (int)sizeof(two_topics); size++) {
		for (unsigned v = 0; v < sizeof(values); v++) {
			memcpy(damaged, two_topics, sizeof(damaged));
			damaged[size] = values[v];
			write_pair(certificate, key,
				&(struct certificate_shape){.uid = TOPIC,
					.topics_extension = damaged,
					.topics_extension_size =
						v == 0 ? size : (int)sizeof(damaged)});
			const struct credential_files which = files();
			struct credential *credential = load(&which);
			assert_string_equal(credential->topics[0], TOPIC);
			assert_true(credential->topic_count <= 3);
			credential_free(credential);
		}
	}
}

static void more_topics_than_there_is_room_for_are_cut(void **state)
{
	(void)state;
	uint8_t many[4 + 100 * 5];
	many[0] = 0x30;
	many[1] = 0x82;
	many[2] = (uint8_t)((100 * 5) >> 8);
	many[3] = (uint8_t)((100 * 5) & 0xff);
	for (int i = 0; i < 100; i++) {
		uint8_t *at = many + 4 + i * 5;
		at[0] = 0x0c;
		at[1] = 3;
		at[2] = 't';
		at[3] = (uint8_t)('0' + i / 10);
		at[4] = (uint8_t)('0' + i % 10);
	}
	write_pair(certificate, key,
		&(struct certificate_shape){.uid = TOPIC,
			.topics_extension = many,
			.topics_extension_size = sizeof(many)});
	const struct credential_files which = files();
	struct credential *credential = load(&which);
	assert_int_equal(credential->topic_count, CREDENTIAL_TOPICS_MAX);
	credential_free(credential);
}

static void a_certificate_without_a_uid_is_refused(void **state)
{
	(void)state;
	write_pair(certificate, key, &(struct certificate_shape){0});
	const struct credential_files which = files();
	assert_refused(&which, -EINVAL, certificate, "no UID", "get one for Mail");
}

static void an_expired_certificate_is_refused_with_its_day(void **state)
{
	(void)state;
	write_pair(certificate, key,
		&(struct certificate_shape){
			.uid = TOPIC, .begin_s = -20 * DAY_S, .end_s = -10 * DAY_S});
	time_t day = time(NULL) - 10 * DAY_S;
	struct tm tm;
	char text[32];
	strftime(text, sizeof(text), "expired on %Y-%m-%d", gmtime_r(&day, &tm));
	const struct credential_files which = files();
	assert_refused(&which, -EINVAL, certificate, text, "renew it");
}

static void a_certificate_of_the_future_is_refused(void **state)
{
	(void)state;
	write_pair(certificate, key,
		&(struct certificate_shape){
			.uid = TOPIC, .begin_s = 10 * DAY_S, .end_s = 20 * DAY_S});
	const struct credential_files which = files();
	assert_refused(&which, -EINVAL, certificate, "not valid before", "clock");
}

static void a_key_of_another_certificate_is_refused(void **state)
{
	(void)state;
	write_pair(certificate, other, &(struct certificate_shape){.uid = TOPIC});
	EVP_PKEY *stranger = make_key();
	write_key(key, stranger, NULL);
	EVP_PKEY_free(stranger);
	const struct credential_files which = files();
	assert_refused(&which, -EINVAL, key, "does not fit", "give the key");
}

static void a_file_that_is_not_there_is_refused(void **state)
{
	(void)state;
	const struct credential_files which = files();
	assert_refused(&which, -ENOENT, certificate, "No such file", "check the path");
}

static void a_file_without_a_certificate_is_refused(void **state)
{
	(void)state;
	write_text(certificate, "hello\n");
	const struct credential_files which = files();
	assert_refused(&which, -EINVAL, certificate, "no certificate in PEM form", "convert it");
}

static void a_folder_is_refused(void **state)
{
	(void)state;
	struct credential_files which = files();
	which.certificate = dir;
	assert_refused(&which, -EINVAL, dir, "is not a file", "give the path");
}

static void write_encrypted(const char *with)
{
	EVP_PKEY *secret = make_key();
	X509 *made = make_certificate(&(struct certificate_shape){.uid = TOPIC}, secret);
	write_certificate(certificate, "w", made);
	write_key(key, secret, with);
	X509_free(made);
	EVP_PKEY_free(secret);
}

static void an_encrypted_key_is_opened_with_the_first_line_of_the_passphrase_file(void **state)
{
	(void)state;
	write_encrypted("open sesame");
	write_text(passphrase, "open sesame\nsecond line\n");
	struct credential_files which = files();
	which.passphrase_file = passphrase;
	struct credential *credential = load(&which);
	assert_non_null(credential->key);
	credential_free(credential);
}

static void an_encrypted_key_without_a_passphrase_file_is_refused(void **state)
{
	(void)state;
	write_encrypted("open sesame");
	const struct credential_files which = files();
	assert_refused(&which, -EINVAL, key, "is encrypted", "set passphrase_file");
}

static void a_wrong_passphrase_is_refused_and_not_shown(void **state)
{
	(void)state;
	struct credential *credential = NULL;
	struct err err = {""};
	write_encrypted("open sesame");
	write_text(passphrase, "close sesame\n");
	struct credential_files which = files();
	which.passphrase_file = passphrase;
	assert_refused(&which, -EINVAL, passphrase, "does not open", "first line");
	credential_load(&which, clock_unix_ms(), &credential, &err);
	assert_null(strstr(err.text, "sesame"));
}

static void the_same_certificate_is_equal_and_a_renewed_one_is_not(void **state)
{
	(void)state;
	const struct credential_files which = files();
	write_pair(certificate, key, &(struct certificate_shape){.uid = TOPIC});
	struct credential *first = load(&which);
	struct credential *again = load(&which);
	write_pair(certificate, key, &(struct certificate_shape){.uid = TOPIC});
	struct credential *renewed = load(&which);
	assert_true(credential_equal(first, again));
	assert_false(credential_equal(first, renewed));
	credential_free(first);
	credential_free(again);
	credential_free(renewed);
}

static void a_shared_credential_lives_until_its_last_share_is_given_back(void **state)
{
	(void)state;
	const struct credential_files which = files();
	write_pair(certificate, key, &(struct certificate_shape){.uid = TOPIC});
	struct credential *first = load(&which);
	struct credential *second = credential_ref(first);
	assert_ptr_equal(second, first);
	credential_free(first);
	assert_string_equal(second->topic, TOPIC);
	assert_int_equal(X509_check_private_key(second->certificate, second->key), 1);
	credential_free(second);
}

static void a_folder_as_passphrase_file_is_refused_without_a_word_about_pem(void **state)
{
	(void)state;
	write_encrypted("open sesame");
	struct credential_files which = files();
	which.passphrase_file = dir;
	assert_refused(&which, -EINVAL, dir, "passphrase file", "in its first line");
	struct credential *credential = NULL;
	struct err err = {""};
	credential_load(&which, clock_unix_ms(), &credential, &err);
	assert_null(strstr(err.text, "PEM"));
}

#define T(name) cmocka_unit_test_teardown(name, end_test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_uid_is_the_topic),
		T(certificates_behind_the_first_are_its_chain),
		T(further_topics_stand_in_the_extension),
		T(a_configured_topic_may_be_one_of_the_extension),
		T(a_configured_topic_that_the_certificate_has_not_is_refused),
		T(a_damaged_extension_leaves_the_uid),
		T(more_topics_than_there_is_room_for_are_cut),
		T(a_certificate_without_a_uid_is_refused),
		T(an_expired_certificate_is_refused_with_its_day),
		T(a_certificate_of_the_future_is_refused),
		T(a_key_of_another_certificate_is_refused),
		T(a_file_that_is_not_there_is_refused),
		T(a_file_without_a_certificate_is_refused),
		T(a_folder_is_refused),
		T(an_encrypted_key_is_opened_with_the_first_line_of_the_passphrase_file),
		T(an_encrypted_key_without_a_passphrase_file_is_refused),
		T(a_wrong_passphrase_is_refused_and_not_shown),
		T(the_same_certificate_is_equal_and_a_renewed_one_is_not),
		T(a_shared_credential_lives_until_its_last_share_is_given_back),
		T(a_folder_as_passphrase_file_is_refused_without_a_word_about_pem),
	};
	return cmocka_run_group_tests(tests, begin_group, end_group);
}
