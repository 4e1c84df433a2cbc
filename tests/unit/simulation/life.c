#include "life.h"

#include "apple.h"
#include "base/alarm.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "dice.h"
#include "flow/pipeline.h"
#include "folder.h"
#include "judge/judge.h"
#include "monitor/event_stream.h"
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
static struct pipeline pipeline;
static struct observer observer;
static struct event_stream *event_stream;
static struct failures *failures;
static struct spool *spool;
static struct metrics metrics;
static struct stream_request *requests; /* not answered yet */
static bool is_up;
static bool is_paused;
static bool is_stopping;
static bool is_dead; /* it died: its output is ignored */
static unsigned crashes;
static unsigned stops;
static char *alarms[ALARMS_MAX];

/* The log and the alarms: nothing is printed, but standing alarms are kept. */

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

/* What stands in for stream.h. */

void stream_answer(struct stream_request *request, int status, const char *text)
{
	struct stream_request **at = &requests;
	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
	if (!is_dead && !request->is_refused) {
		(void)text;
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
	pipeline_stream_callbacks.timed_out(&pipeline, request);
}

/* The spool folder. */

void __real_spool_answer(struct spool_file *file, int status, const char *text);
void __wrap_spool_answer(struct spool_file *file, int status, const char *text);

void __wrap_spool_answer(struct spool_file *file, int status, const char *text)
{
	if (!status && !is_dead)
		folder_done(file);
	__real_spool_answer(file, status, text);
}

static void on_file(void *ctx, const struct notification *notification, struct spool_file *file)
{
	folder_taken(file);
	pipeline_spool_callbacks.came(ctx, notification, file);
}

static void on_failed(void *ctx)
{
	(void)ctx;
	judge_rule(false, "the queue is not damaged here");
}

static void start(void *ctx, uint64_t number)
{
	(void)ctx;
	(void)number;
	uint8_t seeds[PIPELINE_SEEDS + 1][16];
	struct err err;
	static struct spool_callbacks spool_callbacks;
	for (unsigned i = 0; i < PIPELINE_SEEDS + 1; i++)
		dice_bytes(seeds[i]);
	is_dead = is_paused = is_stopping = false;
	metrics = (struct metrics){0};
	observer = (struct observer){0};
	event_stream = event_stream_new(NULL, &observer);
	failures = failures_new(false);
	const struct pipeline_needs needs = {.config = &config,
		.input_files = &sources,
		.metrics = &metrics,
		.failures = failures,
		.observer = &observer,
		.failed = on_failed};
	pipeline = (struct pipeline){.stream = (struct stream *)&requests}; /* never read */
	int failed = pipeline_start(&pipeline, &needs, (const uint8_t(*)[16])seeds, &err);
	assert(!failed);
	sending_start(&pipeline);
	spool_callbacks = pipeline_spool_callbacks;
	spool_callbacks.came = on_file;
	is_up = true;
	judge_started();
	folder_start();
	pipeline_load(&pipeline, &err);
	spool = spool_new(NULL, "spool", (gid_t)-1, &config.peers, false, seeds[PIPELINE_SEEDS],
		&spool_callbacks, &pipeline);
}

static void take_down(bool is_crash)
{
	is_up = false;
	is_dead = is_crash;
	spool_stop(spool);
	folder_stop();
	/* The work that the pool was doing. */
	if (is_crash) {
		folder_die();
		virtual_end_works(dice_roll(2));
	}
	delivery_stop(pipeline.delivery);
	sending_end();
	if (is_crash)
		threads_crash();
	pipeline_end(&pipeline);
	while (requests) {
		struct stream_request *request = requests;
		requests = request->next;
		free(request);
	}
	spool_free(spool);
	virtual_close();
	virtual_end_works(!is_crash);
	judge_rule(is_crash || !arrivals_lost(pipeline.arrivals), "a stop in order loses nothing");
	pipeline_free(&pipeline);
	failures_free(failures);
	event_stream_free(event_stream);
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
	spool_stop(spool);
	folder_stop();
	delivery_stop(pipeline.delivery);
	sending_stop(STOP_MS, on_all_answered);
}

static int64_t pool_takes_ms(void)
{
	return dice_once_in(100) ? dice_between(100, 3000) : dice_between(1, 5);
}

void life_begin(void)
{
	virtual_work_takes(pool_takes_ms);
	static char site[] = SITE;
	static char name[] = "com.apple.mobilemail";
	/* The registry is in memory; this url is never opened. */
	static char registry[] = "sqlite:/nowhere";
	config.max_waiting = LIFE_MAX_WAITING;
	config.ack_timeout_ms = 2000;
	config.shared_mailboxes = true;
	config.subtopics[0] = name;
	config.subtopic_count = 1;
	config.queue = name;
	config.registry = registry;
	config.forward_socket = config.dovecot_socket = config.dovecot_site = config.apns_ca_file =
		"";
	config.apns_host = "api.push.example.org";
	config.apns_port = 443;
	config.connections = 4;
	config.priority = 5;
	config.min_interval_ms = LIFE_MIN_INTERVAL_MS;
	config.deferred_delay_ms = LIFE_DEFERRED_DELAY_MS;
	config.max_push_rate = LIFE_PUSH_RATE;
	config.registration_ttl_ms = LIFE_TTL_MS;
	config.deleted_user_grace_ms = LIFE_GRACE_MS;
	config.registrations_per_user = LIFE_PER_USER;
	sources.site = site;
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
	if (!number) {
		pipeline_datagram_callbacks.came(&pipeline, &notification);
		return;
	}
	struct stream_request *request = mem_alloc_zero(1, sizeof(*request));
	request->number = number;
	request->next = requests;
	requests = request;
	virtual_in(config.ack_timeout_ms, on_ack_timeout, NULL, number);
	pipeline_stream_callbacks.came(&pipeline, &notification, request);
}

void life_change_topic(void)
{
	bool is_first = !strcmp(imapdconf.aps_topic, apple_topics[0]);
	imapdconf.aps_topic = (char *)apple_topics[is_first ? 1 : 0];
}

void life_count(struct schedule_counts *ret)
{
	queue_count(pipeline.queue, ret);
}

unsigned life_crashes(void)
{
	return crashes;
}

unsigned life_stops(void)
{
	return stops;
}
