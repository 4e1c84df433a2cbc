#include "trace/trace_words.h"

#include "apns/explain.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

struct words {
	const char *name;
	const char *text;
	const char *meaning; /* NULL: none */
};

static const char *const kinds[TRACE_KINDS] = {[TRACE_EVENT] = "event",
	[TRACE_REGISTRATION] = "registration",
	[TRACE_ANSWER] = "push",
	[TRACE_SUSPENDED] = "suspended",
	[TRACE_RESUMED] = "resumed",
	[TRACE_UNLISTED] = "unlisted",
	[TRACE_NUDGED] = "nudged",
	[TRACE_GAP] = "gap"};

static const struct words outcomes[TRACE_OUTCOMES] = {
	[TRACE_AT_ONCE] = {"at_once", "urgent, due at once", NULL},
	[TRACE_RESTS] = {"rests", "urgent, pushed when min_interval is over",
		"the last push to this phone was less than min_interval ago"},
	[TRACE_DEFERRED] = {"deferred", "deferred",
		"it leaves after deferred_delay, with all that comes meanwhile"},
	[TRACE_MERGED] = {"merged", "merged into the push that waits already",
		"one push tells the phone of all changes"},
	[TRACE_BEHIND] = {"behind", "waits for the push in flight", "it leaves with the next push"},
	[TRACE_NO_RIGHT] = {"no_right", "not pushed: the user may not read this mailbox",
		"the ACL that came with the event does not give the user the right r"},
	[TRACE_NOT_SHARED] = {"not_shared", "not pushed: it is another user's mailbox",
		"shared_mailboxes is no"},
	[TRACE_PUSH_OFF] = {"push_off", "not pushed: push is off for this user",
		"a section user_settings of mailpush.conf says push = no"},
	[TRACE_NOT_LISTED] = {"not_listed", "not pushed: no phone subscribed to this mailbox",
		"choose it on the phone, under Pushed Mailboxes of the account, and open Mail"},
	[TRACE_NOT_WANTED] = {"not_wanted", "ignored: events of this kind push nothing",
		"urgent_events and deferred_events list those that do"},
	[TRACE_NO_MAIL] = {"no_mail", "ignored: the mailbox does not hold mail", NULL},
	[TRACE_SHED] = {"shed", "dropped: too many events waited",
		"max_waiting was reached; phones learn of it with the next event"},
	[TRACE_FOLDER_GONE] = {"deleted", "the mailbox was deleted, and its subscriptions with it",
		NULL},
	[TRACE_LIMITED] = {"limited", "limited",
		"the user's pushes_per_minute is reached; the next push has all that comes "
		"meanwhile"},
	[TRACE_FOLDER_MOVED] = {"renamed", "the mailbox was renamed, and its subscriptions follow",
		NULL},
};

static const struct words received[TRACE_RECEIVED_KINDS] = {
	[TRACE_NEW] = {"new", "phone registered",
		"a push follows within about a minute, which shows whether Apple takes the token"},
	[TRACE_CHANGED] = {"changed", "phone registered other mailboxes, or another topic", NULL},
	[TRACE_RENEWED] = {"renewed", "phone renewed its registration", NULL},
	[TRACE_STALE] = {"stale",
		"an older registration than the known one came late and changes nothing", NULL},
	[TRACE_UNWANTED] = {"unwanted", "registration ignored: its subtopic is not configured",
		"the key subtopics of mailpush.conf lists those that are"},
};

static const struct words thens[TRACE_THENS] = {
	[TRACE_DONE] = {"done", "", NULL},
	[TRACE_DROP] = {"drop", "; the push is discarded", NULL},
	[TRACE_FORGET] = {"forget",
		"; the registration is forgotten, unless the phone renewed it since", NULL},
	[TRACE_STOP] = {"stop", "; nothing is sent to the phone until it registers again", NULL},
	[TRACE_RETRY] = {"retry", "", NULL},
	[TRACE_HOLD] = {"hold", "; pushes are held, and one is tried every few minutes", NULL},
	[TRACE_GIVEN_UP] = {"given_up", "; after a day of that it was given up", NULL},
};

const char *trace_words_kind(enum trace_kind kind)
{
	return kinds[kind];
}

const char *trace_words_what(const struct trace_entry *entry)
{
	switch (entry->kind) {
	case TRACE_EVENT:
		return outcomes[entry->what].name;
	case TRACE_REGISTRATION:
		return received[entry->what].name;
	case TRACE_ANSWER:
		return thens[entry->what].name;
	default:
		return "";
	}
}

static char *event_text(const struct trace_entry *entry)
{
	const char *folder = *entry->folder ? entry->folder : "INBOX";
	const char *kind = event_kind_name(entry->event);
	const char *outcome = outcomes[entry->what].text;
	if (!*entry->owner)
		return mem_printf("%s in %s (shared): %s", kind, folder, outcome);
	if (*entry->user && strcmp(entry->owner, entry->user) != 0)
		return mem_printf("%s in %s of %s: %s", kind, folder, entry->owner, outcome);
	return mem_printf("%s in %s: %s", kind, folder, outcome);
}

static char *registration_text(const struct trace_entry *entry)
{
	mem_auto char *topic = *entry->text ? mem_printf(", topic %s", entry->text) : mem_dup("");
	return mem_printf("%s: %" PRIu32 " mailbox%s%s", received[entry->what].text, entry->count,
		entry->count == 1 ? "" : "es", topic);
}

static char *answer_text(const struct trace_entry *entry)
{
	mem_auto char *push = mem_printf(
		"push for %" PRIu32 " mailbox%s", entry->count, entry->count == 1 ? "" : "es");
	if (entry->ending != APNS_ANSWERED)
		return mem_printf("%s: no answer from Apple", push);
	if (entry->what == TRACE_DONE)
		return mem_printf("%s: Apple accepted it", push);
	return mem_printf("%s: Apple answered %u%s%s", push, entry->status, *entry->text ? " " : "",
		entry->text);
}

char *trace_words_text(const struct trace_entry *entry)
{
	switch (entry->kind) {
	case TRACE_EVENT:
		return event_text(entry);
	case TRACE_REGISTRATION:
		return registration_text(entry);
	case TRACE_ANSWER:
		return answer_text(entry);
	case TRACE_SUSPENDED:
		return mem_dup("registration suspended: the account was deleted");
	case TRACE_RESUMED:
		return mem_dup("registration resumed: the account is back");
	case TRACE_UNLISTED:
		return mem_dup("a mailbox that the phone subscribed to was deleted");
	case TRACE_NUDGED:
		return mem_dup("nudged: the phone has not renewed its registration for long");
	case TRACE_GAP:
	case TRACE_KINDS:
		break;
	}
	return mem_printf("%" PRIu32 " entries, of all users, are missing here", entry->count);
}

static char *answer_meaning(const struct trace_entry *entry)
{
	if (entry->ending == APNS_ANSWERED && entry->what == TRACE_DONE)
		return mem_dup(EXPLAIN_SILENT_PHONE);
	return mem_printf("%s%s", explain_answer(entry->ending, (int)entry->status, entry->text),
		thens[entry->what].text);
}

char *trace_words_meaning(const struct trace_entry *entry)
{
	const char *meaning = NULL;
	switch (entry->kind) {
	case TRACE_EVENT:
		meaning = outcomes[entry->what].meaning;
		break;
	case TRACE_REGISTRATION:
		meaning = received[entry->what].meaning;
		break;
	case TRACE_ANSWER:
		return answer_meaning(entry);
	case TRACE_SUSPENDED:
		meaning = "its news is kept, and pushed when mail comes or a phone registers";
		break;
	case TRACE_NUDGED:
		meaning = "a push lets the phone connect, and it registers again then";
		break;
	case TRACE_GAP:
		meaning = "the disk did not take them, or not soon enough; pushes do not depend "
			  "on that";
		break;
	case TRACE_RESUMED:
	case TRACE_UNLISTED:
	case TRACE_KINDS:
		break;
	}
	return meaning ? mem_dup(meaning) : NULL;
}
