#include "intake/spool.h"

#include "base/clock.h"
#include "intake/spool_retry.h"
#include "intake/spoolfile.h"
#include "place.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

#define TAKEN_MAX 2000

/* The clocks of base/clock, with a machine that stands still while the spool is on its thread. */
static pthread_t loop_thread;
static _Atomic int64_t stall_ms; /* at each look at the clock there */
static _Atomic int64_t stalled_ms;

static int64_t read_ms(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_ms(void)
{
	if (!pthread_equal(pthread_self(), loop_thread))
		stalled_ms += stall_ms;
	return read_ms(CLOCK_MONOTONIC) + stalled_ms;
}

int64_t clock_unix_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

int64_t clock_thread_ms(void)
{
	return read_ms(CLOCK_THREAD_CPUTIME_ID);
}

/* The C library's, in the place of a file system that gives each name twice. */
static bool gives_twice;

struct dirent *readdir(DIR *dir)
{
	static _Thread_local struct dirent *(*real)(DIR *);
	static _Thread_local struct dirent *last;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "readdir64");
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "readdir");
	struct dirent *again = gives_twice ? last : NULL;
	last = again ? NULL : real(dir);
	return again ? again : last;
}

/* A spool, and what came of it. */
struct scene {
	struct place place;
	char folder[80];
	struct peer_rules peers;
	struct spool *spool;
	bool answers_at_once;
	char messages[TAKEN_MAX][16];
	int64_t received_ms[TAKEN_MAX];
	uid_t senders[TAKEN_MAX];
	struct spool_file *files[TAKEN_MAX]; /* NULL: answered */
	size_t count;
	size_t rejected;
	enum notification_fault fault; /* of the last one */
	char rejection[512];
	size_t at_start;
	bool has_guests;
	bool is_troubled;
	char trouble[512];
};

static void on_came(void *ctx, const struct notification *notification, struct spool_file *file)
{
	struct scene *s = ctx;
	assert_true(s->count < TAKEN_MAX && notification->message.size < 16);
	memcpy(s->messages[s->count], notification->message.bytes, notification->message.size);
	s->received_ms[s->count] = notification->received_ms;
	s->senders[s->count] = notification->sender;
	if (s->answers_at_once)
		spool_answer(file, 0, NULL);
	else
		s->files[s->count] = file;
	s->count++;
}

static void on_rejected(
	void *ctx, enum notification_fault fault, const char *kind, const char *text)
{
	assert_true(*kind);
	struct scene *s = ctx;
	s->rejected++;
	s->fault = fault;
	snprintf(s->rejection, sizeof(s->rejection), "%s", text);
}

static void on_taken(void *ctx, size_t count)
{
	struct scene *s = ctx;
	assert_int_equal(s->at_start, 0);
	s->at_start = count;
}

static void on_trouble(void *ctx, const char *text)
{
	struct scene *s = ctx;
	s->is_troubled = text;
	if (text)
		snprintf(s->trouble, sizeof(s->trouble), "%s", text);
}

static void begin(struct scene *s)
{
	static const struct spool_callbacks callbacks = {
		on_came, on_rejected, on_taken, on_trouble};
	static const uint8_t seed[16] = {1};
	s->at_start = 0;
	/* Making the files may have taken long. */
	uv_update_time(&s->place.loop);
	uv_timer_start(&s->place.limit, place_on_limit, PLACE_LIMIT_MS, 0);
	s->spool = spool_new(&s->place.loop, s->folder, (gid_t)-1, &s->peers, s->has_guests, seed,
		&callbacks, s);
}

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	loop_thread = pthread_self();
	stall_ms = 0;
	gives_twice = false;
	place_init(&s->place);
	snprintf(s->folder, sizeof(s->folder), "%s/spool", s->place.folder);
	peer_allow(&s->peers, geteuid());
	assert_int_equal(mkdir(s->folder, 0770), 0);
	*state = s;
	return 0;
}

static void path_of(const struct scene *s, const char *name, char *ret)
{
	snprintf(ret, 160, "%s/%s", s->folder, name);
}

static void put_text(const struct scene *s, const char *name, const char *text)
{
	char hidden[160];
	char path[160];
	path_of(s, ".hidden", hidden);
	path_of(s, name, path);
	FILE *file = fopen(hidden, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(hidden, path), 0);
}

static void put(const struct scene *s, unsigned number, int64_t received_ms)
{
	char name[32];
	char text[160];
	snprintf(name, sizeof(name), SPOOLFILE_NAME_FORMAT, (long long)number, 1L);
	snprintf(text, sizeof(text), "NOTIFY %%(CLASS EVENT RECEIVED %lld MESSAGE %u)\r\n",
		(long long)received_ms, number);
	put_text(s, name, text);
}

static bool is_there(const struct scene *s, const char *name)
{
	char path[160];
	struct stat status;
	path_of(s, name, path);
	return !lstat(path, &status);
}

static size_t files_left(const struct scene *s)
{
	DIR *dir = opendir(s->folder);
	assert_non_null(dir);
	size_t count = 0;
	for (struct dirent *entry; (entry = readdir(dir));)
		count += entry->d_name[0] != '.' && strcmp(entry->d_name, SPOOLFILE_BAD) != 0;
	closedir(dir);
	return count;
}

static void answer(struct scene *s, size_t index, int status)
{
	struct spool_file *file = s->files[index];
	assert_non_null(file);
	s->files[index] = NULL;
	spool_answer(file, status, status ? "because" : NULL);
}

/* Until all of it is gone. */
static void end(struct scene *s)
{
	uv_handle_t *limit = (uv_handle_t *)&s->place.limit;
	spool_free(s->spool);
	s->spool = NULL;
	uv_unref(limit);
	uv_run(&s->place.loop, UV_RUN_DEFAULT);
	uv_ref(limit);
}

static int tear_down(void **state)
{
	struct scene *s = *state;
	end(s);
	uv_close((uv_handle_t *)&s->place.limit, NULL);
	uv_run(&s->place.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&s->place.loop), 0);
	char command[160];
	snprintf(command, sizeof(command), "rm -rf '%s'", s->place.folder);
	assert_int_equal(system(command), 0);
	free(s);
	return 0;
}

static void files_are_taken_in_order_and_removed_when_answered(void **state)
{
	struct scene *s = *state;
	for (unsigned number = 20; number > 10; number--)
		put(s, number, 1000);
	begin(s);
	place_run_until(&s->place, s->count == 10);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(atoi(s->messages[i]), 11 + i);
	assert_int_equal(files_left(s), 10);
	answer(s, 4, 0);
	place_run_until(&s->place, files_left(s) == 9);
	assert_false(is_there(s, "0000000000000015.1"));
	for (size_t i = 0; i < 10; i++)
		if (i != 4)
			answer(s, i, 0);
	place_run_until(&s->place, files_left(s) == 0);
	place_run_until(&s->place, s->at_start == 10);
	assert_int_equal(s->rejected, 0);
}

static void what_is_escaped_in_a_file_is_read(void **state)
{
	struct scene *s = *state;
	put_text(s, "1", "NOTIFY %(CLASS EVENT MESSAGE \"a\\\\b\")\r\n");
	begin(s);
	place_run_until(&s->place, s->count == 1);
	assert_string_equal(s->messages[0], "a\\b");
}

static void what_appears_is_taken(void **state)
{
	struct scene *s = *state;
	s->answers_at_once = true;
	begin(s);
	for (unsigned number = 1; number <= 5; number++) {
		put(s, number, 1000);
		place_run_until(&s->place, s->count == number);
	}
	place_run_until(&s->place, files_left(s) == 0);
}

static void a_file_that_waits_is_not_taken_again(void **state)
{
	struct scene *s = *state;
	put(s, 1, 1000);
	begin(s);
	place_run_until(&s->place, s->count == 1);
	put(s, 2, 1000);
	place_run_until(&s->place, s->count == 2);
	put(s, 3, 1000);
	place_run_until(&s->place, s->count == 3);
	assert_string_equal(s->messages[1], "2");
	assert_string_equal(s->messages[2], "3");
}

static void what_is_not_on_disk_stays_and_comes_again(void **state)
{
	struct scene *s = *state;
	put(s, 1, 1000);
	begin(s);
	place_run_until(&s->place, s->count == 1);
	answer(s, 0, -EAGAIN);
	spool_stop(s->spool);
	end(s);
	assert_int_equal(files_left(s), 1);
	begin(s);
	place_run_until(&s->place, s->count == 2);
	assert_string_equal(s->messages[1], "1");
}

/* The last place at which it came, and how often. */
static unsigned times_come(const struct scene *s, const char *message, size_t *ret_last)
{
	unsigned times = 0;
	for (size_t i = 0; i < s->count; i++) {
		if (strcmp(s->messages[i], message) != 0)
			continue;
		times++;
		*ret_last = i;
	}
	return times;
}

static void what_is_not_on_disk_rests_before_it_comes_again(void **state)
{
	struct scene *s = *state;
	size_t last = 0;
	unsigned number = 2;
	int64_t rest_ms = SPOOL_RETRY_FIRST_MS;
	stall_ms = SPOOL_RETRY_FIRST_MS / 20;
	put(s, 1, 1000);
	begin(s);
	place_run_until(&s->place, s->count == 1);
	for (unsigned times = 1; times <= 3; times++, rest_ms *= 2) {
		int64_t since_ms = clock_monotonic_ms();
		answer(s, last, -EAGAIN);
		while (times_come(s, "1", &last) == times) {
			size_t before = s->count;
			put(s, number++, 1000);
			place_run_until(&s->place, s->count > before);
		}
		assert_true(clock_monotonic_ms() - since_ms >= rest_ms);
	}
}

static void what_was_not_answered_stays(void **state)
{
	struct scene *s = *state;
	put(s, 1, 1000);
	put(s, 2, 1000);
	begin(s);
	place_run_until(&s->place, s->count == 2);
	answer(s, 1, 0);
	end(s);
	assert_int_equal(files_left(s), 1);
	assert_true(is_there(s, "0000000000000001.1"));
}

static void what_was_answered_just_before_the_end_is_removed(void **state)
{
	struct scene *s = *state;
	for (unsigned number = 0; number < 300; number++)
		put(s, number, 1000);
	begin(s);
	place_run_until(&s->place, s->count == 300);
	spool_stop(s->spool);
	for (size_t i = 0; i < 300; i++)
		answer(s, i, 0);
	end(s);
	assert_int_equal(files_left(s), 0);
}

static void after_the_stop_nothing_more_is_taken(void **state)
{
	struct scene *s = *state;
	put(s, 1, 1000);
	begin(s);
	place_run_until(&s->place, s->count == 1);
	spool_stop(s->spool);
	put(s, 2, 1000);
	answer(s, 0, 0);
	place_run_until(&s->place, files_left(s) == 1);
	end(s);
	assert_int_equal(s->count, 1);
	assert_int_equal(files_left(s), 1);
}

static void what_is_refused_is_moved_away(void **state)
{
	struct scene *s = *state;
	put(s, 1, 1000);
	begin(s);
	place_run_until(&s->place, s->count == 1);
	answer(s, 0, -EBADMSG);
	place_run_until(&s->place, s->rejected == 1);
	assert_true(is_there(s, "bad/0000000000000001.1"));
	assert_non_null(strstr(s->rejection, "/0000000000000001.1' is moved to 'bad': because"));
	assert_int_equal(s->fault, NOTIFICATION_MALFORMED);
	put(s, 2, 1000);
	place_run_until(&s->place, s->count == 2);
	answer(s, 1, -EPERM);
	place_run_until(&s->place, s->rejected == 2);
	assert_int_equal(s->fault, NOTIFICATION_NOT_ALLOWED);
}

static void so_many_are_in_memory_at_most(void **state)
{
	struct scene *s = *state;
	for (unsigned number = 0; number < SPOOL_FILES_MAX + 100; number++)
		put(s, number, 1000);
	begin(s);
	place_run_until(&s->place, s->count == SPOOL_FILES_MAX);
	answer(s, 0, 0);
	place_run_until(&s->place, s->count == SPOOL_FILES_MAX + 1);
	/* Nothing but the answers brings more. */
	for (size_t i = 1; i <= 50; i++)
		answer(s, i, 0);
	place_run_until(&s->place, s->count == SPOOL_FILES_MAX + 51);
	s->answers_at_once = true;
	for (size_t i = 51; i < SPOOL_FILES_MAX + 51; i++)
		answer(s, i, 0);
	place_run_until(&s->place, files_left(s) == 0);
	assert_int_equal(s->count, SPOOL_FILES_MAX + 100);
	for (size_t i = 0; i < s->count; i++)
		assert_int_equal(atoi(s->messages[i]), i);
}

static void a_name_that_is_read_twice_is_one_file(void **state)
{
	struct scene *s = *state;
	s->answers_at_once = true;
	for (unsigned number = 0; number < 300; number++)
		put(s, number, 1000);
	gives_twice = true;
	begin(s);
	place_run_until(&s->place, s->at_start);
	assert_int_equal(s->at_start, 300);
	assert_int_equal(s->count, 300);
	for (size_t i = 0; i < s->count; i++)
		assert_int_equal(atoi(s->messages[i]), i);
}

static void the_times_do_not_go_back(void **state)
{
	struct scene *s = *state;
	int64_t now_ms = clock_unix_ms();
	put(s, 1, 5000);
	put(s, 2, 7000);
	put(s, 3, 6000);
	put(s, 4, now_ms + CLOCK_DAY_MS);
	put(s, 5, 8000);
	begin(s);
	place_run_until(&s->place, s->count == 5);
	assert_int_equal(s->received_ms[0], 5000);
	assert_int_equal(s->received_ms[1], 7000);
	assert_int_equal(s->received_ms[2], 7000);
	assert_int_in_range(s->received_ms[3], now_ms, clock_unix_ms());
	assert_int_equal(s->received_ms[4], s->received_ms[3]);
}

static void the_folder_is_made(void **state)
{
	struct scene *s = *state;
	assert_int_equal(rmdir(s->folder), 0);
	begin(s);
	struct stat status = {0};
	place_run_until(&s->place, !stat(s->folder, &status) && status.st_mode & S_IRWXG);
	assert_int_equal(status.st_mode & 07777, SPOOLFILE_DIR_MODE);
	put(s, 1, 1000);
	place_run_until(&s->place, s->count == 1);
	assert_false(s->is_troubled);
}

static void a_folder_that_cannot_be_made_is_trouble_until_it_is_there(void **state)
{
	struct scene *s = *state;
	char parent[80];
	snprintf(parent, sizeof(parent), "%s/none", s->place.folder);
	snprintf(s->folder, sizeof(s->folder), "%s/none/spool", s->place.folder);
	begin(s);
	place_run_until(&s->place, s->is_troubled);
	assert_non_null(strstr(s->trouble, "is missing and cannot be created: No such file"));
	assert_int_equal(mkdir(parent, 0700), 0);
	place_run_until(&s->place, !s->is_troubled);
}

static void a_folder_that_goes_amid_a_pass_is_not_looked_at_without_a_pause(void **state)
{
	enum { FILES_OF_TWO_LOOKS = 8200 };
	struct scene *s = *state;
	char away[160];
	snprintf(away, sizeof(away), "%s.away", s->folder);
	for (unsigned number = 0; number < FILES_OF_TWO_LOOKS; number++)
		put(s, number, 1000);
	begin(s);
	place_run_until(&s->place, s->count);
	assert_int_equal(rename(s->folder, away), 0);
	assert_int_equal(close(creat(s->folder, 0600)), 0);
	place_run_until(&s->place, s->is_troubled);
	place_run_until(&s->place, !s->place.loop.active_reqs.count);
	size_t before = s->count;
	assert_int_equal(unlink(s->folder), 0);
	assert_int_equal(rename(away, s->folder), 0);
	place_run_until(&s->place, s->count > before);
}

/* Nothing can be moved to `bad`, which is a file. */
static void a_machine_that_stood_still_beside_a_file_in_the_way_holds_up_nothing(void **state)
{
	struct scene *s = *state;
	put_text(s, SPOOLFILE_BAD, "");
	put_text(s, "0", "rubbish");
	stall_ms = CLOCK_MINUTE_MS;
	begin(s);
	place_run_until(&s->place, s->is_troubled);
	for (unsigned number = 1; number <= 5; number++) {
		put(s, number, 1000);
		place_run_until(&s->place, s->count == number);
	}
}

static void put_of(const struct scene *s, unsigned number, const char *class, uid_t uid)
{
	char name[32];
	char path[160];
	char text[160];
	snprintf(name, sizeof(name), SPOOLFILE_NAME_FORMAT, (long long)number, 1L);
	snprintf(text, sizeof(text), "NOTIFY %%(CLASS %s MESSAGE %u)\r\n", class, number);
	put_text(s, name, text);
	path_of(s, name, path);
	assert_int_equal(chown(path, uid, (gid_t)-1), 0);
}

static void only_requests_of_dovecot_are_taken_of_guests(void **state)
{
	struct scene *s = *state;
	if (geteuid() != 0)
		skip();
	put_of(s, 1, "DOVECOT", 12345);
	put_of(s, 2, "EVENT", 12345);
	put_of(s, 3, "DOVECOT", 0);
	s->has_guests = true;
	begin(s);
	place_run_until(&s->place, s->count == 2 && s->rejected == 1);
	assert_int_equal(s->senders[0], 12345);
	assert_int_equal(s->senders[1], 0);
	assert_non_null(strstr(s->rejection, "it belongs to uid 12345"));
	assert_int_equal(s->fault, NOTIFICATION_NOT_ALLOWED);
	assert_true(is_there(s, SPOOLFILE_BAD "/0000000000000002.1"));
	answer(s, 0, 0);
	answer(s, 1, 0);
	place_run_until(&s->place, files_left(s) == 0);
}

static void without_guests_no_file_of_another_is_taken(void **state)
{
	struct scene *s = *state;
	if (geteuid() != 0)
		skip();
	put_of(s, 1, "DOVECOT", 12345);
	begin(s);
	place_run_until(&s->place, s->rejected == 1);
	assert_int_equal(s->count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(files_are_taken_in_order_and_removed_when_answered),
		TEST(only_requests_of_dovecot_are_taken_of_guests),
		TEST(without_guests_no_file_of_another_is_taken),
		TEST(what_is_escaped_in_a_file_is_read),
		TEST(what_appears_is_taken),
		TEST(a_file_that_waits_is_not_taken_again),
		TEST(what_is_not_on_disk_stays_and_comes_again),
		TEST(what_is_not_on_disk_rests_before_it_comes_again),
		TEST(what_was_not_answered_stays),
		TEST(what_was_answered_just_before_the_end_is_removed),
		TEST(after_the_stop_nothing_more_is_taken),
		TEST(what_is_refused_is_moved_away),
		TEST(so_many_are_in_memory_at_most),
		TEST(a_name_that_is_read_twice_is_one_file),
		TEST(the_times_do_not_go_back),
		TEST(the_folder_is_made),
		TEST(a_folder_that_cannot_be_made_is_trouble_until_it_is_there),
		TEST(a_folder_that_goes_amid_a_pass_is_not_looked_at_without_a_pause),
		TEST(a_machine_that_stood_still_beside_a_file_in_the_way_holds_up_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
