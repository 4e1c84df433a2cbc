#include "base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>

static void assert_digits(const uint8_t *bytes, size_t size, const char *digits)
{
	char text[2 * DIGEST_SHA256_SIZE + 1];
	for (size_t i = 0; i < size; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	assert_string_equal(text, digits);
}

/* RFC 1321, A.5. */
static void md5_is_that_of_its_rfc(void **state)
{
	(void)state;
	uint8_t digest[DIGEST_MD5_SIZE];
	digest_md5(NULL, 0, digest);
	assert_digits(digest, sizeof(digest), "d41d8cd98f00b204e9800998ecf8427e");
	digest_md5(&(struct digest_part){"message digest", 14}, 1, digest);
	assert_digits(digest, sizeof(digest), "f96b697d7cb7938d525a2f31aaf161d0");
}

/* RFC 6234, 8.5: its first test. */
static void parts_are_one_behind_the_other(void **state)
{
	(void)state;
	static const char digits[] =
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	uint8_t digest[DIGEST_SHA256_SIZE];
	digest_sha256(&(struct digest_part){"abc", 3}, 1, digest);
	assert_digits(digest, sizeof(digest), digits);
	const struct digest_part parts[] = {{"a", 1}, {"", 0}, {"bc", 2}};
	digest_sha256(parts, 3, digest);
	assert_digits(digest, sizeof(digest), digits);
}

/* main() has seen to it that OpenSSL has neither for others. */
static void no_file_takes_them_away(void **state)
{
	(void)state;
	uint8_t digest[EVP_MAX_MD_SIZE];
	assert_int_equal(digest_check(NULL), 0);
	assert_int_equal(EVP_Digest("abc", 3, digest, NULL, EVP_md5(), NULL), 0);
	assert_int_equal(EVP_Digest("abc", 3, digest, NULL, EVP_sha256(), NULL), 0);
	digest_md5(&(struct digest_part){"abc", 3}, 1, digest);
	assert_digits(digest, DIGEST_MD5_SIZE, "900150983cd24fb0d6963f7d28e17f72");
}

/* OpenSSL reads the file when it is used first. */
static void ask_for_fips(void)
{
	char path[] = "/tmp/mailpush-openssl-XXXXXX";
	int fd = mkstemp(path);
	if (fd < 0 ||
		dprintf(fd,
			"openssl_conf = all\n[all]\nalg_section = algorithms\n"
			"[algorithms]\ndefault_properties = fips=yes\n") < 0 ||
		close(fd) || setenv("OPENSSL_CONF", path, 1))
		abort();
	EVP_MD_free(EVP_MD_fetch(NULL, "MD5", NULL));
	unlink(path);
}

int main(void)
{
	ask_for_fips();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(md5_is_that_of_its_rfc),
		cmocka_unit_test(parts_are_one_behind_the_other),
		cmocka_unit_test(no_file_takes_them_away),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
