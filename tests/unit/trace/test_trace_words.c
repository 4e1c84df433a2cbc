#include "trace/trace_words.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct trace_entry of(enum trace_kind kind, unsigned what)
{
	return (struct trace_entry){.kind = kind,
		.what = what,
		.event = EVENT_MESSAGE_NEW,
		.user = "alice",
		.owner = "alice",
		.folder = "",
		.text = ""};
}

static void assert_says(const struct trace_entry *entry, const char *text, const char *meaning)
{
	mem_auto char *said = trace_words_text(entry);
	mem_auto char *meant = trace_words_meaning(entry);
	assert_string_equal(said, text);
	if (meaning)
		assert_string_equal(meant, meaning);
	else
		assert_null(meant);
}

static void an_event_names_its_mailbox_as_the_user_knows_it(void **state)
{
	(void)state;
	struct trace_entry entry = of(TRACE_EVENT, TRACE_AT_ONCE);
	assert_says(&entry, "MessageNew in INBOX: urgent, due at once", NULL);
	entry.folder = "Notes";
	assert_says(&entry, "MessageNew in Notes: urgent, due at once", NULL);
	entry.owner = "bob";
	assert_says(&entry, "MessageNew in Notes of bob: urgent, due at once", NULL);
	entry.owner = "";
	assert_says(&entry, "MessageNew in Notes (shared): urgent, due at once", NULL);
}

static void an_answer_says_what_follows(void **state)
{
	(void)state;
	struct trace_entry entry = of(TRACE_ANSWER, TRACE_DONE);
	entry.count = 1;
	entry.status = 200;
	assert_says(&entry, "push for 1 mailbox: Apple accepted it",
		"if the phone stays silent: a Focus, Low Power Mode, no network, the account set "
		"to Fetch, or notifications off for the account");
	entry.what = TRACE_FORGET;
	entry.status = 410;
	entry.text = "Unregistered";
	entry.count = 2;
	assert_says(&entry, "push for 2 mailboxes: Apple answered 410 Unregistered",
		"the device token is no longer in use: the account was removed from the phone, "
		"push was turned off or the phone was erased; the registration is forgotten, "
		"unless the phone renewed it since");
	entry.what = TRACE_RETRY;
	entry.ending = APNS_SILENT;
	assert_says(&entry, "push for 2 mailboxes: no answer from Apple",
		"Apple did not answer in time; the push is retried");
}

static void a_registration_says_what_it_names(void **state)
{
	(void)state;
	struct trace_entry entry = of(TRACE_REGISTRATION, TRACE_RENEWED);
	entry.count = 1;
	assert_says(&entry, "phone renewed its registration: 1 mailbox", NULL);
	entry.count = 3;
	entry.text = "a.b";
	assert_says(&entry, "phone renewed its registration: 3 mailboxes, topic a.b", NULL);
}

static void a_gap_says_how_much_is_missing(void **state)
{
	(void)state;
	struct trace_entry entry = of(TRACE_GAP, 0);
	entry.count = 12;
	assert_says(&entry, "12 entries, of all users, are missing here",
		"the disk did not take them, or not soon enough; pushes do not depend on that");
}

static void each_kind_and_each_outcome_has_words_and_a_name(void **state)
{
	(void)state;
	static const unsigned counts[TRACE_KINDS] = {[TRACE_EVENT] = TRACE_OUTCOMES,
		[TRACE_REGISTRATION] = TRACE_RECEIVED_KINDS,
		[TRACE_ANSWER] = TRACE_THENS,
		[TRACE_SUSPENDED] = 1,
		[TRACE_RESUMED] = 1,
		[TRACE_UNLISTED] = 1,
		[TRACE_NUDGED] = 1,
		[TRACE_GAP] = 1};
	for (int kind = 0; kind < TRACE_KINDS; kind++) {
		assert_true(strlen(trace_words_kind((enum trace_kind)kind)) > 2);
		for (unsigned what = 0; what < counts[kind]; what++) {
			const struct trace_entry entry = of((enum trace_kind)kind, what);
			mem_auto char *text = trace_words_text(&entry);
			mem_auto char *meaning = trace_words_meaning(&entry);
			assert_true(strlen(text) > 10);
			assert_true(!meaning || strlen(meaning) > 10);
			assert_int_equal(counts[kind] > 1, *trace_words_what(&entry) != '\0');
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_names_its_mailbox_as_the_user_knows_it),
		cmocka_unit_test(an_answer_says_what_follows),
		cmocka_unit_test(a_registration_says_what_it_names),
		cmocka_unit_test(a_gap_says_how_much_is_missing),
		cmocka_unit_test(each_kind_and_each_outcome_has_words_and_a_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
