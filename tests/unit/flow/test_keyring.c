/*
 * What is said of a credential in force.  Run under valgrind where no sanitizer is in the way: it
 * says so when a text is read that nobody wrote.
 */
#include "flow/keyring.h"

#include "base/alarm.h"
#include "base/mem.h"
#include "flow/credential_check.h"
#include "flow/delivery.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define DAY_S 86400

static struct {
	uv_loop_t loop;
	struct config config;
	struct imapdconf imapdconf;
	struct input_files sources;
	struct keyring *keyring;
	char text[ERR_TEXT_MAX];
} world;

/* Whom the keyring tells. */
void sender_set_credentials(struct sender *sender, struct credential **credentials, size_t count)
{
	(void)sender;
	for (size_t i = 0; i < count; i++)
		credential_free(credentials[i]);
}

bool sender_has_credential(const struct sender *sender, const char *topic)
{
	(void)sender;
	(void)topic;
	return true;
}

void delivery_wake(struct delivery *delivery)
{
	(void)delivery;
}

void credential_check_credentials(struct credential_check *checkup)
{
	(void)checkup;
}

static int begin(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	uv_loop_init(&world.loop);
	alarm_start(&world.loop, NULL);
	world.imapdconf.aps_topic = (char *)"topic";
	world.config.credentials[0].name = "main";
	world.config.credential_count = 1;
	world.config.imapd_conf = "/etc/imapd.conf";
	world.sources.imapdconf = &world.imapdconf;
	const struct keyring_needs needs = {
		.loop = &world.loop, .config = &world.config, .input_files = &world.sources};
	world.keyring = keyring_new(&needs);
	return 0;
}

static int end(void **state)
{
	(void)state;
	keyring_free(world.keyring);
	alarm_stop();
	uv_run(&world.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world.loop), 0);
	return 0;
}

/* The one of that place, valid from and until then, in seconds from now. */
static struct credential *take_at(
	unsigned place, const char *topic, int64_t from_s, int64_t until_s)
{
	struct credential *credential = mem_alloc_zero(1, sizeof(*credential));
	credential->shares = 1;
	credential->name = mem_dup("main");
	credential->file = mem_dup("certificate 'apns.pem'");
	credential->topic = mem_dup(topic);
	credential->not_before_unix_ms = clock_unix_ms() + from_s * CLOCK_SECOND_MS;
	credential->not_after_unix_ms = clock_unix_ms() + until_s * CLOCK_SECOND_MS;
	world.sources.credentials[place] = credential;
	keyring_take(world.keyring, false);
	return credential;
}

static void take(int64_t from_s, int64_t until_s)
{
	take_at(0, "topic", from_s, until_s);
}

static void note_text(void *ctx, const char *name, const char *text, int64_t since_unix_ms)
{
	(void)since_unix_ms;
	if (!strcmp(name, ctx))
		strncpy(world.text, text, sizeof(world.text) - 1);
}

static const char *text_of(const char *alarm)
{
	*world.text = '\0';
	alarm_each(note_text, (void *)alarm);
	return world.text;
}

static void nothing_is_said_of_a_valid_one(void **state)
{
	(void)state;
	take(-DAY_S, 300 * DAY_S);
	assert_string_equal(text_of("credential-dates:main"), "");
	assert_string_equal(text_of("credential-expiry:main"), "");
}

static void one_that_ends_soon_is_to_be_renewed(void **state)
{
	(void)state;
	take(-DAY_S, 10 * DAY_S + 60);
	assert_string_equal(text_of("credential-dates:main"), "");
	assert_non_null(strstr(text_of("credential-expiry:main"), "expires in 10 days"));
}

static void the_pushes_of_an_expired_one_wait(void **state)
{
	(void)state;
	take(-2 * DAY_S, -DAY_S);
	assert_non_null(strstr(text_of("credential-dates:main"), "its pushes wait"));
	assert_string_equal(text_of("credential-expiry:main"), "");
}

/* Its certificate and its key do not match yet, so the former one is kept. */
static void one_that_expires_before_it_is_in_force_does_not_stop_the_loop(void **state)
{
	(void)state;
	take(-DAY_S, 300 * DAY_S);
	struct credential *coming = take_at(0, "topic", DAY_S, 300 * DAY_S);
	coming->not_before_unix_ms -= 3 * DAY_S * CLOCK_SECOND_MS;
	coming->not_after_unix_ms = coming->not_before_unix_ms + 1;
	world.sources.credential_status[0] = -EKEYREJECTED;
	assert_true(keyring_take(world.keyring, true));
	uv_run(&world.loop, UV_RUN_NOWAIT);
}

/* The first credential lists two domains, the third one; the second is for all others. */
static void a_phone_gets_the_topic_of_its_users_domain(void **state)
{
	(void)state;
	struct config_domain domains[] = {{(char *)"one.example", 0}, {(char *)"two.example", 0},
		{(char *)"three.example", 2}};
	world.config.credentials[1].name = "others";
	world.config.credentials[2].name = "three";
	world.config.credential_count = 3;
	world.config.domains = domains;
	world.config.domain_count = 3;
	assert_string_equal(keyring_topic(world.keyring, "a@one.example", ""), "");
	take_at(0, "first", -DAY_S, 300 * DAY_S);
	assert_string_equal(keyring_topic(world.keyring, "a@one.example", ""), "first");
	assert_string_equal(keyring_topic(world.keyring, "a", ""), "");
	take_at(1, "second", -DAY_S, 300 * DAY_S);
	assert_string_equal(keyring_topic(world.keyring, "a@two.Example", "other"), "first");
	assert_string_equal(keyring_topic(world.keyring, "a@b@two.example", ""), "first");
	assert_string_equal(keyring_topic(world.keyring, "a@four.example", ""), "second");
	assert_string_equal(keyring_topic(world.keyring, "a@.two.example", ""), "second");
	assert_string_equal(keyring_topic(world.keyring, "a", ""), "second");
	assert_string_equal(keyring_topic(world.keyring, "", "other"), "other");
	/* Its phones would be deaf to another one. */
	assert_string_equal(keyring_topic(world.keyring, "a@three.example", "other"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_said_of_a_valid_one, begin, end),
		cmocka_unit_test_setup_teardown(one_that_ends_soon_is_to_be_renewed, begin, end),
		cmocka_unit_test_setup_teardown(the_pushes_of_an_expired_one_wait, begin, end),
		cmocka_unit_test_setup_teardown(
			one_that_expires_before_it_is_in_force_does_not_stop_the_loop, begin, end),
		cmocka_unit_test_setup_teardown(
			a_phone_gets_the_topic_of_its_users_domain, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
