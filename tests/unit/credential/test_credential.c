#include "credential/credential.h"

#include "../apns/certificates.h"
#include "base/clock.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
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
	int r = credential_load(which, &credential, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(r, 0);
	return credential;
}

static void assert_refused(const struct credential_files *which, int code, const char *file,
	const char *what, const char *remedy)
{
	struct credential *credential = NULL;
	struct err err = {""};
	assert_int_equal(credential_load(which, &credential, &err), code);
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
	assert_int_equal(credential->topics.count, 1);
	assert_true(credential->not_after_unix_ms > clock_unix_ms() + 364 * DAY_S * 1000);
	credential_free(credential);
}

static void a_key_too_weak_for_tls_is_refused(void **state)
{
	(void)state;
	EVP_PKEY *weak = EVP_RSA_gen(1024);
	X509 *signed_by_it = make_certificate(&(struct certificate_shape){.uid = TOPIC}, weak);
	write_certificate(certificate, "w", signed_by_it);
	write_key(key, weak, NULL);
	const struct credential_files which = files();
	assert_refused(&which, -EINVAL, certificate, "too small", "2048 bits");
	X509_free(signed_by_it);
	EVP_PKEY_free(weak);
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

/*
 * SEQUENCE { UTF8String "a.b", SEQUENCE { UTF8String "x" },
 *            UTF8String "com.apple.mail.x", SEQUENCE {} }
 */
static const uint8_t two_topics[] = {0x30, 30, 0x0c, 3, 'a', '.', 'b', 0x30, 3, 0x0c, 1, 'x', 0x0c,
	16, 'c', 'o', 'm', '.', 'a', 'p', 'p', 'l', 'e', '.', 'm', 'a', 'i', 'l', '.', 'x', 0x30,
	0};

static void further_topics_stand_in_the_extension(void **state)
{
	(void)state;
	write_pair(certificate, key,
		&(struct certificate_shape){.uid = TOPIC,
			.topics_extension = two_topics,
			.topics_extension_size = sizeof(two_topics)});
	const struct credential_files which = files();
	struct credential *credential = load(&which);
	assert_int_equal(credential->topics.count, 3);
	assert_string_equal(credential->topic, TOPIC);
	assert_string_equal(credential->topics.topic[0], TOPIC);
	assert_string_equal(credential->topics.topic[1], "a.b");
	assert_string_equal(credential->topics.topic[2], "com.apple.mail.x");
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
	which.topic = "com.apple.mail.x";
	struct credential *credential = load(&which);
	assert_string_equal(credential->topic, "com.apple.mail.x");
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
			assert_string_equal(credential->topics.topic[0], TOPIC);
			assert_true(credential->topics.count <= 3);
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
	assert_int_equal(credential->topics.count, TOPICS_MAX);
	credential_free(credential);
}

static void a_certificate_without_a_uid_is_refused(void **state)
{
	(void)state;
	write_pair(certificate, key, &(struct certificate_shape){0});
	const struct credential_files which = files();
	assert_refused(&which, -EINVAL, certificate, "no UID", "get one for Mail");
}

static void assert_dates(enum credential_validity validity, const char *what, const char *remedy)
{
	struct err err = {""};
	const struct credential_files which = files();
	struct credential *credential = load(&which);
	assert_int_equal(credential_validity(credential, clock_unix_ms()), validity);
	assert_int_equal(credential_check_dates(credential, clock_unix_ms(), &err), -EKEYEXPIRED);
	if (!strstr(err.text, certificate) || !strstr(err.text, what) || !strstr(err.text, remedy))
		fail_msg("'%s' should name '%s', '%s' and '%s'", err.text, certificate, what,
			remedy);
	credential_free(credential);
}

static void a_certificate_of_today_is_valid(void **state)
{
	(void)state;
	struct err err = {""};
	write_pair(certificate, key, &(struct certificate_shape){.uid = TOPIC});
	const struct credential_files which = files();
	struct credential *credential = load(&which);
	assert_int_equal(credential_check_dates(credential, clock_unix_ms(), &err), 0);
	assert_int_equal(
		credential_validity(credential, credential->not_after_unix_ms), CREDENTIAL_VALID);
	assert_int_equal(credential_validity(credential, credential->not_after_unix_ms + 1),
		CREDENTIAL_EXPIRED);
	int64_t start_ms = credential->not_before_unix_ms + CREDENTIAL_START_MS;
	assert_int_equal(credential_validity(credential, start_ms - 1), CREDENTIAL_NOT_YET);
	assert_int_equal(credential_validity(credential, start_ms), CREDENTIAL_VALID);
	credential_free(credential);
}

static void an_expired_certificate_is_known_by_its_day(void **state)
{
	(void)state;
	write_pair(certificate, key,
		&(struct certificate_shape){
			.uid = TOPIC, .begin_s = -20 * DAY_S, .end_s = -10 * DAY_S});
	time_t day = time(NULL) - 10 * DAY_S;
	struct tm tm;
	char text[32];
	strftime(text, sizeof(text), "expired on %Y-%m-%d", gmtime_r(&day, &tm));
	assert_dates(CREDENTIAL_EXPIRED, text, "renew it");
}

static void a_certificate_of_the_future_is_known_by_its_day(void **state)
{
	(void)state;
	write_pair(certificate, key,
		&(struct certificate_shape){
			.uid = TOPIC, .begin_s = 10 * DAY_S, .end_s = 20 * DAY_S});
	assert_dates(CREDENTIAL_NOT_YET, "not valid before", "clock");
}

static void a_key_of_another_certificate_is_refused(void **state)
{
	(void)state;
	write_pair(certificate, other, &(struct certificate_shape){.uid = TOPIC});
	EVP_PKEY *stranger = make_key();
	write_key(key, stranger, NULL);
	EVP_PKEY_free(stranger);
	const struct credential_files which = files();
	assert_refused(&which, -EKEYREJECTED, key, "does not fit", "give the key");
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
	write_text(passphrase, "open sesame\r\n\n");
	struct credential_files which = files();
	which.passphrase_file = passphrase;
	struct credential *credential = load(&which);
	assert_non_null(credential->key);
	credential_free(credential);
	write_text(passphrase, "open sesame\nsecond line\n");
	assert_refused(&which, -EINVAL, passphrase, "has more than one line", "nothing may follow");
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
	assert_refused(&which, -EKEYREJECTED, passphrase, "does not open", "first line");
	credential_load(&which, &credential, &err);
	assert_null(strstr(err.text, "sesame"));
}

/* One of 256 wrong passphrases seems to open a key; what comes out of this one is no key. */
static void a_wrong_passphrase_that_seems_to_fit_is_refused_like_any_other(void **state)
{
	(void)state;
	static const char encrypted[] =
		"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
		"MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhi0ZxoUj6cEAICCAAw\n"
		"DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEC4Husj3GT867Vo9ddOpYzAEgZA0\n"
		"soGceUGl7oDN1JMco7gA4RtODcMHH2lDBQVJYTSOTVcLO2OLQn9XVRz/jH3Q1h2m\n"
		"oZ+xlwvchd+sXmc9gjIfQ2O2bGuLThbYM42ts71Rb0SShPrZdrCC8DrY7eUGpQdI\n"
		"vqiuMrymeqrxrEK+4Fqqoj1EoxkEc+bxiDKNt0ec0jSQ1pSSfECR8c/qIqXnnQE=\n"
		"-----END ENCRYPTED PRIVATE KEY-----\n";
	write_pair(certificate, key, &(struct certificate_shape){.uid = TOPIC});
	write_text(key, encrypted);
	write_text(passphrase, "wrong176\n");
	struct credential_files which = files();
	which.passphrase_file = passphrase;
	assert_refused(&which, -EKEYREJECTED, passphrase, "does not open", "first line");
}

/* Without a terminal OpenSSL would ask standard input, which knows the passphrase here. */
static int load_alone(int input)
{
	const struct credential_files which = files();
	struct credential *credential = NULL;
	struct err err = {""};
	setsid();
	dup2(input, STDIN_FILENO);
	int r = credential_load(&which, &credential, &err);
	return r == -EINVAL && strstr(err.text, "encrypted") ? 0 : 1;
}

static int write_der(const void *client, unsigned char **to)
{
	return i2d_X509(client, to);
}

static void nobody_is_asked_for_the_passphrase_of_a_certificate(void **state)
{
	static const char word[] = "word";
	int ends[2];
	int status;
	(void)state;
	EVP_PKEY *secret = make_key();
	X509 *client = make_certificate(&(struct certificate_shape){.uid = TOPIC}, secret);
	write_key(key, secret, NULL);
	FILE *file = fopen(certificate, "w");
	assert_true(PEM_ASN1_write(write_der, PEM_STRING_X509, file, client, EVP_aes_256_cbc(),
		(const unsigned char *)word, sizeof(word) - 1, NULL, NULL));
	fclose(file);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "word\n", 5), 5);
	close(ends[1]);
	pid_t child = fork();
	if (child == 0)
		_exit(load_alone(ends[0]));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(ends[0]);
	X509_free(client);
	EVP_PKEY_free(secret);
}

/* Messages and alarms name both. */
static void one_by_another_name_or_of_another_file_is_another(void **state)
{
	(void)state;
	struct credential_files which = files();
	write_pair(certificate, key, &(struct certificate_shape){.uid = TOPIC});
	struct credential *first = load(&which);
	which.name = "mail";
	struct credential *renamed = load(&which);
	which.name = "main";
	which.certificate = other;
	assert_int_equal(link(certificate, other), 0);
	struct credential *moved = load(&which);
	assert_false(credential_equal(first, renamed));
	assert_false(credential_equal(first, moved));
	credential_free(first);
	credential_free(renamed);
	credential_free(moved);
}

static void one_with_another_chain_is_another(void **state)
{
	(void)state;
	EVP_PKEY *secret = make_key();
	X509 *authority = make_certificate(&(struct certificate_shape){.uid = "a"}, secret);
	X509 *root = make_certificate(&(struct certificate_shape){.uid = "b"}, secret);
	const struct credential_files which = files();
	write_pair(certificate, key, &(struct certificate_shape){.uid = TOPIC});
	struct credential *bare = load(&which);
	write_certificate(certificate, "a", authority);
	struct credential *first = load(&which);
	struct credential *again = load(&which);
	write_certificate(certificate, "a", root);
	struct credential *longer = load(&which);
	sk_X509_unshift(longer->chain, sk_X509_pop(longer->chain));
	struct credential *ordered = load(&which);
	assert_true(credential_equal(first, again));
	assert_false(credential_equal(first, bare));
	assert_false(credential_equal(first, ordered));
	assert_false(credential_equal(longer, ordered));
	credential_free(bare);
	credential_free(first);
	credential_free(again);
	credential_free(longer);
	credential_free(ordered);
	X509_free(authority);
	X509_free(root);
	EVP_PKEY_free(secret);
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
	credential_load(&which, &credential, &err);
	assert_null(strstr(err.text, "PEM"));
}

static void the_key_may_stand_in_the_file_of_the_certificate(void **state)
{
	(void)state;
	write_pair(certificate, key, &(struct certificate_shape){.uid = TOPIC});
	char text[8192] = "";
	FILE *from = fopen(key, "r");
	size_t size = fread(text, 1, sizeof(text) - 1, from);
	fclose(from);
	FILE *to = fopen(certificate, "a");
	fwrite(text, 1, size, to);
	fclose(to);
	struct credential_files which = files();
	which.key = NULL;
	struct credential *credential = load(&which);
	assert_string_equal(credential->topic, TOPIC);
	credential_free(credential);
}

static void a_certificate_file_without_the_key_says_so(void **state)
{
	(void)state;
	write_pair(certificate, key, &(struct certificate_shape){.uid = TOPIC});
	struct credential_files which = files();
	which.key = NULL;
	assert_refused(&which, -EINVAL, certificate, "no private key", "set `key`");
}

static void a_chain_may_come_before_its_certificate(void **state)
{
	(void)state;
	EVP_PKEY *authority = make_key();
	X509 *chain = make_certificate(&(struct certificate_shape){.uid = "authority"}, authority);
	EVP_PKEY *secret = make_key();
	X509 *made = make_certificate(&(struct certificate_shape){.uid = TOPIC}, secret);
	write_certificate(certificate, "w", chain);
	write_certificate(certificate, "a", made);
	write_key(key, secret, NULL);
	const struct credential_files which = files();
	struct credential *credential = load(&which);
	assert_int_equal(X509_cmp(credential->certificate, made), 0);
	assert_int_equal(sk_X509_num(credential->chain), 1);
	credential_free(credential);
	X509_free(chain);
	X509_free(made);
	EVP_PKEY_free(authority);
	EVP_PKEY_free(secret);
}

/* What an editor on another system makes of a file. */
static void rewrite_as_windows_does(const char *path)
{
	char text[8192] = "";
	FILE *from = fopen(path, "r");
	size_t size = fread(text, 1, sizeof(text) - 1, from);
	fclose(from);
	FILE *to = fopen(path, "w");
	fputs("\xef\xbb\xbf", to);
	for (size_t i = 0; i < size; i++)
		fprintf(to, text[i] == '\n' ? "\r\n" : "%c", text[i]);
	fclose(to);
}

static void files_that_an_editor_on_windows_wrote_are_read(void **state)
{
	(void)state;
	write_encrypted("open sesame");
	write_text(passphrase, "open sesame\n");
	rewrite_as_windows_does(certificate);
	rewrite_as_windows_does(key);
	rewrite_as_windows_does(passphrase);
	struct credential_files which = files();
	which.passphrase_file = passphrase;
	struct credential *credential = load(&which);
	assert_string_equal(credential->topic, TOPIC);
	credential_free(credential);
}

static void the_certificate_that_lasts_longer_is_taken_of_two_for_one_key(void **state)
{
	(void)state;
	EVP_PKEY *secret = make_key();
	X509 *former = make_certificate(
		&(struct certificate_shape){.uid = TOPIC, .begin_s = -2 * DAY_S, .end_s = -DAY_S},
		secret);
	X509 *renewed = make_certificate(&(struct certificate_shape){.uid = TOPIC}, secret);
	write_certificate(certificate, "w", former);
	write_certificate(certificate, "a", renewed);
	write_key(key, secret, NULL);
	const struct credential_files which = files();
	struct credential *credential = load(&which);
	assert_int_equal(X509_cmp(credential->certificate, renewed), 0);
	credential_free(credential);
	X509_free(former);
	X509_free(renewed);
	EVP_PKEY_free(secret);
}

static void a_chain_that_was_cut_is_refused(void **state)
{
	(void)state;
	struct stat whole;
	EVP_PKEY *authority = make_key();
	X509 *chain = make_certificate(&(struct certificate_shape){.uid = "authority"}, authority);
	write_pair(certificate, key, &(struct certificate_shape){.uid = TOPIC});
	write_certificate(certificate, "a", chain);
	assert_int_equal(stat(certificate, &whole), 0);
	assert_int_equal(truncate(certificate, whole.st_size - 60), 0);
	const struct credential_files which = files();
	assert_refused(&which, -EINVAL, certificate, "is damaged", "copy it again");
	X509_free(chain);
	EVP_PKEY_free(authority);
}

static void a_certificate_with_a_wrong_letter_in_it_is_called_damaged(void **state)
{
	(void)state;
	write_pair(certificate, key, &(struct certificate_shape){.uid = TOPIC});
	FILE *file = fopen(certificate, "r+");
	fseek(file, 60, SEEK_SET);
	fputs("****", file);
	fclose(file);
	const struct credential_files which = files();
	assert_refused(&which, -EINVAL, certificate, "is damaged", "copy it again");
}

static void a_key_in_a_cipher_that_openssl_gave_up_is_not_called_a_wrong_passphrase(void **state)
{
	(void)state;
	EVP_PKEY *secret = make_key();
	write_pair(certificate, key, &(struct certificate_shape){.uid = TOPIC});
	FILE *file = fopen(key, "w");
	fputs("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
	      "DEK-Info: DES-CBC,0123456789ABCDEF\n\n"
	      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	      "-----END EC PRIVATE KEY-----\n",
		file);
	fclose(file);
	write_text(passphrase, "open sesame\n");
	struct credential_files which = files();
	which.passphrase_file = passphrase;
	assert_refused(&which, -EINVAL, key, "cipher", "openssl pkey");
	EVP_PKEY_free(secret);
}

static void a_passphrase_file_with_nothing_in_its_first_line_says_so(void **state)
{
	(void)state;
	write_encrypted("open sesame");
	write_text(passphrase, "\nopen sesame\n");
	struct credential_files which = files();
	which.passphrase_file = passphrase;
	assert_refused(&which, -EKEYREJECTED, passphrase, "does not open", "first line");
}

static void a_pipe_is_refused_and_not_waited_for(void **state)
{
	(void)state;
	write_pair(certificate, key, &(struct certificate_shape){.uid = TOPIC});
	assert_int_equal(mkfifo(other, 0600), 0);
	struct credential_files which = files();
	which.key = other;
	assert_refused(&which, -EINVAL, other, "is not a file", "give the path");
	which.key = key;
	which.passphrase_file = other;
	assert_refused(&which, -EINVAL, other, "is not a file", "give the path");
}

static void a_file_that_is_too_large_is_refused_before_it_is_read(void **state)
{
	(void)state;
	write_pair(certificate, key, &(struct certificate_shape){.uid = TOPIC});
	assert_int_equal(truncate(certificate, 1L << 40), 0);
	const struct credential_files which = files();
	assert_refused(&which, -EFBIG, certificate, "bytes", "give the path");
}

static void a_topic_that_mail_does_not_listen_to_is_refused(void **state)
{
	(void)state;
	write_pair(certificate, key,
		&(struct certificate_shape){.uid = "com.apple.mgmt.External.4a9d"});
	const struct credential_files which = files();
	assert_refused(
		&which, -EINVAL, certificate, "does not listen to", "com.apple.mobilemail.push.");
}

static void the_new_kind_of_topic_is_taken(void **state)
{
	(void)state;
	write_pair(certificate, key,
		&(struct certificate_shape){.uid = "com.apple.mobilemail.push.com.example"});
	const struct credential_files which = files();
	struct credential *credential = load(&which);
	assert_string_equal(credential->topic, "com.apple.mobilemail.push.com.example");
	credential_free(credential);
}

static bool warns_of(const struct credential *credential, const char *text)
{
	for (unsigned i = 0; i < credential->warning_count; i++)
		if (strstr(credential->warnings[i], text))
			return true;
	return false;
}

static void a_certificate_that_is_not_for_production_is_a_warning(void **state)
{
	(void)state;
	const struct credential_files which = files();
	write_pair(certificate, key, &(struct certificate_shape){.uid = TOPIC});
	struct credential *sandbox = load(&which);
	assert_true(warns_of(sandbox, "not marked as good for production"));
	credential_free(sandbox);
	write_pair(certificate, key,
		&(struct certificate_shape){.uid = TOPIC, .is_for_production = true});
	struct credential *production = load(&which);
	assert_int_equal(production->warning_count, 0);
	credential_free(production);
}

static void a_key_that_everybody_can_read_is_a_warning(void **state)
{
	(void)state;
	const struct credential_files which = files();
	write_pair(certificate, key,
		&(struct certificate_shape){.uid = TOPIC, .is_for_production = true});
	assert_int_equal(chmod(key, 0644), 0);
	struct credential *exposed = load(&which);
	assert_true(warns_of(exposed, key));
	assert_true(warns_of(exposed, "chmod o-rwx"));
	credential_free(exposed);
	assert_int_equal(chmod(key, 0640), 0);
	struct credential *closed = load(&which);
	assert_int_equal(closed->warning_count, 0);
	credential_free(closed);
}

/* PKCS#12 */

enum encryption { NEW_ENCRYPTION, OLD_ENCRYPTION };

/* `word` NULL: without a passphrase.  The file is called `certificate`. */
static void write_p12(enum encryption encryption, const char *word, const char *uid, bool has_chain)
{
	OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();
	OSSL_PROVIDER *usual = OSSL_PROVIDER_load(context, "default");
	OSSL_PROVIDER *legacy = OSSL_PROVIDER_load(context, "legacy");
	assert_non_null(usual);
	assert_non_null(legacy);
	EVP_PKEY *secret = make_key();
	X509 *made = make_certificate(
		&(struct certificate_shape){.uid = uid, .is_for_production = true}, secret);
	EVP_PKEY *authority = make_key();
	STACK_OF(X509) *chain = sk_X509_new_null();
	if (has_chain)
		sk_X509_push(chain,
			make_certificate(
				&(struct certificate_shape){.uid = "authority"}, authority));
	int of_key = encryption == OLD_ENCRYPTION ? NID_pbe_WithSHA1And3_Key_TripleDES_CBC
						  : NID_aes_256_cbc;
	int of_certificate =
		encryption == OLD_ENCRYPTION ? NID_pbe_WithSHA1And40BitRC2_CBC : NID_aes_256_cbc;
	PKCS12 *p12 = PKCS12_create_ex(word, "mail", secret, made, chain, of_key, of_certificate,
		2048, 2048, 0, context, NULL);
	assert_non_null(p12);
	FILE *file = fopen(certificate, "w");
	assert_true(file && i2d_PKCS12_fp(file, p12));
	fclose(file);
	chmod(certificate, 0600);
	PKCS12_free(p12);
	sk_X509_pop_free(chain, X509_free);
	X509_free(made);
	EVP_PKEY_free(secret);
	EVP_PKEY_free(authority);
	OSSL_PROVIDER_unload(legacy);
	OSSL_PROVIDER_unload(usual);
	OSSL_LIB_CTX_free(context);
}

static struct credential_files p12_files(bool has_passphrase)
{
	return (struct credential_files){.name = "main",
		.pkcs12 = certificate,
		.passphrase_file = has_passphrase ? passphrase : NULL};
}

static void load_p12(bool has_passphrase, int chain)
{
	const struct credential_files which = p12_files(has_passphrase);
	struct credential *credential = load(&which);
	assert_string_equal(credential->topic, TOPIC);
	assert_int_equal(X509_check_private_key(credential->certificate, credential->key), 1);
	assert_int_equal(sk_X509_num(credential->chain), chain);
	assert_int_equal(credential->warning_count, 0);
	/* What came out of the old ciphers' context signs in the usual one. */
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	assert_int_equal(SSL_CTX_use_certificate(context, credential->certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(context, credential->key), 1);
	SSL_CTX_free(context);
	credential_free(credential);
}

static void write_passphrase(const char *text)
{
	write_text(passphrase, text);
	chmod(passphrase, 0600);
}

static void a_pkcs12_file_of_today_is_opened(void **state)
{
	(void)state;
	write_passphrase("open sesame\n");
	write_p12(NEW_ENCRYPTION, "open sesame", TOPIC, true);
	load_p12(true, 1);
}

static void a_pkcs12_file_in_the_old_encryption_is_opened(void **state)
{
	(void)state;
	write_passphrase("open sesame\n");
	write_p12(OLD_ENCRYPTION, "open sesame", TOPIC, true);
	load_p12(true, 1);
	assert_null(EVP_CIPHER_fetch(NULL, "RC2-40-CBC", NULL)); /* nowhere else */
}

static void a_pkcs12_file_with_an_empty_passphrase_is_opened(void **state)
{
	(void)state;
	write_p12(OLD_ENCRYPTION, "", TOPIC, false);
	load_p12(false, 0);
	write_p12(NEW_ENCRYPTION, "", TOPIC, false);
	load_p12(false, 0);
	write_p12(NEW_ENCRYPTION, NULL, TOPIC, false);
	load_p12(false, 0);
}

static void a_pkcs12_file_with_a_passphrase_that_was_not_given_is_refused(void **state)
{
	(void)state;
	write_p12(NEW_ENCRYPTION, "open sesame", TOPIC, false);
	const struct credential_files which = p12_files(false);
	assert_refused(&which, -EINVAL, certificate, "is encrypted", "set passphrase_file");
}

static void a_pkcs12_file_with_another_passphrase_is_refused(void **state)
{
	(void)state;
	write_passphrase("close sesame\n");
	write_p12(OLD_ENCRYPTION, "open sesame", TOPIC, false);
	const struct credential_files which = p12_files(true);
	assert_refused(&which, -EKEYREJECTED, passphrase, "does not open", "first line");
}

static void a_file_that_is_no_pkcs12_is_refused(void **state)
{
	(void)state;
	write_text(certificate, "hello\n");
	const struct credential_files which = p12_files(false);
	assert_refused(
		&which, -EINVAL, certificate, "not a PKCS#12 file", "set certificate and key");
}

static void a_pkcs12_file_that_was_cut_is_refused(void **state)
{
	(void)state;
	write_p12(NEW_ENCRYPTION, "", TOPIC, false);
	struct stat whole;
	assert_int_equal(stat(certificate, &whole), 0);
	const struct credential_files which = p12_files(false);
	for (off_t size = whole.st_size - 1; size > 0; size -= 97) {
		struct credential *credential = NULL;
		struct err err = {""};
		assert_int_equal(truncate(certificate, size), 0);
		assert_true(credential_load(&which, &credential, &err) < 0);
		assert_non_null(strstr(err.text, certificate));
	}
}

/* .p8 */

static struct credential_files p8_files(void)
{
	return (struct credential_files){.name = "main",
		.p8 = key,
		.key_id = "ABC123DEFG",
		.team_id = "DEF123GHIJ",
		.topic = TOPIC};
}

static void write_p8(EVP_PKEY *secret)
{
	FILE *file = fopen(key, "w");
	assert_true(file && PEM_write_PKCS8PrivateKey(file, secret, NULL, NULL, 0, NULL, NULL));
	fclose(file);
	chmod(key, 0600);
}

static void a_token_key_is_for_the_topic_that_is_set_and_never_expires(void **state)
{
	(void)state;
	EVP_PKEY *secret = make_key();
	write_p8(secret);
	const struct credential_files which = p8_files();
	struct credential *credential = load(&which);
	assert_null(credential->certificate);
	assert_string_equal(credential->topic, TOPIC);
	assert_string_equal(credential->key_id, "ABC123DEFG");
	assert_int_equal(EVP_PKEY_eq(credential->key, secret), 1);
	assert_int_equal(credential_validity(credential, INT64_MAX), CREDENTIAL_VALID);
	assert_int_equal(credential->warning_count, 0);
	credential_free(credential);
	EVP_PKEY_free(secret);
}

static void a_token_key_of_another_kind_is_refused(void **state)
{
	(void)state;
	const struct credential_files which = p8_files();
	EVP_PKEY *secret = EVP_EC_gen("P-384");
	write_p8(secret);
	assert_refused(&which, -EINVAL, key, "EC P-256", "AuthKey_ABC123DEFG.p8");
	EVP_PKEY_free(secret);
	secret = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	write_p8(secret);
	assert_refused(&which, -EINVAL, key, "EC P-256", "AuthKey_ABC123DEFG.p8");
	EVP_PKEY_free(secret);
}

static void a_token_key_for_a_topic_that_is_not_mails_is_refused(void **state)
{
	(void)state;
	EVP_PKEY *secret = make_key();
	write_p8(secret);
	struct credential_files which = p8_files();
	which.topic = "com.example.app";
	assert_refused(&which, -EINVAL, key, "com.example.app", "does not listen to");
	EVP_PKEY_free(secret);
}

static void token_keys_are_equal_by_key_and_ids(void **state)
{
	(void)state;
	EVP_PKEY *secret = make_key();
	write_p8(secret);
	struct credential_files which = p8_files();
	struct credential *first = load(&which);
	which.topic = TOPIC "2";
	struct credential *other_topic = load(&which);
	which = p8_files();
	which.key_id = "XYZ123DEFG";
	struct credential *other_id = load(&which);
	EVP_PKEY_free(secret);
	secret = make_key();
	write_p8(secret);
	which = p8_files();
	struct credential *other_key = load(&which);
	assert_true(credential_equal(first, first));
	assert_false(credential_equal(first, other_topic));
	assert_false(credential_equal(first, other_id));
	assert_false(credential_equal(first, other_key));
	assert_true(credential_same_signer(first, other_topic));
	assert_false(credential_same_signer(first, other_id));
	assert_false(credential_same_signer(first, other_key));
	credential_free(first);
	credential_free(other_topic);
	credential_free(other_id);
	credential_free(other_key);
	EVP_PKEY_free(secret);
}

#define T(name) cmocka_unit_test_teardown(name, end_test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_uid_is_the_topic),
		T(the_key_may_stand_in_the_file_of_the_certificate),
		T(a_certificate_file_without_the_key_says_so),
		T(a_chain_may_come_before_its_certificate),
		T(files_that_an_editor_on_windows_wrote_are_read),
		T(the_certificate_that_lasts_longer_is_taken_of_two_for_one_key),
		T(a_chain_that_was_cut_is_refused),
		T(a_certificate_with_a_wrong_letter_in_it_is_called_damaged),
		T(a_key_in_a_cipher_that_openssl_gave_up_is_not_called_a_wrong_passphrase),
		T(a_passphrase_file_with_nothing_in_its_first_line_says_so),
		T(a_pipe_is_refused_and_not_waited_for),
		T(a_file_that_is_too_large_is_refused_before_it_is_read),
		T(a_topic_that_mail_does_not_listen_to_is_refused),
		T(the_new_kind_of_topic_is_taken),
		T(a_certificate_that_is_not_for_production_is_a_warning),
		T(a_key_that_everybody_can_read_is_a_warning),
		T(a_pkcs12_file_of_today_is_opened),
		T(a_pkcs12_file_in_the_old_encryption_is_opened),
		T(a_pkcs12_file_with_an_empty_passphrase_is_opened),
		T(a_pkcs12_file_with_a_passphrase_that_was_not_given_is_refused),
		T(a_pkcs12_file_with_another_passphrase_is_refused),
		T(a_file_that_is_no_pkcs12_is_refused),
		T(a_pkcs12_file_that_was_cut_is_refused),
		T(a_token_key_is_for_the_topic_that_is_set_and_never_expires),
		T(a_token_key_of_another_kind_is_refused),
		T(a_token_key_for_a_topic_that_is_not_mails_is_refused),
		T(token_keys_are_equal_by_key_and_ids),
		T(a_key_too_weak_for_tls_is_refused),
		T(certificates_behind_the_first_are_its_chain),
		T(further_topics_stand_in_the_extension),
		T(a_configured_topic_may_be_one_of_the_extension),
		T(a_configured_topic_that_the_certificate_has_not_is_refused),
		T(a_damaged_extension_leaves_the_uid),
		T(more_topics_than_there_is_room_for_are_cut),
		T(a_certificate_without_a_uid_is_refused),
		T(a_certificate_of_today_is_valid),
		T(an_expired_certificate_is_known_by_its_day),
		T(a_certificate_of_the_future_is_known_by_its_day),
		T(a_key_of_another_certificate_is_refused),
		T(a_file_that_is_not_there_is_refused),
		T(a_file_without_a_certificate_is_refused),
		T(a_folder_is_refused),
		T(an_encrypted_key_is_opened_with_the_first_line_of_the_passphrase_file),
		T(an_encrypted_key_without_a_passphrase_file_is_refused),
		T(a_wrong_passphrase_is_refused_and_not_shown),
		T(a_wrong_passphrase_that_seems_to_fit_is_refused_like_any_other),
		T(nobody_is_asked_for_the_passphrase_of_a_certificate),
		T(the_same_certificate_is_equal_and_a_renewed_one_is_not),
		T(one_by_another_name_or_of_another_file_is_another),
		T(one_with_another_chain_is_another),
		T(a_shared_credential_lives_until_its_last_share_is_given_back),
		T(a_folder_as_passphrase_file_is_refused_without_a_word_about_pem),
	};
	return cmocka_run_group_tests(tests, begin_group, end_group);
}
