/* The service's view of a provider token, shown by one that the sender's own code makes. */
#include "sim/bearer.h"

#include "credential/jwt.h"
#include "sim/certs.h"

#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1760000000000)
#define MINUTE_MS (60 * 1000)
#define HOUR_MS (60 * MINUTE_MS)

static char dir[] = "/tmp/mailpush-bearer-XXXXXX";
static EVP_PKEY *key;
static struct bearer bearer;

static int begin_group(void **state)
{
	(void)state;
	struct err err;
	char path[128];
	if (!mkdtemp(dir) || certs_add_key(dir, BEARER_KEY_ID, &err) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/AuthKey_" BEARER_KEY_ID ".p8", dir);
	FILE *file = fopen(path, "r");
	key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
	return file && !fclose(file) && key ? 0 : -1;
}

static int end_group(void **state)
{
	(void)state;
	char command[128];
	EVP_PKEY_free(key);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static int begin(void **state)
{
	(void)state;
	memset(&bearer, 0, sizeof(bearer));
	return 0;
}

static void make(char ret[JWT_SIZE + 16], const char *key_id, const char *team_id, int64_t unix_ms)
{
	struct err err;
	strcpy(ret, "bearer ");
	assert_int_equal(
		jwt_make(key, key_id, team_id, unix_ms / 1000, ret + strlen(ret), &err), 0);
}

static void assert_worth(const char *header, int64_t now_ms, int status, const char *reason)
{
	const struct bearer_rules rules = {
		.dir = dir, .lifetime_ms = HOUR_MS, .update_least_ms = 20 * MINUTE_MS};
	struct request request = {0};
	if (header)
		request.header[SERVICE_AUTHORIZATION] = (struct text){header, strlen(header)};
	bearer_check(&bearer, &rules, &request, now_ms);
	assert_int_equal(request.provider_status, status);
	assert_int_equal(request.is_authorized, header && status == 0);
	if (status)
		assert_string_equal(request.provider_reason, reason);
}

static void a_token_of_the_key_and_the_team_is_good_for_an_hour(void **state)
{
	(void)state;
	char token[JWT_SIZE + 16];
	make(token, BEARER_KEY_ID, BEARER_TEAM_ID, NOW_MS);
	assert_worth(token, NOW_MS, 0, NULL);
	assert_worth(token, NOW_MS + HOUR_MS, 0, NULL);
	assert_worth(token, NOW_MS + HOUR_MS + 1, 403, "ExpiredProviderToken");
	assert_int_equal(bearer.issued_unix_s, NOW_MS / 1000);
}

static void none_at_all_is_nothing_to_judge(void **state)
{
	(void)state;
	assert_worth(NULL, NOW_MS, 0, NULL);
}

static void what_is_no_token_is_invalid(void **state)
{
	(void)state;
	static const char *const headers[] = {"", "bearer ", "bearer x", "bearer a.b.c",
		"bearer ..", "basic eyJ", "bearer e30.e30.e30", "bearer {}.{}.{}"};
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		assert_worth(headers[i], NOW_MS, 403, "InvalidProviderToken");
}

static void one_of_another_team_or_key_is_invalid(void **state)
{
	(void)state;
	char token[JWT_SIZE + 16];
	make(token, BEARER_KEY_ID, "OTHERTEAM1", NOW_MS);
	assert_worth(token, NOW_MS, 403, "InvalidProviderToken");
	make(token, "OTHERKEY01", BEARER_TEAM_ID, NOW_MS);
	assert_worth(token, NOW_MS, 403, "InvalidProviderToken");
	make(token, "../../etc/", BEARER_TEAM_ID, NOW_MS);
	assert_worth(token, NOW_MS, 403, "InvalidProviderToken");
}

static void one_whose_signature_was_changed_is_invalid(void **state)
{
	(void)state;
	char token[JWT_SIZE + 16];
	make(token, BEARER_KEY_ID, BEARER_TEAM_ID, NOW_MS);
	char *digit = strrchr(token, '.') + 10;
	*digit = *digit == 'A' ? 'B' : 'A';
	assert_worth(token, NOW_MS, 403, "InvalidProviderToken");
}

static void one_from_the_future_is_invalid(void **state)
{
	(void)state;
	char token[JWT_SIZE + 16];
	make(token, BEARER_KEY_ID, BEARER_TEAM_ID, NOW_MS + 2 * MINUTE_MS);
	assert_worth(token, NOW_MS, 403, "InvalidProviderToken");
}

static void one_that_is_changed_within_twenty_minutes_is_changed_too_often(void **state)
{
	(void)state;
	char first[JWT_SIZE + 16], second[JWT_SIZE + 16];
	make(first, BEARER_KEY_ID, BEARER_TEAM_ID, NOW_MS);
	make(second, BEARER_KEY_ID, BEARER_TEAM_ID, NOW_MS + MINUTE_MS);
	assert_worth(first, NOW_MS, 0, NULL);
	assert_worth(second, NOW_MS + 20 * MINUTE_MS - 1, 429, "TooManyProviderTokenUpdates");
	assert_worth(first, NOW_MS + 20 * MINUTE_MS - 1, 0, NULL);
	assert_worth(second, NOW_MS + 20 * MINUTE_MS, 0, NULL);
}

#define T(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_token_of_the_key_and_the_team_is_good_for_an_hour),
		T(none_at_all_is_nothing_to_judge),
		T(what_is_no_token_is_invalid),
		T(one_of_another_team_or_key_is_invalid),
		T(one_whose_signature_was_changed_is_invalid),
		T(one_from_the_future_is_invalid),
		T(one_that_is_changed_within_twenty_minutes_is_changed_too_often),
	};
	return cmocka_run_group_tests(tests, begin_group, end_group);
}
