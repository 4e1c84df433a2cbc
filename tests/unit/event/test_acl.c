#include "event/acl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_user_has_the_rights_of_his_entry(void **state)
{
	(void)state;
	assert_true(acl_grants("alice\tlrswipkxtecdan\t", "alice", 'r'));
	assert_false(acl_grants("alice\tlswi\t", "alice", 'r'));
	assert_false(acl_grants("alice\tlrswi\t", "bob", 'r'));
}

static void anyone_is_every_user(void **state)
{
	(void)state;
	assert_true(acl_grants("alice\tlrs\tanyone\tr\t", "bob", 'r'));
	assert_false(acl_grants("alice\tlrs\tanyone\tp\t", "bob", 'r'));
}

static void rights_of_the_user_and_of_anyone_add_up(void **state)
{
	(void)state;
	const char *acl = "anyone\tl\tbob\tr\t";
	assert_true(acl_grants(acl, "bob", 'l'));
	assert_true(acl_grants(acl, "bob", 'r'));
}

static void negative_rights_subtract_wherever_they_stand(void **state)
{
	(void)state;
	assert_false(acl_grants("anyone\tlrs\t-bob\tr\t", "bob", 'r'));
	assert_false(acl_grants("-bob\tr\tanyone\tlrs\t", "bob", 'r'));
	assert_true(acl_grants("anyone\tlrs\t-bob\tr\t", "bob", 'l'));
	assert_true(acl_grants("anyone\tlrs\t-bob\tr\t", "carol", 'r'));
	assert_false(acl_grants("bob\tlrs\t-anyone\tr\t", "bob", 'r'));
}

static void an_id_matches_whole_or_not_at_all(void **state)
{
	(void)state;
	assert_false(acl_grants("bobby\tr\t", "bob", 'r'));
	assert_false(acl_grants("bo\tr\t", "bob", 'r'));
	assert_false(acl_grants("Bob\tr\t", "bob", 'r'));
	assert_true(acl_grants("bob@example.org\tr\t", "bob@example.org", 'r'));
	assert_false(acl_grants("bob@example.org\tr\t", "bob", 'r'));
}

static void rights_are_not_taken_for_ids(void **state)
{
	(void)state;
	assert_false(acl_grants("alice\tbob\tr\tr\t", "bob", 'r'));
}

static void an_unknown_acl_grants_nothing(void **state)
{
	(void)state;
	assert_false(acl_grants(NULL, "alice", 'r'));
	assert_false(acl_grants("", "alice", 'r'));
}

static void nobody_is_not_a_user(void **state)
{
	(void)state;
	assert_false(acl_grants("\tr\t", "", 'r'));
	assert_true(acl_grants("anyone\tr\t", "", 'r'));
}

static void an_acl_cut_short_grants_what_is_there(void **state)
{
	(void)state;
	assert_true(acl_grants("alice\tlrs", "alice", 'r'));
	assert_false(acl_grants("alice\t", "alice", 'r'));
	assert_false(acl_grants("alice", "alice", 'r'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_has_the_rights_of_his_entry),
		cmocka_unit_test(anyone_is_every_user),
		cmocka_unit_test(rights_of_the_user_and_of_anyone_add_up),
		cmocka_unit_test(negative_rights_subtract_wherever_they_stand),
		cmocka_unit_test(an_id_matches_whole_or_not_at_all),
		cmocka_unit_test(rights_are_not_taken_for_ids),
		cmocka_unit_test(an_unknown_acl_grants_nothing),
		cmocka_unit_test(nobody_is_not_a_user),
		cmocka_unit_test(an_acl_cut_short_grants_what_is_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
