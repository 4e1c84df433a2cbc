#include "arrival/user_names.h"

#include "base/clock.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#define NAMELESS 54321
#define BROKEN 54322
#define SLOW 54323

static struct {
	uv_loop_t loop;
	struct user_names *names;
	int64_t passed_ms; /* since the start, beside real time */
	uv_sem_t held;	   /* the answer about SLOW waits for it */
	unsigned asked;	   /* the system */
} world;

struct visitor {
	struct user_names_query query;
	char name[64];
	bool is_answered;
	bool is_unknown;
};

/* Stand in for the system's. */

int __wrap_getpwuid_r(
	uid_t uid, struct passwd *entry, char *memory, size_t size, struct passwd **ret);
int64_t __wrap_clock_monotonic_ms(void);
int64_t __real_clock_monotonic_ms(void);

int __wrap_getpwuid_r(
	uid_t uid, struct passwd *entry, char *memory, size_t size, struct passwd **ret)
{
	world.asked++;
	*ret = NULL;
	if (uid == SLOW)
		uv_sem_wait(&world.held);
	if (uid == BROKEN)
		return EIO;
	if (uid == NAMELESS)
		return 0;
	if (uid == 7 && size < 10000)
		return ERANGE;
	snprintf(memory, size, "user%u", (unsigned)uid);
	entry->pw_name = memory;
	*ret = entry;
	return 0;
}

int64_t __wrap_clock_monotonic_ms(void)
{
	return __real_clock_monotonic_ms() + world.passed_ms;
}

static int set_up(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	uv_sem_init(&world.held, 0);
	assert_int_equal(uv_loop_init(&world.loop), 0);
	world.names = user_names_new(&world.loop);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	user_names_free(world.names);
	uv_run(&world.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world.loop), 0);
	uv_sem_destroy(&world.held);
	return 0;
}

static void on_answered(struct user_names_query *query, const char *name)
{
	struct visitor *visitor = MEM_CONTAINER(query, struct visitor, query);
	assert_false(visitor->is_answered);
	visitor->is_answered = true;
	visitor->is_unknown = !name;
	snprintf(visitor->name, sizeof(visitor->name), "%s", name ? name : "");
}

static struct visitor *ask(struct visitor *visitor, uid_t uid)
{
	*visitor = (struct visitor){.query = {.uid = uid, .answered = on_answered}};
	user_names_ask(world.names, &visitor->query);
	assert_false(visitor->is_answered);
	return visitor;
}

static void wait_for(const struct visitor *visitor)
{
	while (!visitor->is_answered)
		uv_run(&world.loop, UV_RUN_ONCE);
}

static void a_name_is_asked_for_once_and_remembered(void **state)
{
	(void)state;
	const char *name;
	struct visitor one, two, other;
	assert_false(user_names_know(world.names, 5, &name));
	ask(&one, 5);
	ask(&other, 6);
	ask(&two, 5);
	wait_for(&one);
	wait_for(&two);
	wait_for(&other);
	assert_string_equal(one.name, "user5");
	assert_string_equal(two.name, "user5");
	assert_string_equal(other.name, "user6");
	assert_int_equal(world.asked, 2);
	assert_true(user_names_know(world.names, 5, &name));
	assert_string_equal(name, "user5");
	world.passed_ms = USER_NAMES_KEEP_MS;
	assert_false(user_names_know(world.names, 5, &name));
}

static void that_there_is_no_such_user_is_remembered_for_less(void **state)
{
	(void)state;
	const char *name;
	struct visitor visitor;
	wait_for(ask(&visitor, NAMELESS));
	assert_string_equal(visitor.name, "");
	assert_false(visitor.is_unknown);
	assert_true(user_names_know(world.names, NAMELESS, &name));
	assert_string_equal(name, "");
	world.passed_ms = USER_NAMES_KEEP_NONE_MS;
	assert_false(user_names_know(world.names, NAMELESS, &name));
}

static void a_system_that_fails_is_not_remembered(void **state)
{
	(void)state;
	const char *name;
	struct visitor visitor;
	wait_for(ask(&visitor, BROKEN));
	assert_true(visitor.is_unknown);
	assert_false(user_names_know(world.names, BROKEN, &name));
}

static void a_large_entry_is_read(void **state)
{
	(void)state;
	struct visitor visitor;
	wait_for(ask(&visitor, 7));
	assert_string_equal(visitor.name, "user7");
	assert_int_equal(world.asked, 2);
}

static void nobody_waits_long_for_a_system_that_is_silent(void **state)
{
	(void)state;
	const char *name;
	struct visitor slow, behind, later;
	ask(&slow, SLOW);
	ask(&behind, 5);
	world.passed_ms = USER_NAMES_WAIT_MS;
	wait_for(&slow);
	wait_for(&behind);
	assert_true(slow.is_unknown && behind.is_unknown);
	/* What it says in the end counts for who comes then. */
	uv_sem_post(&world.held);
	wait_for(ask(&later, 5));
	assert_string_equal(later.name, "user5");
	assert_true(user_names_know(world.names, SLOW, &name));
}

static void who_does_not_wait_any_more_is_not_answered(void **state)
{
	(void)state;
	struct visitor slow, behind;
	ask(&slow, SLOW);
	ask(&behind, 5);
	user_names_drop(world.names, &slow.query);
	uv_sem_post(&world.held);
	wait_for(&behind);
	assert_false(slow.is_answered);
}

static struct visitor *to_drop;
static struct visitor *to_ask;

static void on_answered_drops_another(struct user_names_query *query, const char *name)
{
	on_answered(query, name);
	user_names_drop(world.names, &to_drop->query);
	ask(to_ask, 5);
}

static void who_is_answered_may_drop_another_and_ask(void **state)
{
	(void)state;
	struct visitor first, second, third, later;
	to_drop = &third;
	to_ask = &later;
	ask(&first, 5)->query.answered = on_answered_drops_another;
	ask(&second, 5);
	ask(&third, 5);
	wait_for(&first);
	wait_for(&second);
	wait_for(&later);
	assert_false(third.is_answered);
	assert_string_equal(later.name, "user5");
}

static void it_is_freed_while_the_system_is_silent(void **state)
{
	(void)state;
	struct visitor slow;
	ask(&slow, SLOW);
	user_names_drop(world.names, &slow.query);
	uv_sem_post(&world.held);
}

static void only_so_many_are_remembered(void **state)
{
	(void)state;
	const char *name;
	struct visitor visitor;
	for (uid_t uid = 100; uid <= 100 + USER_NAMES_KEPT_MAX; uid++) {
		world.passed_ms++;
		wait_for(ask(&visitor, uid));
	}
	assert_false(user_names_know(world.names, 100, &name));
	assert_true(user_names_know(world.names, 101, &name));
	assert_true(user_names_know(world.names, 100 + USER_NAMES_KEPT_MAX, &name));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_name_is_asked_for_once_and_remembered),
		TEST(that_there_is_no_such_user_is_remembered_for_less),
		TEST(a_system_that_fails_is_not_remembered),
		TEST(a_large_entry_is_read),
		TEST(nobody_waits_long_for_a_system_that_is_silent),
		TEST(who_does_not_wait_any_more_is_not_answered),
		TEST(who_is_answered_may_drop_another_and_ask),
		TEST(it_is_freed_while_the_system_is_silent),
		TEST(only_so_many_are_remembered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
