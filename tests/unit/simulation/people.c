#include "people.h"

#include "apple.h"
#include "base/clock.h"
#include "base/mem.h"
#include "dice.h"
#include "folder.h"
#include "judge/judge.h"
#include "life.h"
#include "virtual.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define USERS 20
#define NAMESAKES 3 /* the first users: each has one in a domain */
#define PHONES 30
#define ACCOUNTS 60 /* an account on a phone */
#define FOLDERS 12
#define MANY 150 /* mailboxes of a user with many */
#define DOMAIN "@example.org"
#define HOST "imap://mail.example.com/"
#define JSON_MAX 16384

#define SECOND CLOCK_SECOND_MS
#define MINUTE CLOCK_MINUTE_MS
#define HOUR CLOCK_HOUR_MS
#define DAY CLOCK_DAY_MS

struct user {
	char name[24];
	char local[16];	    /* the part before the domain */
	const char *domain; /* "" or DOMAIN */
	char folders[MANY][24];
	unsigned made[MANY]; /* how often each was created again */
	unsigned folder_count;
	bool is_busy;	/* mail comes all the time */
	bool shares;	/* the first folder is shared now */
	bool is_denied; /* the ACL denies it to user 1 by name */
	int64_t silent_until_ms;
};

struct account {
	struct user *user;
	unsigned phone;
	unsigned generation; /* counts the account ids */
	int version;
	enum { INBOX_ONLY, SOME, ALL, SHARED, NONE } list;
	unsigned wish; /* which of SOME */
	int64_t away_until_ms;
};

/* A former name of a mailbox. */
struct former {
	const struct user *user;
	char id[24];
	char folder[24];
};

static struct user users[USERS];
static struct account accounts[ACCOUNTS];
static char tokens[PHONES][65];
static struct former *formers;
static size_t former_count;
static uint64_t found_by_id;
static bool is_clear;
static enum { NO_WAY, DIRECT, KEPT } way; /* of the current event */
static uint64_t events;
static char json[JSON_MAX];

/* A third of the users: their pushes are large. */
static bool has_many(const struct user *user)
{
	return (user - users) % 3 == 2;
}

/* Mostly to the daemon. mailpush-notify, if used, keeps what the daemon does not take. */
static bool choose_way(void)
{
	bool is_direct = life_listens() && !dice_once_in(40);
	way = is_direct ? DIRECT : dice_once_in(3) ? NO_WAY : KEPT;
	return way != NO_WAY;
}

static void hand_in(size_t size, struct judge_event *event)
{
	judge_rule(size < sizeof(json), "an event has room");
	event->is_kept = way == KEPT;
	event->is_request = way == DIRECT && !dice_once_in(4);
	events++;
	judge_sent(event);
	if (way == KEPT)
		folder_keep(event->number, json, size);
	else
		life_take(json, size, event->is_request ? event->number : 0);
}

static const char *access_of(const struct user *owner, const char *folder)
{
	static char text[128];
	const char *more = "";
	if (owner->shares && !strcmp(folder, owner->folders[0]))
		more = owner->is_denied ? "anyone\tlrs\t-u1\tr\t" : "anyone\tlrs\t";
	/* Then it may belong to either user. */
	if (owner->shares && strchr(folder, '@'))
		more = owner == &users[0] ? "u0" DOMAIN "\tlrs\t" : "u1" DOMAIN "\tlrs\t";
	snprintf(text, sizeof(text), "%s\\tlrswipkxtecdan\\t", owner->name);
	for (const char *at = more; *at; at++) {
		size_t end = strlen(text);
		snprintf(text + end, sizeof(text) - end, *at == '\t' ? "\\t" : "%c", *at);
	}
	return text;
}

static const char *path_of(const struct user *owner, const char *folder)
{
	static char path[2][96];
	static unsigned which;
	which = !which;
	snprintf(path[which], sizeof(path[which]), "/user.%s%s%s%s;", owner->local,
		*folder ? "." : "", folder, owner->domain);
	return path[which];
}

static void put_id(const struct user *owner, unsigned which, char ret[24])
{
	snprintf(ret, 24, "%u-%u-%u", (unsigned)(owner - users), which, owner->made[which]);
}

/* The id of a mailbox, as a member of the event; "" for an INBOX and for mailboxes unknown here. */
static const char *id_of(const struct user *owner, const char *folder)
{
	static char id[24];
	for (unsigned i = 0; i < owner->folder_count && *folder; i++) {
		if (!strcmp(owner->folders[i], folder)) {
			put_id(owner, i, id);
			return id;
		}
	}
	return "";
}

static void rename_to(struct user *user, unsigned which, const char *name)
{
	char *folder = user->folders[which];
	formers = mem_realloc_array(formers, former_count + 1, sizeof(*formers));
	struct former *former = &formers[former_count++];
	former->user = user;
	put_id(user, which, former->id);
	strcpy(former->folder, folder);
	strcpy(folder, name);
}

bool people_renamed(const char *id, const char *owner, const char *folder)
{
	for (size_t i = 0; i < former_count; i++) {
		if (!strcmp(formers[i].id, id) && !strcmp(formers[i].user->name, owner) &&
			!strcmp(formers[i].folder, folder)) {
			found_by_id++;
			return true;
		}
	}
	return false;
}

uint64_t people_found_by_id(void)
{
	return found_by_id;
}

/* Mail comes and changes. */

static const struct kind {
	const char *name;
	const char *more;
	unsigned weight;
	enum { IGNORED, URGENT, DEFERRED } follows;
} kinds[] = {
	{"MessageNew", "", 40, URGENT},
	{"vnd.cmu.MessageNew", "", 2, URGENT},
	{"MessageAppend", "", 10, DEFERRED},
	{"vnd.cmu.MessageCopy", "", 5, DEFERRED},
	{"vnd.cmu.MessageMove", "", 5, DEFERRED},
	{"MessageExpunge", "", 5, DEFERRED},
	{"MessageRead", "", 15, DEFERRED},
	{"MessageTrash", "", 5, DEFERRED},
	{"FlagsClear", ",\"flagNames\":\"\\\\Seen\"", 4, DEFERRED},
	{"FlagsClear", ",\"flagNames\":\"\\\\Flagged\"", 2, IGNORED},
	{"FlagsSet", ",\"flagNames\":\"\\\\Flagged\"", 4, IGNORED},
	{"MessageExpire", "", 2, IGNORED},
	{"MailboxModseq", "", 10, IGNORED},
	{"MailboxCreate", "", 2, IGNORED},
	{"AclChange", "", 2, IGNORED},
	{"Login", "", 2, IGNORED},
};

static const struct kind *some_kind(void)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		sum += kinds[i].weight;
	unsigned at = dice_roll(sum);
	const struct kind *kind = kinds;
	while (at >= kind->weight)
		at -= kind++->weight;
	return kind;
}

static void change_mailbox(struct user *user, const char *folder)
{
	const struct kind *kind = some_kind();
	/* Late events are ambiguous, and the judge cannot know which mailbox they mean. */
	bool is_ambiguous = *user->domain || strchr(folder, '@');
	if (!choose_way() || (is_ambiguous && way == KEPT))
		return;
	/* Calendars do not concern Mail. */
	bool is_mail = !dice_once_in(60);
	struct judge_event event = {
		.number = judge_next(),
		.what = is_mail && kind->follows != IGNORED ? JUDGE_NEWS : JUDGE_IGNORED,
		.is_urgent = kind->follows == URGENT,
		.owner = user->name,
		.folder = folder,
		.trace = path_of(user, folder),
	};
	int size = snprintf(json, sizeof(json),
		"{\"event\":\"%s\",\"timestamp\":\"2026-11-22T08:09:30.291Z\",\"mailboxID\":\"%s\","
		"\"uri\":\"" HOST "%sUIDVALIDITY=1795334961\",\"pid\":16965%s,"
		"\"user\":\"e%llu\",\"vnd.cmu.mbtype\":\"%s\","
		"\"vnd.cmu.mailboxACL\":\"%s\"}",
		kind->name, id_of(user, folder), event.trace + 1, kind->more,
		(unsigned long long)event.number, is_mail ? "e" : "c", access_of(user, folder));
	hand_in((size_t)size, &event);
}

static const char *some_folder(const struct user *user)
{
	return dice_roll(2) ? "" : user->folders[dice_roll(user->folder_count)];
}

/* The mailbox with an indistinguishable name changes at the same time. */
static void change_namesake(const struct user *user, const char *folder)
{
	char other[sizeof(user->folders[0])];
	size_t size = strcspn(folder, "@");
	if (!folder[size] || dice_roll(2))
		return;
	snprintf(other, sizeof(other), "%.*s", (int)size, folder);
	change_mailbox(&users[user - users + NAMESAKES], other);
}

static void burst(void *ctx, uint64_t left)
{
	struct user *user = ctx;
	if (is_clear)
		return;
	const char *folder = some_folder(user);
	change_mailbox(user, folder);
	change_namesake(user, folder);
	if (left)
		virtual_in(dice_wait_ms(dice_once_in(3) ? 5 * SECOND : 300), burst, user, left - 1);
}

static void live(void *ctx, uint64_t number)
{
	struct user *user = ctx;
	(void)number;
	if (is_clear)
		return;
	if (user->silent_until_ms <= virtual_now_ms())
		burst(user, dice_once_in(5) ? dice_roll(40) : dice_roll(3));
	virtual_in(dice_wait_ms(user->is_busy ? 2 * MINUTE : 30 * MINUTE), live, user, 0);
}

static void change_folder(void *ctx, uint64_t which)
{
	struct user *user = ctx;
	if (!is_clear)
		change_mailbox(user, user->folders[which]);
}

/* All mailboxes of users with many change within seconds: pushes of all sizes at once. */
static void flood(void)
{
	for (unsigned i = 0; i < USERS; i++) {
		for (unsigned j = 0; has_many(&users[i]) && j < users[i].folder_count; j++)
			virtual_in(dice_between(0, 5 * SECOND), change_folder, &users[i], j);
	}
}

/* All mailboxes of one user change at once, then those of all users. */
static void storm(void *ctx, uint64_t number)
{
	(void)ctx;
	(void)number;
	if (is_clear)
		return;
	struct user *user = &users[dice_roll(USERS)];
	for (unsigned i = 0; i < user->folder_count; i++)
		change_mailbox(user, user->folders[i]);
	if (dice_once_in(4))
		flood();
	for (unsigned i = 0; i < USERS && dice_once_in(4); i++)
		change_mailbox(&users[i], "");
	virtual_in(dice_wait_ms(6 * HOUR), storm, NULL, 0);
}

/* Mailboxes are deleted and renamed. */

static void send_mailbox(struct user *user, const char *name, const char *old, const char *new)
{
	if (!choose_way())
		return;
	char trace[32];
	struct judge_event event = {.number = judge_next(), .what = JUDGE_MAILBOX, .trace = trace};
	snprintf(trace, sizeof(trace), "\"e%llu\"", (unsigned long long)event.number);
	char before[160] = "";
	if (new)
		snprintf(before, sizeof(before), "\"oldMailboxID\":\"" HOST "%sUIDVALIDITY=1\",",
			path_of(user, old) + 1);
	const char *path = path_of(user, new ? new : old) + 1;
	char other[64];
	/* An account is renamed to another account. */
	if (new && !*old) {
		snprintf(other, sizeof(other), "user.%s-moved%s;", user->local, user->domain);
		path = other;
	}
	int size = snprintf(json, sizeof(json),
		"{\"event\":\"%s\",%s\"uri\":\"" HOST "%sUIDVALIDITY=1\",\"pid\":1,"
		"\"user\":\"e%llu\",\"vnd.cmu.mbtype\":\"e\",\"vnd.cmu.mailboxACL\":\"%s\"}",
		name, before, path, (unsigned long long)event.number, access_of(user, old));
	hand_in((size_t)size, &event);
}

static bool is_below(const char *folder, const char *parent)
{
	size_t size = strlen(parent);
	return !strncmp(folder, parent, size) && folder[size] == '.';
}

/* Do all names that change fit? */
static bool may_move(const struct user *user, const char *from, const char *to)
{
	for (unsigned i = 0; i < user->folder_count; i++) {
		const char *folder = user->folders[i];
		if (is_below(folder, from) &&
			strlen(folder) - strlen(from) + strlen(to) >= sizeof(user->folders[0]))
			return false;
	}
	return true;
}

static void move_below(struct user *user, const char *from, const char *to, unsigned except)
{
	for (unsigned i = 0; i < user->folder_count; i++) {
		char moved[sizeof(user->folders[0])];
		if (i == except || !is_below(user->folders[i], from))
			continue;
		snprintf(moved, sizeof(moved), "%s%s", to, user->folders[i] + strlen(from));
		rename_to(user, i, moved);
	}
}

/* Two folders swap names through JMAP: later events give only the ids. */
static void swap_folders(struct user *user)
{
	unsigned which[2] = {dice_roll(user->folder_count), dice_roll(user->folder_count)};
	char names[2][sizeof(user->folders[0])];
	for (unsigned i = 0; i < 2; i++)
		strcpy(names[i], user->folders[which[i]]);
	if (*user->domain || which[0] == which[1] || strchr(names[0], '@') ||
		strchr(names[1], '@') || is_below(names[0], names[1]) ||
		is_below(names[1], names[0]) || !may_move(user, names[0], names[1]) ||
		!may_move(user, names[1], names[0]))
		return;
	const char *turns[][2] = {{names[0], "swap"}, {names[1], names[0]}, {"swap", names[1]}};
	for (unsigned i = 0; i < 3; i++) {
		unsigned folder = which[i % 2];
		rename_to(user, folder, turns[i][1]);
		move_below(user, turns[i][0], turns[i][1], folder);
	}
	for (unsigned changes = dice_roll(12); changes > 0; changes--)
		change_mailbox(user, names[dice_roll(2)]);
}

static void rename_folder(struct user *user)
{
	unsigned which = dice_roll(user->folder_count);
	char folder[24];
	char old[24];
	strcpy(old, user->folders[which]);
	strcpy(folder, old);
	if (*user->domain && (which == 1 || which == 2))
		return; /* its name must stay ambiguous */
	/* Its name gets or loses a suffix, or it moves below another folder. */
	if (strchr(folder, '@'))
		snprintf(folder, sizeof(folder), "f%u%s", old[1] == '1' ? 2 : 1, DOMAIN);
	else if (strlen(folder) > 12)
		snprintf(folder, sizeof(folder), "f%u", dice_roll(1000) + 200);
	else if (dice_roll(2))
		strcat(folder, "x");
	else
		strcat(folder, ".y");
	if (!may_move(user, old, folder))
		return;
	/* Through JMAP only its id is known. */
	bool is_sent = *user->domain || strchr(old, '@') || dice_roll(3);
	rename_to(user, which, folder);
	/* All at once: events after the rename must not count as before it. */
	unsigned changes = dice_roll(6);
	for (unsigned i = 0; i < changes; i++)
		change_mailbox(user, folder);
	if (is_sent)
		send_mailbox(user, "MailboxRename", old, folder);
	for (unsigned i = 0; i < changes; i++)
		change_mailbox(user, folder);
	move_below(user, old, folder, which);
}

static void rearrange(void *ctx, uint64_t number)
{
	(void)ctx;
	(void)number;
	if (is_clear)
		return;
	struct user *user = &users[dice_roll(USERS)];
	unsigned what = dice_roll(14);
	if (what < 4) {
		unsigned which = dice_roll(user->folder_count);
		send_mailbox(user, "MailboxDelete", user->folders[which], NULL);
		user->made[which]++;
	} else if (what < 8) {
		rename_folder(user);
	} else if (what < 10) {
		user->shares = dice_roll(2);
		user->is_denied = dice_roll(2);
	} else if (what < 12) {
		swap_folders(user);
	} else {
		/* The account is deleted. Mostly that was a failed transfer, and the account goes
		 * on. */
		send_mailbox(user, what == 12 ? "MailboxDelete" : "MailboxRename", "",
			what == 12 ? NULL : "elsewhere");
		if (dice_roll(2))
			user->silent_until_ms = virtual_now_ms() + dice_wait_ms(2 * DAY);
	}
	virtual_in(dice_wait_ms(HOUR), rearrange, NULL, 0);
}

/* Phones register. */

static char *put_name(char *at, const struct user *user, const char *folder)
{
	bool is_own = user == NULL;
	/* The sizes give the compiler a bound. */
	return at +
		sprintf(at, ",\"%s%.23s%s%.23s\"", is_own ? "INBOX" : "user.",
			is_own ? "" : user->name, *folder ? "." : "", folder);
}

static void put_list(const struct account *account, char *at)
{
	const struct user *user = account->user;
	char *begin = at;
	*at = '\0';
	if (account->list != NONE)
		at = put_name(at, NULL, "");
	for (unsigned i = 0; i < user->folder_count; i++) {
		if (account->list == ALL ||
			((account->list == SOME || account->list == SHARED) &&
				(account->wish >> (i % 16) & 1)))
			at = put_name(at, NULL, user->folders[i]);
	}
	for (unsigned i = 0; i < USERS && account->list == SHARED; i++) {
		if (&users[i] != user && !*users[i].domain && (account->wish >> (i % 13) & 1))
			at = put_name(at, &users[i], users[i].folders[0]);
	}
	/* The same mailbox again in another spelling: another hash. */
	if (account->list == SOME && account->wish % 5 == 0)
		at += sprintf(at, ",\"inbox\"");
	if (*begin)
		*begin = ' ';
}

static void show(struct account *account)
{
	static char list[JSON_MAX / 2];
	if (account->away_until_ms > virtual_now_ms() || !choose_way())
		return;
	char account_id[32];
	snprintf(account_id, sizeof(account_id), "A-%u-%u", (unsigned)(account - accounts),
		account->generation);
	put_list(account, list);
	apple_phone_came(tokens[account->phone]);
	char trace[32];
	uint64_t number = judge_next();
	snprintf(trace, sizeof(trace), "\"r%llu\"", (unsigned long long)number);
	struct judge_event event = {.number = number,
		.what = JUDGE_REGISTRATION,
		.trace = trace,
		.account_id = account_id};
	int size = snprintf(json, sizeof(json),
		"{\"event\":\"ApplePushService\",\"pid\":17077,\"user\":\"%s\",\"apsVersion\":%d,"
		"\"apsAccountId\":\"%s\",\"apsDeviceToken\":\"%s\","
		"\"apsSubtopic\":\"com.apple.mobilemail\",\"trace\":%s,\"mailboxes\":[%s]}",
		account->user->name, account->version, account_id, tokens[account->phone], trace,
		list);
	hand_in((size_t)size, &event);
}

static void log_in(void *ctx, uint64_t number)
{
	struct account *account = ctx;
	if (is_clear)
		return;
	show(account);
	if (number)
		return;
	if (dice_once_in(15))
		account->wish = dice_roll(1 << 16);
	/* An account that is set up again has a new id; both may exist for a while. */
	if (dice_once_in(30))
		account->generation++;
	else if (account->generation && dice_once_in(100))
		account->generation--;
	if (dice_once_in(60))
		account->away_until_ms = virtual_now_ms() + dice_wait_ms(12 * DAY);
	virtual_in(dice_wait_ms(4 * HOUR), log_in, account, 0);
}

void people_got_push(const char *token)
{
	for (unsigned i = 0; i < ACCOUNTS; i++) {
		if (!strcmp(tokens[accounts[i].phone], token) && dice_once_in(8))
			virtual_in(dice_wait_ms(2 * SECOND), log_in, &accounts[i], 1);
	}
}

const char *people_some_token(void)
{
	return tokens[dice_roll(PHONES)];
}

uint64_t people_events(void)
{
	return events;
}

void people_begin(void)
{
	for (unsigned i = 0; i < USERS; i++) {
		struct user *user = &users[i];
		/* Two users have a namesake in a domain, and their folders are ambiguous. */
		bool is_namesake = i == NAMESAKES || i == NAMESAKES + 1;
		snprintf(user->local, sizeof(user->local), "u%u", is_namesake ? i - NAMESAKES : i);
		user->domain = is_namesake ? DOMAIN : "";
		snprintf(user->name, sizeof(user->name), "%s%s", user->local, user->domain);
		user->folder_count = has_many(user) ? MANY : 1 + dice_roll(FOLDERS);
		if (user->folder_count < 3)
			user->folder_count = 3;
		user->is_busy = i < 2;
		for (unsigned j = 0; j < user->folder_count; j++)
			snprintf(user->folders[j], sizeof(user->folders[j]),
				j % 4 == 3 ? "f%u.s%u" : "f%u", j - j % 4 % 3, j);
		if (i < 2)
			strcpy(user->folders[1], "f1" DOMAIN);
		virtual_in(dice_wait_ms(MINUTE), live, user, 0);
	}
	for (unsigned i = 0; i < PHONES; i++) {
		uint8_t bytes[16];
		dice_bytes(bytes);
		for (unsigned j = 0; j < 64; j++)
			tokens[i][j] = "0123456789abcdef"[(bytes[j % 16] >> (j % 3)) & 15];
	}
	for (unsigned i = 0; i < ACCOUNTS; i++) {
		/* Each phone has two accounts, of the same user or of two. */
		struct account *account = &accounts[i];
		account->phone = i % PHONES;
		account->user = &users[i < PHONES ? i % USERS : dice_roll(USERS)];
		account->version = dice_once_in(6) ? 1 : 2;
		account->list = has_many(account->user) || *account->user->domain ? ALL
			: dice_once_in(15)					  ? NONE
										  : dice_roll(4);
		account->wish = dice_roll(1 << 16);
		if (has_many(account->user))
			account->version = 2;
		virtual_in(dice_wait_ms(HOUR), log_in, account, 0);
	}
	virtual_in(dice_wait_ms(6 * HOUR), storm, NULL, 0);
	virtual_in(dice_wait_ms(HOUR), rearrange, NULL, 0);
}

void people_clear(void)
{
	is_clear = true;
}
