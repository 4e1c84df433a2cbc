#include "flow/pipeline.h"

#include "base/alarm.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "database/database.h"
#include "flow/registry_watch.h"
#include "stats/metrics.h"

#include <assert.h>

#define CAUTION_MS (30 * CLOCK_SECOND_MS)

/* From the doors. */

static void on_datagram(void *ctx, const struct notification *notification)
{
	struct pipeline *pipeline = ctx;
	static const struct arrival_waiter nobody = {.through = "datagram"};
	arrivals_take(pipeline->arrivals, notification, nobody);
}

static void answer_request(void *request, int status, const char *text)
{
	stream_answer(request, status, text);
}

static void on_request(
	void *ctx, const struct notification *notification, struct stream_request *request)
{
	struct pipeline *pipeline = ctx;
	arrivals_take(pipeline->arrivals, notification,
		(struct arrival_waiter){answer_request, request, "stream"});
}

static void on_rejected(
	void *ctx, enum notification_fault fault, const char *kind, const char *text)
{
	struct pipeline *pipeline = ctx;
	pipeline->needs.metrics->rejected[fault]++;
	log_seldom(LOG_LEVEL_WARN, "intake", kind, "", text);
}

static void on_ack_timeout(void *ctx, struct stream_request *request)
{
	struct pipeline *pipeline = ctx;
	(void)request;
	arrivals_on_ack_timeout(pipeline->arrivals);
}

static void on_dovecot_request(
	void *ctx, const struct notification *notification, struct stream_request *request)
{
	static const char text[] = "this socket is for requests of Dovecot's plugin alone";
	struct pipeline *pipeline = ctx;
	if (notification_is_dovecots(notification)) {
		dovecot_door_take(pipeline->dovecot_door, notification,
			(struct arrival_waiter){answer_request, request, "stream"});
		return;
	}
	on_rejected(
		ctx, NOTIFICATION_MALFORMED, "requests of another class at dovecot_socket", text);
	stream_answer(request, -1, text);
}

/* A slow directory is no trouble of the registry. */
static void on_dovecot_ack_timeout(void *ctx, struct stream_request *request)
{
	struct pipeline *pipeline = ctx;
	if (!dovecot_door_holds(pipeline->dovecot_door, request))
		arrivals_on_ack_timeout(pipeline->arrivals);
}

static void answer_file(void *file, int status, const char *text)
{
	spool_answer(file, status, text);
}

static void on_file(void *ctx, const struct notification *notification, struct spool_file *file)
{
	struct pipeline *pipeline = ctx;
	const struct arrival_waiter waiter = {answer_file, file, "spool", .is_keeper = true};
	if (*pipeline->needs.config->dovecot_socket && notification_is_dovecots(notification))
		dovecot_door_take(pipeline->dovecot_door, notification, waiter);
	else
		arrivals_take(pipeline->arrivals, notification, waiter);
}

static void on_spool_taken(void *ctx, size_t count)
{
	(void)ctx;
	log_event(LOG_LEVEL_INFO, "intake", "events kept in the spool are taken in",
		log_number("count", (int64_t)count));
}

static void on_spool_trouble(void *ctx, const char *text)
{
	(void)ctx;
	if (text)
		alarm_raise("spool", "%s", text);
	else
		alarm_clear("spool");
}

const struct datagram_callbacks pipeline_datagram_callbacks = {
	.came = on_datagram, .rejected = on_rejected};
const struct stream_callbacks pipeline_stream_callbacks = {
	.came = on_request, .rejected = on_rejected, .timed_out = on_ack_timeout};
const struct stream_callbacks pipeline_dovecot_callbacks = {
	.came = on_dovecot_request, .rejected = on_rejected, .timed_out = on_dovecot_ack_timeout};
const struct spool_callbacks pipeline_spool_callbacks = {.came = on_file,
	.rejected = on_rejected,
	.taken = on_spool_taken,
	.trouble = on_spool_trouble};

/* From the databases. */

static void on_registry_trouble(void *ctx, const char *text)
{
	struct pipeline *pipeline = ctx;
	registry_watch_trouble(pipeline->registry_watch, text);
}

static void on_registry_refused(void *ctx, const char *text)
{
	(void)ctx;
	alarm_raise("registry:refused",
		"what an event or a request says is set aside until the next start: %s", text);
}

static void on_queue_trouble(void *ctx, const char *text)
{
	(void)ctx;
	if (text)
		alarm_raise("queue", "%s", text);
	else
		alarm_clear("queue");
}

static void on_queue_salvaged(void *ctx, const char *text)
{
	(void)ctx;
	alarm_raise("queue:damaged", "%s", text);
}

static void on_queue_failed(void *ctx, const char *text)
{
	struct pipeline *pipeline = ctx;
	alarm_raise("queue:damaged",
		"%s; mailpushd ends, and puts a new queue in its place with what can be read of it",
		text);
	pipeline->needs.failed(pipeline->needs.ctx);
}

/* A start that fails may bring jobs back before there is a delivery. */
static void on_stored(void *ctx)
{
	struct pipeline *pipeline = ctx;
	if (pipeline->delivery)
		delivery_wake(pipeline->delivery);
}

static void on_parked(
	void *ctx, uint64_t parked_id, int64_t received_ms, const char *raw, size_t raw_size)
{
	struct pipeline *pipeline = ctx;
	arrivals_take_parked(pipeline->arrivals, parked_id, received_ms, raw, raw_size);
}

/* Perhaps late, when a disk in trouble takes writes at last: what came meanwhile goes on its way.
 */
static void on_loaded(void *ctx)
{
	struct pipeline *pipeline = ctx;
	registry_release(pipeline->registry, REGISTRY_HELD_FOR_START);
	arrivals_release(pipeline->arrivals);
	delivery_wake(pipeline->delivery);
}

static void on_pause(void *ctx, bool is_paused)
{
	struct pipeline *pipeline = ctx;
	pipeline->is_paused = is_paused;
	if (pipeline->stream)
		stream_pause(pipeline->stream, is_paused);
	if (pipeline->xaps_calls)
		xaps_calls_pause(pipeline->xaps_calls, is_paused);
	if (pipeline->dovecot_stream)
		stream_pause(pipeline->dovecot_stream, is_paused);
}

void pipeline_opened(struct pipeline *pipeline)
{
	on_pause(pipeline, pipeline->is_paused);
}

/* Start. */

static int open_registry(struct pipeline *pipeline, struct err *err)
{
	const struct config *config = pipeline->needs.config;
	const char *place = NULL;
	const struct registry_ops *driver = database_driver(config->registry, &place);
	assert(driver);
	const struct registry_settings settings = {.ops = driver,
		.place = place,
		.site = pipeline->needs.input_files->site,
		.registration_ttl_ms = config->registration_ttl_ms,
		.deleted_user_grace_ms = config->deleted_user_grace_ms,
		.registrations_per_user = config->registrations_per_user,
		.started_ms = clock_unix_ms(),
		.password_file = config->registry_password_file,
		.timeout_ms = config->registry_timeout_ms};
	int status = registry_new(pipeline->needs.loop, &settings, on_registry_trouble,
		on_registry_refused, pipeline, &pipeline->registry, err);
	if (status)
		return status;
	pipeline->registry_watch = registry_watch_new(
		pipeline->needs.loop, pipeline->registry, config->registry_timeout_ms);
	/* What is in the queue's file comes first. */
	registry_hold(pipeline->registry, REGISTRY_HELD_FOR_START);
	return 0;
}

static struct schedule_settings schedule_settings_of(const struct config *config)
{
	return (struct schedule_settings){.min_interval_ms = config->min_interval_ms,
		.deferred_delay_ms = config->deferred_delay_ms,
		.max_push_rate = config->max_push_rate,
		.caution_ms = CAUTION_MS,
		.users = config->users};
}

static int open_queue(struct pipeline *pipeline, const uint8_t seed[16], struct err *err)
{
	static const struct queue_callbacks callbacks = {.stored = on_stored,
		.parked = on_parked,
		.loaded = on_loaded,
		.trouble = on_queue_trouble,
		.salvaged = on_queue_salvaged,
		.failed = on_queue_failed};
	const struct config *config = pipeline->needs.config;
	const struct queue_settings settings = {
		.path = config->queue, .schedule = schedule_settings_of(config)};
	return queue_new(
		pipeline->needs.loop, &settings, seed, &callbacks, pipeline, &pipeline->queue, err);
}

static struct sender_settings sender_settings_of(const struct config *config)
{
	struct sender_settings settings;
	sender_settings_init(&settings);
	settings.host = config->apns_host;
	settings.port = config->apns_port;
	settings.ca_file = *config->apns_ca_file ? config->apns_ca_file : NULL;
	settings.proxy_host = config->proxy_host;
	settings.proxy_port = config->proxy_port;
	settings.proxy_login = config->proxy_login;
	settings.connections = config->connections;
	settings.priority = config->priority;
	return settings;
}

static int open_delivery(struct pipeline *pipeline, struct err *err)
{
	const struct pipeline_needs *needs = &pipeline->needs;
	const struct delivery_needs of_delivery = {.loop = needs->loop,
		.registry = pipeline->registry,
		.queue = pipeline->queue,
		.metrics = needs->metrics,
		.failures = needs->failures,
		.observer = needs->observer,
		.trace = needs->trace};
	const struct sender_settings settings = sender_settings_of(needs->config);
	return delivery_new(&of_delivery, &settings, &pipeline->delivery, err);
}

static void make_arrivals(struct pipeline *pipeline, const uint8_t seed[16])
{
	const struct pipeline_needs *needs = &pipeline->needs;
	const struct forward_settings of_forward = {.target = needs->config->forward_socket};
	pipeline->forward = forward_new(needs->loop, &of_forward);
	const struct arrivals_needs of_arrivals = {.loop = needs->loop,
		.config = needs->config,
		.input_files = needs->input_files,
		.registry = pipeline->registry,
		.queue = pipeline->queue,
		.topics = delivery_topics(pipeline->delivery),
		.forward = pipeline->forward,
		.metrics = needs->metrics,
		.observer = needs->observer,
		.trace = needs->trace,
		.pause = on_pause,
		.ctx = pipeline};
	pipeline->arrivals = arrivals_new(&of_arrivals, seed);
	arrivals_hold(pipeline->arrivals);
	const struct dovecot_door_needs of_door = {.loop = needs->loop,
		.config = needs->config,
		.arrivals = pipeline->arrivals,
		.metrics = needs->metrics,
		.topic = needs->topic,
		.ctx = needs->ctx};
	pipeline->dovecot_door = dovecot_door_new(&of_door);
}

int pipeline_start(struct pipeline *pipeline, const struct pipeline_needs *needs,
	const uint8_t seeds[PIPELINE_SEEDS][16], struct err *err)
{
	pipeline->needs = *needs;
	int status = open_registry(pipeline, err);
	if (!status)
		status = open_queue(pipeline, seeds[0], err);
	if (!status)
		status = open_delivery(pipeline, err);
	if (status)
		return status;
	make_arrivals(pipeline, seeds[1]);
	const struct expiry_needs of_expiry = {.loop = needs->loop,
		.registry = pipeline->registry,
		.queue = pipeline->queue,
		.delivery = pipeline->delivery,
		.metrics = needs->metrics,
		.trace = needs->trace};
	pipeline->expiry = expiry_new(&of_expiry);
	return 0;
}

void pipeline_configure(struct pipeline *pipeline, X509_STORE *trust)
{
	const struct config *config = pipeline->needs.config;
	const struct schedule_settings of_schedule = schedule_settings_of(config);
	queue_set(pipeline->queue, &of_schedule);
	registry_set_limits(pipeline->registry, config->registration_ttl_ms,
		config->deleted_user_grace_ms, config->registrations_per_user);
	arrivals_configure(pipeline->arrivals);
	if (!trust)
		return;
	const struct sender_settings of_sender = sender_settings_of(config);
	sender_set(delivery_sender(pipeline->delivery), &of_sender, trust);
}

int pipeline_load(struct pipeline *pipeline, struct err *err)
{
	return queue_load(pipeline->queue, err);
}

void pipeline_stop(struct pipeline *pipeline)
{
	if (pipeline->dovecot_door)
		dovecot_door_stop(pipeline->dovecot_door);
}

const char *pipeline_end(struct pipeline *pipeline)
{
	if (pipeline->arrivals)
		arrivals_give_up_held(pipeline->arrivals);
	registry_watch_free(mem_steal(pipeline->registry_watch));
	const char *hangs = registry_free(pipeline->registry) ? NULL : "registry";
	if (!queue_free(pipeline->queue))
		hangs = "queue";
	if (hangs && pipeline->arrivals)
		arrivals_give_up_stuck(pipeline->arrivals);
	return hangs;
}

void pipeline_free(struct pipeline *pipeline)
{
	expiry_free(mem_steal(pipeline->expiry));
	dovecot_door_free(mem_steal(pipeline->dovecot_door));
	arrivals_free(mem_steal(pipeline->arrivals));
	forward_free(mem_steal(pipeline->forward));
	delivery_free(mem_steal(pipeline->delivery));
}
