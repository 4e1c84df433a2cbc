#include "event/acl.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_user_has_the_rights_of_his_entry(void **state)
{
	(void)state;
	assert_true(acl_grants("alice\tlrswipkxtecdan\t", NULL, "alice", 'r'));
	assert_false(acl_grants("alice\tlswi\t", NULL, "alice", 'r'));
	assert_false(acl_grants("alice\tlrswi\t", NULL, "bob", 'r'));
}

static void anyone_is_every_user(void **state)
{
	(void)state;
	assert_true(acl_grants("alice\tlrs\tanyone\tr\t", NULL, "bob", 'r'));
	assert_false(acl_grants("alice\tlrs\tanyone\tp\t", NULL, "bob", 'r'));
}

static void rights_of_the_user_and_of_anyone_add_up(void **state)
{
	(void)state;
	const char *acl = "anyone\tl\tbob\tr\t";
	assert_true(acl_grants(acl, NULL, "bob", 'l'));
	assert_true(acl_grants(acl, NULL, "bob", 'r'));
}

static void negative_rights_subtract_wherever_they_stand(void **state)
{
	(void)state;
	assert_false(acl_grants("anyone\tlrs\t-bob\tr\t", NULL, "bob", 'r'));
	assert_false(acl_grants("-bob\tr\tanyone\tlrs\t", NULL, "bob", 'r'));
	assert_true(acl_grants("anyone\tlrs\t-bob\tr\t", NULL, "bob", 'l'));
	assert_true(acl_grants("anyone\tlrs\t-bob\tr\t", NULL, "carol", 'r'));
	assert_false(acl_grants("bob\tlrs\t-anyone\tr\t", NULL, "bob", 'r'));
}

static void an_id_matches_whole_or_not_at_all(void **state)
{
	(void)state;
	assert_false(acl_grants("bobby\tr\t", NULL, "bob", 'r'));
	assert_false(acl_grants("bo\tr\t", NULL, "bob", 'r'));
	assert_false(acl_grants("Bob\tr\t", NULL, "bob", 'r'));
	assert_true(acl_grants("bob@example.org\tr\t", NULL, "bob@example.org", 'r'));
	assert_false(acl_grants("bob@example.org\tr\t", NULL, "bob", 'r'));
}

static void rights_are_not_taken_for_ids(void **state)
{
	(void)state;
	assert_false(acl_grants("alice\tbob\tr\tr\t", NULL, "bob", 'r'));
}

static void an_unknown_acl_grants_nothing(void **state)
{
	(void)state;
	assert_false(acl_grants(NULL, NULL, "alice", 'r'));
	assert_false(acl_grants("", NULL, "alice", 'r'));
}

static void nobody_is_not_a_user(void **state)
{
	(void)state;
	assert_false(acl_grants("\tr\t", NULL, "", 'r'));
	assert_true(acl_grants("anyone\tr\t", NULL, "", 'r'));
}

static void an_acl_cut_short_grants_what_is_there(void **state)
{
	(void)state;
	assert_true(acl_grants("alice\tlrs", NULL, "alice", 'r'));
	assert_false(acl_grants("alice\t", NULL, "alice", 'r'));
	assert_false(acl_grants("alice", NULL, "alice", 'r'));
}

static void a_group_is_its_members(void **state)
{
	(void)state;
	static const char *const staff[] = {"dave", "Bob", "alice", "bob@example.org"};
	struct groups *groups = groups_new();
	groups_add(groups, "staff", staff, 4);
	groups_add(groups, "nobody", NULL, 0);
	groups_add(groups, "all staff", staff, 1);
	assert_int_equal(groups_count(groups), 3);
	static const char acl[] = "alice\tl\tgroup:staff\tlrs\tgroup:nobody\tlrs\t";
	assert_true(acl_grants(acl, groups, "bob", 'r'));
	assert_true(acl_grants(acl, groups, "bob@example.org", 'r'));
	assert_true(acl_grants(acl, groups, "alice", 'r'));
	assert_false(acl_grants(acl, groups, "carol", 'r'));
	assert_false(acl_grants(acl, groups, "", 'r'));
	assert_false(acl_grants(acl, groups, "group:staff", 'r'));
	assert_false(acl_grants(acl, NULL, "bob", 'r'));
	assert_false(acl_grants("group:staf\tr\tgroup:\tr\tstaff\tr\t", groups, "bob", 'r'));
	assert_true(acl_grants("group:all staff\tr\t", groups, "dave", 'r'));
	groups_free(groups);
}

static void negative_rights_of_a_group_subtract(void **state)
{
	(void)state;
	static const char *const staff[] = {"bob"};
	struct groups *groups = groups_new();
	groups_add(groups, "staff", staff, 1);
	assert_false(acl_grants("bob\tlrs\t-group:staff\tr\t", groups, "bob", 'r'));
	assert_false(acl_grants("group:staff\tlrs\t-bob\tr\t", groups, "bob", 'r'));
	assert_true(acl_grants("bob\tlrs\t-group:staff\tr\t", groups, "bob", 'l'));
	assert_true(acl_grants("anyone\tlrs\t-group:staff\tr\t", groups, "carol", 'r'));
	groups_free(groups);
}

static void members_of_a_group_of_the_system_are_those_it_said_last(void **state)
{
	(void)state;
	static const char *const first[] = {"Bob", "alice"};
	static const char *const later[] = {"carol"};
	static const char acl[] = "group:staff\tlrs\t";
	size_t count;
	struct groups *groups = groups_new();
	groups_add(groups, "listed", first, 2);
	groups_add_system(groups, "staff");
	mem_auto const char **names = groups_of_system(groups, &count);
	assert_int_equal(count, 1);
	assert_string_equal(names[0], "staff");
	assert_false(acl_grants(acl, groups, "bob", 'r'));
	groups_set_members(groups, "staff", first, 2);
	groups_set_members(groups, "listed", later, 1);
	groups_set_members(groups, "unknown", later, 1);
	assert_true(acl_grants(acl, groups, "bob", 'r'));
	assert_true(acl_grants("group:listed\tlrs\t", groups, "alice", 'r'));
	struct groups *next = groups_new();
	groups_add_system(next, "staff");
	groups_take_members(next, groups);
	groups_free(groups);
	assert_true(acl_grants(acl, next, "alice", 'r'));
	groups_set_members(next, "staff", later, 1);
	assert_false(acl_grants(acl, next, "alice", 'r'));
	assert_true(acl_grants(acl, next, "carol", 'r'));
	groups_free(next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_has_the_rights_of_his_entry),
		cmocka_unit_test(anyone_is_every_user),
		cmocka_unit_test(rights_of_the_user_and_of_anyone_add_up),
		cmocka_unit_test(negative_rights_subtract_wherever_they_stand),
		cmocka_unit_test(a_group_is_its_members),
		cmocka_unit_test(negative_rights_of_a_group_subtract),
		cmocka_unit_test(an_id_matches_whole_or_not_at_all),
		cmocka_unit_test(rights_are_not_taken_for_ids),
		cmocka_unit_test(an_unknown_acl_grants_nothing),
		cmocka_unit_test(nobody_is_not_a_user),
		cmocka_unit_test(an_acl_cut_short_grants_what_is_there),
		cmocka_unit_test(members_of_a_group_of_the_system_are_those_it_said_last),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
