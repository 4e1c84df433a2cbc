#include "life.h"

#include "admin/event_stream.h"
#include "apple.h"
#include "base/alarm.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "dice.h"
#include "flow/arrival.h"
#include "flow/delivery.h"
#include "flow/expiry.h"
#include "folder.h"
#include "judge/judge.h"
#include "sending.h"
#include "stats/failures.h"
#include "stats/metrics.h"
#include "threads.h"
#include "virtual.h"

#include <assert.h>
#include <string.h>

#define STOP_MS 2000
#define ALARMS_MAX 64
#define SITE "here"

struct stream_request {
	struct stream_request *next;
	uint64_t number;
	bool is_refused;
};

static struct config config;
static struct imapdconf imapdconf;
static struct input_files sources = {.imapdconf = &imapdconf};
static struct core core;
static struct metrics metrics;
static struct expiry *tidy;
static struct stream_request *requests; /* not answered yet */
static bool is_up;
static bool is_paused;
static bool is_stopping;
static bool is_dead; /* what it still says is heard by nobody */
static unsigned crashes;
static unsigned stops;
static char *alarms[ALARMS_MAX];

/* The log and the alarms: nobody listens, but what stands must be known. */

int log_is_on(enum log_level level)
{
	(void)level;
	return 0;
}

bool log_may(enum log_level level, const char *kind, const char *who, unsigned lines)
{
	(void)level;
	(void)kind;
	(void)who;
	(void)lines;
	return true;
}

void log_write(enum log_level level, const char *module, const char *text,
	const struct log_field *fields, unsigned count)
{
	(void)level;
	(void)module;
	(void)text;
	(void)fields;
	(void)count;
}

static char **find_alarm(const char *name)
{
	for (unsigned i = 0; i < ALARMS_MAX; i++) {
		if (name ? alarms[i] && !strcmp(alarms[i], name) : !alarms[i])
			return &alarms[i];
	}
	return NULL;
}

void alarm_raise(const char *name, const char *format, ...)
{
	(void)format;
	if (find_alarm(name))
		return;
	char **at = find_alarm(NULL);
	assert(at);
	*at = mem_dup(name);
}

void alarm_clear(const char *name)
{
	char **at = find_alarm(name);
	if (at)
		free(mem_steal(*at));
}

bool alarm_stands(const char *name)
{
	return find_alarm(name) != NULL;
}

/* The stream socket. */

static void answer_request(void *who, int status, const char *text)
{
	(void)text;
	struct stream_request *request = who;
	struct stream_request **at = &requests;
	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
	if (!is_dead && !request->is_refused) {
		if (status)
			judge_refused(request->number);
		else
			judge_acked(request->number);
	}
	free(request);
}

void stream_pause(struct stream *stream, bool pause)
{
	(void)stream;
	is_paused = pause;
}

static void on_ack_timeout(void *ctx, uint64_t number)
{
	(void)ctx;
	struct stream_request *request = requests;
	while (request && request->number != number)
		request = request->next;
	if (!request)
		return;
	request->is_refused = true;
	judge_refused(number);
	arrivals_on_ack_timeout(core.arrivals);
}

/* The spool folder. */

static void answer_file(void *file, int status, const char *text)
{
	if (!status && !is_dead)
		folder_done(file);
	spool_answer(file, status, text);
}

static void on_file(void *ctx, const struct notification *notification, struct spool_file *file)
{
	(void)ctx;
	folder_taken(file);
	arrivals_take(core.arrivals, notification,
		(struct arrival_waiter){answer_file, file, "spool", .is_keeper = true});
}

static void on_rejected(void *ctx, const char *kind, const char *text)
{
	(void)ctx;
	(void)kind;
	(void)text;
}

static void on_spool_trouble(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static void on_spool_taken(void *ctx, size_t count)
{
	(void)ctx;
	(void)count;
}

/* What parts.c does. */

static void on_stored(void *ctx)
{
	(void)ctx;
	delivery_wake(core.delivery);
}

static void on_parked(void *ctx, uint64_t id, int64_t received_ms, const char *raw, size_t raw_size)
{
	(void)ctx;
	arrivals_take_parked(core.arrivals, id, received_ms, raw, raw_size);
}

static void on_loaded(void *ctx)
{
	(void)ctx;
	arrivals_release(core.arrivals);
}

static void start(void *ctx, uint64_t number)
{
	(void)ctx;
	(void)number;
	static const struct queue_callbacks queue_callbacks = {
		.stored = on_stored, .parked = on_parked, .loaded = on_loaded};
	const struct queue_settings queue_settings = {
		.schedule = {.min_interval_ms = LIFE_MIN_INTERVAL_MS,
			.deferred_delay_ms = LIFE_LATER_DELAY_MS,
			.max_push_rate = LIFE_PUSH_RATE,
			.caution_ms = 30 * CLOCK_SECOND_MS}};
	struct err err;
	const struct registry_settings registry_settings = {.site = SITE,
		.registration_ttl_ms = LIFE_TTL_MS,
		.deleted_user_grace_ms = LIFE_GRACE_MS,
		.registrations_per_user = LIFE_PER_USER};
	static const struct spool_callbacks spool_callbacks = {
		on_file, on_rejected, on_spool_taken, on_spool_trouble};
	uint8_t seeds[3][16];
	for (unsigned i = 0; i < 3; i++)
		dice_bytes(seeds[i]);
	is_dead = is_paused = is_stopping = false;
	metrics = (struct metrics){0};
	core = (struct core){.config = &config, .input_files = &sources, .metrics = &metrics};
	registry_new(NULL, &registry_settings, NULL, NULL, &core.registry, &err);
	queue_new(NULL, &queue_settings, seeds[0], &queue_callbacks, NULL, &core.queue, &err);
	sending_start(&core);
	core.stream = (struct stream *)&requests; /* never looked into */
	core.event_stream = event_stream_new(&core);
	core.failures = failures_new(false);
	core.delivery = delivery_new(&core);
	core.arrivals = arrivals_new(&core, seeds[1]);
	arrivals_hold(core.arrivals);
	tidy = expiry_new(&core);
	is_up = true;
	judge_started();
	folder_start();
	queue_load(core.queue, &err);
	core.spool = spool_new(
		NULL, "spool", (gid_t)-1, &config.peers, seeds[2], &spool_callbacks, NULL);
}

static void take_down(bool is_crash)
{
	is_up = false;
	is_dead = is_crash;
	spool_stop(core.spool);
	folder_stop();
	/* Of what the pool was at. */
	if (is_crash) {
		folder_die();
		virtual_end_works(dice_roll(2));
	}
	delivery_stop(core.delivery);
	sending_end();
	if (is_crash)
		threads_crash();
	registry_free(core.registry);
	queue_free(core.queue);
	while (requests) {
		struct stream_request *request = requests;
		requests = request->next;
		free(request);
	}
	spool_free(core.spool);
	virtual_close();
	virtual_end_works(!is_crash);
	expiry_free(tidy);
	delivery_free(core.delivery);
	failures_free(core.failures);
	judge_rule(is_crash || !arrivals_lost(core.arrivals), "a stop in order loses nothing");
	arrivals_free(core.arrivals);
	event_stream_free(core.event_stream);
	virtual_close();
	for (unsigned i = 0; i < ALARMS_MAX; i++)
		free(mem_steal(alarms[i]));
}

static void come_back(void)
{
	int64_t away_ms =
		dice_once_in(8) ? dice_wait_ms(20 * CLOCK_MINUTE_MS) : dice_between(100, 5000);
	virtual_in(away_ms, start, NULL, 0);
}

static void on_stopped(void *ctx, uint64_t crash)
{
	(void)ctx;
	if (crash != crashes || !is_up)
		return;
	take_down(false);
	judge_died(false);
	come_back();
}

static void on_all_answered(void)
{
	virtual_in(0, on_stopped, NULL, crashes);
}

void life_crash(void)
{
	if (!is_up)
		return;
	crashes++;
	take_down(true);
	judge_died(true);
	come_back();
}

void life_stop(void)
{
	if (!is_up || is_stopping)
		return;
	stops++;
	is_stopping = true;
	spool_stop(core.spool);
	folder_stop();
	delivery_stop(core.delivery);
	sending_stop(STOP_MS, on_all_answered);
}

static int64_t pool_takes_ms(void)
{
	return dice_once_in(100) ? dice_between(100, 3000) : dice_between(1, 5);
}

void life_begin(void)
{
	virtual_work_takes(pool_takes_ms);
	static char name[] = "com.apple.mobilemail";
	config.max_waiting = LIFE_MAX_WAITING;
	config.ack_timeout_ms = 2000;
	config.shared_mailboxes = true;
	config.subtopics[0] = name;
	config.subtopic_count = 1;
	config.queue = name;
	relay_policy_init(&config.policy);
	imapdconf.names = (struct mailbox_namespace){.virtdomains = true,
		.defaultdomain = "",
		.userprefix = "Other Users",
		.sharedprefix = "Shared Folders"};
	imapdconf.aps_topic = (char *)apple_topics[0];
	start(NULL, 0);
}

void life_end(void)
{
	if (is_up)
		take_down(false);
}

bool life_listens(void)
{
	return is_up && !is_stopping && !is_paused;
}

void life_take(const char *json, size_t size, uint64_t number)
{
	const struct notification notification = {
		.class = {"EVENT", 5},
		.message = {json, size},
	};
	struct arrival_waiter waiter = {.through = "datagram"};
	if (number) {
		struct stream_request *request = mem_alloc_zero(1, sizeof(*request));
		request->number = number;
		request->next = requests;
		requests = request;
		virtual_in(config.ack_timeout_ms, on_ack_timeout, NULL, number);
		waiter = (struct arrival_waiter){answer_request, request, "stream"};
	}
	arrivals_take(core.arrivals, &notification, waiter);
}

void life_change_topic(void)
{
	bool is_first = !strcmp(imapdconf.aps_topic, apple_topics[0]);
	imapdconf.aps_topic = (char *)apple_topics[is_first ? 1 : 0];
}

void life_count(struct schedule_counts *ret)
{
	queue_count(core.queue, ret);
}

unsigned life_crashes(void)
{
	return crashes;
}

unsigned life_stops(void)
{
	return stops;
}
