#include "event/relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static enum relay_action decide(enum event_kind kind)
{
	struct relay_policy policy;
	relay_policy_init(&policy);
	const struct mail_event event = {
		.kind = kind, .mbtype = 'e', .readings = 1, .from_readings = 1};
	return relay_decide(&policy, &event);
}

static void a_registration_registers(void **state)
{
	(void)state;
	struct relay_policy policy;
	relay_policy_init(&policy);
	const struct mail_event event = {.kind = EVENT_APPLE_PUSH_SERVICE, .mbtype = 'e'};
	assert_int_equal(relay_decide(&policy, &event), RELAY_REGISTER);
}

static void new_mail_is_urgent(void **state)
{
	(void)state;
	assert_int_equal(decide(EVENT_MESSAGE_NEW), RELAY_URGENT);
}

static void what_changes_badge_or_list_is_deferred(void **state)
{
	(void)state;
	static const enum event_kind kinds[] = {EVENT_MESSAGE_APPEND, EVENT_MESSAGE_COPY,
		EVENT_MESSAGE_MOVE, EVENT_MESSAGE_EXPUNGE, EVENT_MESSAGE_READ, EVENT_MESSAGE_TRASH};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		assert_int_equal(decide(kinds[i]), RELAY_DEFERRED);
}

static void the_rest_is_ignored(void **state)
{
	(void)state;
	static const enum event_kind kinds[] = {EVENT_FLAGS_SET, EVENT_FLAGS_CLEAR,
		EVENT_MESSAGE_EXPIRE, EVENT_MAILBOX_MODSEQ, EVENT_MAILBOX_CREATE, EVENT_ACL_CHANGE,
		EVENT_OTHER, EVENT_APPLE_PUSH_SERVICE_DAV};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		assert_int_equal(decide(kinds[i]), RELAY_IGNORE);
}

static void only_clearing_seen_among_cleared_flags_is_pushed(void **state)
{
	(void)state;
	struct relay_policy policy;
	relay_policy_init(&policy);
	const struct mail_event event = {
		.kind = EVENT_FLAGS_CLEAR, .clears_seen = true, .mbtype = 'e', .readings = 1};
	assert_int_equal(relay_decide(&policy, &event), RELAY_DEFERRED);
}

static void deletes_and_renames_change_the_registry(void **state)
{
	(void)state;
	assert_int_equal(decide(EVENT_MAILBOX_DELETE), RELAY_MAILBOX_DELETE);
	assert_int_equal(decide(EVENT_MAILBOX_RENAME), RELAY_MAILBOX_RENAME);
}

static void a_rename_without_its_old_name_is_ignored(void **state)
{
	(void)state;
	struct relay_policy policy;
	relay_policy_init(&policy);
	const struct mail_event event = {
		.kind = EVENT_MAILBOX_RENAME, .mbtype = 'e', .readings = 1, .from_readings = 0};
	assert_int_equal(relay_decide(&policy, &event), RELAY_IGNORE);
}

static void calendars_and_address_books_never_push_mail(void **state)
{
	(void)state;
	struct relay_policy policy;
	relay_policy_init(&policy);
	static const char types[] = {'c', 'a', 'b', 'f'};
	for (size_t i = 0; i < sizeof(types); i++) {
		const struct mail_event event = {
			.kind = EVENT_MESSAGE_NEW, .mbtype = types[i], .readings = 1};
		assert_int_equal(relay_decide(&policy, &event), RELAY_IGNORE);
	}
}

static void an_event_about_no_mailbox_is_ignored(void **state)
{
	(void)state;
	struct relay_policy policy;
	relay_policy_init(&policy);
	const struct mail_event event = {.kind = EVENT_MESSAGE_NEW, .mbtype = 'e'};
	assert_int_equal(relay_decide(&policy, &event), RELAY_IGNORE);
}

static void the_policy_can_be_changed_by_name(void **state)
{
	(void)state;
	struct relay_policy policy;
	relay_policy_init(&policy);
	assert_true(relay_policy_set(&policy, "FlagsSet", RELAY_DEFERRED));
	assert_true(relay_policy_set(&policy, "FlagsClear:Seen", RELAY_URGENT));
	assert_false(relay_policy_set(&policy, "MailboxDelete", RELAY_URGENT));
	assert_false(relay_policy_set(&policy, "Nonsense", RELAY_URGENT));
	assert_int_equal(policy.of[EVENT_FLAGS_SET], RELAY_DEFERRED);
	assert_int_equal(policy.of_clears_seen, RELAY_URGENT);
	relay_policy_clear(&policy, RELAY_DEFERRED);
	assert_int_equal(policy.of[EVENT_FLAGS_SET], RELAY_IGNORE);
	assert_int_equal(policy.of[EVENT_MESSAGE_READ], RELAY_IGNORE);
	assert_int_equal(policy.of[EVENT_MESSAGE_NEW], RELAY_URGENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_registration_registers),
		cmocka_unit_test(new_mail_is_urgent),
		cmocka_unit_test(what_changes_badge_or_list_is_deferred),
		cmocka_unit_test(the_rest_is_ignored),
		cmocka_unit_test(only_clearing_seen_among_cleared_flags_is_pushed),
		cmocka_unit_test(deletes_and_renames_change_the_registry),
		cmocka_unit_test(a_rename_without_its_old_name_is_ignored),
		cmocka_unit_test(calendars_and_address_books_never_push_mail),
		cmocka_unit_test(an_event_about_no_mailbox_is_ignored),
		cmocka_unit_test(the_policy_can_be_changed_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
