/* Whatever a server answers, the driver fails as if the connection were lost, and lives. */
#include "base/clock.h"
#include "base/mem.h"
#include "fake.h"
#include "postgresql/postgresql.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TOKEN "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH "0123456789abcdef0123456789abcdef"
#define KEY "0123456789abcdef"
#define NUMBER(byte)                     \
	{                                \
		"\0\0\0\0\0\0\0" byte, 8 \
	}
#define TEXT(text)                          \
	{                                   \
		text, (int)sizeof(text) - 1 \
	}
#define TARGET                                                                               \
	TEXT(KEY), TEXT("alice"), TEXT(TOKEN), TEXT("account"), TEXT("topic"), NUMBER("\2"), \
		{"\1", 1}, {"\0", 1}, NUMBER("\1"), NUMBER("\0")
#define MATCH \
	"nt"  \
	"kttttnbbnn"
#define PATIENT_MS 60000
#define SHORT_MS 300

static const struct registry_ops *ops = &postgresql_ops;
static const struct mailbox mailboxes[] = {
	{.owner = "alice", .folder = ""}, {.owner = "bob", .folder = ""}};
static const struct mailbox *const asked[] = {&mailboxes[0], &mailboxes[1]};

struct world {
	struct fake *fake;
	struct registry_db *db;
	size_t found[2];
	struct err err;
};

static void open_db(struct world *w, int64_t timeout_ms)
{
	const struct registry_settings settings = {.site = "site", .timeout_ms = timeout_ms};
	ops->close(w->db);
	assert_int_equal(ops->open(fake_place(w->fake), &settings, &w->db, &w->err), 0);
}

static int set_up(void **state)
{
	struct world *w = mem_alloc_zero(1, sizeof(*w));
	w->fake = fake_new();
	open_db(w, PATIENT_MS);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	ops->close(w->db);
	fake_free(w->fake);
	free(w);
	return 0;
}

static void on_match(void *ctx, size_t index, const struct registry_row *row, const char *hash)
{
	struct world *w = ctx;
	assert_int_in_range(index, 0, 1);
	assert_string_equal(row->user, "alice");
	assert_string_equal(hash, HASH);
	w->found[index]++;
}

static void on_row(void *ctx, size_t index, const struct registry_row *row)
{
	struct world *w = ctx;
	(void)row;
	assert_int_in_range(index, 0, 1);
	w->found[index]++;
}

static void on_subscription(
	void *ctx, size_t index, const struct registry_subscription *subscription)
{
	struct world *w = ctx;
	(void)subscription;
	assert_int_in_range(index, 0, 1);
	w->found[index]++;
}

static void on_effect(void *ctx, size_t index, enum registry_effect_kind kind,
	const struct registry_key *key, const char *hash)
{
	(void)index;
	(void)kind;
	(void)key;
	on_subscription(ctx, 0, NULL);
	assert_non_null(hash);
}

static void on_key(void *ctx, size_t index, const struct registry_key *key)
{
	(void)key;
	(void)index;
	on_subscription(ctx, 0, NULL);
}

static void on_tombstone(void *ctx, const struct registry_tombstone *tombstone)
{
	(void)tombstone;
	on_subscription(ctx, 0, NULL);
}

static void on_suspended(void *ctx, const char *user, int64_t suspended_ms)
{
	(void)user;
	(void)suspended_ms;
	on_subscription(ctx, 0, NULL);
}

static int ask_matches(struct world *w)
{
	return ops->match(w->db, asked, 2, on_match, w, &w->err);
}

static int ask_users(struct world *w)
{
	const char *const users[] = {"alice", "bob"};
	return ops->load_users(w->db, users, 2, on_row, w, &w->err);
}

static int ask_lists(struct world *w)
{
	const struct registry_key keys[2] = {0};
	return ops->load_lists(w->db, keys, 2, on_subscription, w, &w->err);
}

static int ask_keys(struct world *w)
{
	const struct registry_key keys[2] = {0};
	return ops->load_keys(w->db, keys, 2, on_row, w, &w->err);
}

static int ask_page(struct world *w)
{
	const struct registry_key key = {0};
	return ops->list(w->db, "", &key, 2, on_row, w, &w->err);
}

static int ask_tombstones(struct world *w)
{
	return ops->list_tombstones(w->db, NULL, 0, 2, on_tombstone, w, &w->err);
}

static int ask_totals(struct world *w)
{
	struct registry_totals totals;
	return ops->count(w->db, &totals, &w->err);
}

static int ask_census(struct world *w)
{
	struct registry_census census;
	return ops->census(w->db, &census, &w->err);
}

static int ask_suspended(struct world *w)
{
	return ops->find_suspended(w->db, on_suspended, w, &w->err);
}

static int ask_round(struct world *w)
{
	struct registry_round round;
	return ops->load_round(w->db, &round, &w->err);
}

static int ask_claim(struct world *w)
{
	bool is_ours;
	return ops->claim_round(w->db, 0, 1, 2, &is_ours, &w->err);
}

static int ask_expired(struct world *w)
{
	uint64_t total;
	return ops->find_expired(w->db, 1, 2, on_key, w, &total, &w->err);
}

static int ask_longest_suspended(struct world *w)
{
	return ops->find_longest_suspended(w->db, 1, 2, on_key, w, &w->err);
}

static int ask_nudges(struct world *w)
{
	return ops->claim_nudges(w->db, 1, 2, on_match, w, &w->err);
}

static int change(struct world *w, enum registry_mailbox_change_kind kind)
{
	const struct registry_mailbox_change change = {.kind = kind,
		.owner = "alice",
		.folder = "A",
		.new_owner = "alice",
		.new_folder = "B",
		.separator = '/'};
	return ops->change_mailboxes(w->db, &change, 1, on_effect, w, &w->err);
}

static int lose_owner(struct world *w)
{
	return change(w, REGISTRY_OWNER_GONE);
}

static int lose_folder(struct world *w)
{
	return change(w, REGISTRY_FOLDER_GONE);
}

static int move_folder(struct world *w)
{
	return change(w, REGISTRY_FOLDER_MOVED);
}

static int stop_token(struct world *w)
{
	const struct registry_token_change change = {
		.token = TOKEN, .topic = "topic", .before_ms = 1, .stop_reason = "no"};
	return ops->change_tokens(w->db, &change, 1, on_key, w, &w->err);
}

static int resume(struct world *w)
{
	const struct registry_resume resume = {.user = "alice", .upto_ms = 1};
	return ops->resume(w->db, &resume, 1, on_effect, w, &w->err);
}

typedef int ask_fn(struct world *w);

static int answer(struct world *w, const struct fake_answer *answer, ask_fn *ask)
{
	fake_answers(w->fake, answer);
	memset(w->found, 0, sizeof(w->found));
	if (ops->begin(w->db, REGISTRY_WRITES, &w->err) != 0)
		fail_msg("%s", w->err.text);
	int failed = ask(w);
	fake_answers(w->fake, NULL);
	ops->rollback(w->db);
	return failed;
}

static void refuse(struct world *w, const struct fake_answer *said, ask_fn *ask, const char *what)
{
	assert_int_equal(answer(w, said, ask), -ENOTCONN);
	assert_non_null(strstr(w->err.text, "the server's answer is malformed: "));
	if (!strstr(w->err.text, what))
		fail_msg("'%s' is not in: %s", what, w->err.text);
	assert_int_equal(w->found[0] + w->found[1], 0);
}

static void what_is_well_is_taken(void **state)
{
	struct world *w = *state;
	static const struct fake_value rows[] = {
		NUMBER("\1"), TEXT(HASH), TARGET, NUMBER("\2"), TEXT(HASH), TARGET};
	const struct fake_answer said = {
		.to = "s.place = q.place", .columns = MATCH, .values = rows, .rows = 2};
	if (answer(w, &said, ask_matches) != 0)
		fail_msg("%s", w->err.text);
	assert_int_equal(w->found[0], 1);
	assert_int_equal(w->found[1], 1);
}

static void a_row_for_no_question_is_malformed(void **state)
{
	static const struct fake_value ordinals[] = {{"\0\0\0\0\x3b\x9a\xca\0", 8}, NUMBER("\0"),
		NUMBER("\3"), {"\xff\xff\xff\xff\xff\xff\xff\xff", 8}, {"\x7f\0\0\0\0\0\0\0", 8},
		{NULL, -1}};
	struct world *w = *state;
	for (size_t i = 0; i < sizeof(ordinals) / sizeof(ordinals[0]); i++) {
		const struct fake_value match[] = {ordinals[i], TEXT(HASH), TARGET};
		const struct fake_value row[] = {ordinals[i], TARGET, {NULL, -1}, TEXT("mail"),
			NUMBER("\1"), NUMBER("\0"), {"\0", 1}};
		const struct fake_value box[] = {
			ordinals[i], TEXT("INBOX"), TEXT("alice"), TEXT(""), TEXT(HASH)};
		const struct fake_answer matches = {
			.to = "q.place", .columns = MATCH, .values = match, .rows = 1};
		const struct fake_answer rows = {.to = "mailpush_registration",
			.columns = "nkttttnbbnn"
				   "ttnnb",
			.values = row,
			.rows = 1};
		const struct fake_answer boxes = {
			.to = "q.key", .columns = "ntttt", .values = box, .rows = 1};
		refuse(w, &matches, ask_matches, "a row answers no question");
		refuse(w, &rows, ask_users, "a row answers no question");
		refuse(w, &rows, ask_keys, "a row answers no question");
		refuse(w, &boxes, ask_lists, "a row answers no question");
	}
}

static void an_answer_without_its_columns_is_malformed(void **state)
{
	static const struct {
		const char *to;
		ask_fn *ask;
	} questions[] = {
		{"q.place", ask_matches},
		{"q.username", ask_users},
		{"q.key", ask_lists},
		{"q.key", ask_keys},
		{"LIMIT $4", ask_page},
		{"mailpush_forgotten", ask_tombstones},
		{"count", ask_totals},
		{"count", ask_census},
		{"max(suspended_ms)", ask_suspended},
		{"tidied_day", ask_round},
		{"RETURNING name", ask_claim},
		{"count", ask_expired},
		{"ORDER BY renewed_ms", ask_expired},
		{"ORDER BY suspended_ms", ask_longest_suspended},
		{"claimed", ask_nudges},
		{"RETURNING r.key", lose_owner},
		{"RETURNING s.key", lose_owner},
		{"RETURNING s.key", lose_folder},
		{"s.folder >= ", move_folder},
		{"RETURNING key", stop_token},
		{"RETURNING key", resume},
	};
	static const struct fake_value values[] = {
		{"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}};
	struct world *w = *state;
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		for (size_t rows = 0; rows <= 1; rows++) {
			struct fake_answer said = {.to = questions[i].to,
				.columns = "",
				.values = values,
				.rows = rows};
			refuse(w, &said, questions[i].ask, "another number of columns");
			said.columns = "ttttttt";
			refuse(w, &said, questions[i].ask, "another number of columns");
		}
	}
}

static void a_value_of_another_size_is_malformed(void **state)
{
	static const struct fake_value short_number[] = {{"\0\0\1", 3}, TEXT(HASH), TARGET};
	static const struct fake_value long_bool[] = {NUMBER("\1"), TEXT(HASH), TEXT(KEY),
		TEXT("alice"), TEXT(TOKEN), TEXT("account"), TEXT("topic"), NUMBER("\2"),
		{"\1\1", 2}, {"\0", 1}, NUMBER("\1"), NUMBER("\0")};
	struct world *w = *state;
	struct fake_answer said = {
		.to = "q.place", .columns = MATCH, .values = short_number, .rows = 1};
	refuse(w, &said, ask_matches, "another size");
	said.values = long_bool;
	refuse(w, &said, ask_matches, "another size");
}

static void a_column_of_another_type_is_malformed(void **state)
{
	static const char *const columns[] = {"tt"
					      "kttttnbbnn",
		"nt"
		"tttttnbbnn",
		"nt"
		"kttttnbnnn",
		"Nt"
		"kttttnbbnn",
		"nT"
		"kttttnbbnn"};
	struct world *w = *state;
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		const struct fake_answer said = {.to = "q.place", .columns = columns[i]};
		refuse(w, &said, ask_matches, "another type");
	}
}

static void each_statement_has_one_answer(void **state)
{
	struct world *w = *state;
	struct fake_answer said = {.to = "q.place", .course = FAKE_NO_ANSWER, .columns = MATCH};
	refuse(w, &said, ask_matches, "answer");
	said.course = FAKE_TWO_ANSWERS;
	refuse(w, &said, ask_matches, "answer");
}

static void an_answer_of_a_kind_that_nobody_asked_for_is_malformed(void **state)
{
	static const enum fake_course courses[] = {FAKE_COPY_OUT, FAKE_COPY_IN, FAKE_COPY_BOTH};
	struct world *w = *state;
	for (size_t i = 0; i < sizeof(courses) / sizeof(courses[0]); i++) {
		const struct fake_answer said = {.to = "q.place", .course = courses[i]};
		assert_int_equal(answer(w, &said, ask_matches), -ENOTCONN);
	}
}

static void silence_is_waited_for_until_the_deadline(void **state)
{
	struct world *w = *state;
	const struct fake_answer said = {.to = "q.place", .course = FAKE_SILENCE};
	open_db(w, SHORT_MS);
	assert_int_equal(answer(w, &said, ask_matches), -ETIMEDOUT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_well_is_taken),
		TEST(a_row_for_no_question_is_malformed),
		TEST(an_answer_without_its_columns_is_malformed),
		TEST(a_value_of_another_size_is_malformed),
		TEST(a_column_of_another_type_is_malformed),
		TEST(each_statement_has_one_answer),
		TEST(an_answer_of_a_kind_that_nobody_asked_for_is_malformed),
		TEST(silence_is_waited_for_until_the_deadline),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
