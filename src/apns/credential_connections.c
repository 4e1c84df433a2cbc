#include "apns/credential_connections.h"

#include "apns/backoff.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#define CONNECTIONS_MAX 64
#define SATURATED_MS 1000 /* no room for so long: another connection */
#define ROOM_BLOCK_MIN 16 /* refilled in blocks, at least of so many: fewer, fuller writes */
#define ROOM_BLOCKS 16	  /* and of that part of what may be in flight */
#define FAULTS_MAX 3	  /* in a row: the connection is replaced */

/* One connection and what the lane knows about it. */
struct slot {
	struct connection *connection;
	bool was_useful; /* Apple answered about a push, not about the connection */
	bool is_counted; /* as an attempt that was of no use */
	bool is_trial;	 /* made while the credential was on hold */
	unsigned faults; /* pushes in a row that it did not do its work for */
};

struct credential_connections {
	struct credential_connections_settings settings;
	struct credential *credential;
	struct tls *tls;	   /* NULL: the credential cannot be used */
	struct provider *provider; /* NULL: a certificate says who we are */

	struct slot slots[CONNECTIONS_MAX];
	size_t slot_count;
	unsigned rotation;
	struct backoff backoff;
	int64_t connect_after_ms;
	uv_timer_t timer; /* backing off, or until the probe */

	bool is_asked; /* credential_connections_room said 0, and nobody was told otherwise since */
	int64_t saturated_since_ms; /* 0: there is room that nobody uses */
	bool is_retired;

	bool is_held;
	int64_t held_since_ms;
	int64_t probe_ms;	   /* when the next push is let through */
	int64_t tried_ms;	   /* of the last attempt in a trouble */
	struct sender_push *probe; /* the one that was; compared, never read */

	int64_t failing_since_ms;  /* nothing but failures since then; 0: Apple does its work */
	bool is_out;		   /* and so for too long */
	int64_t starving_since_ms; /* connected, asked, and no stream allowed; 0: not so */

	char trouble[ERR_TEXT_MAX]; /* what `state` was told last; "": it works */
	int64_t proven_ms;	    /* of the last 200; 0: none */
	int64_t served_ms;	    /* a push that was no check was last answered; 0: never */
	uint64_t answered;
};

static int64_t now_ms(const struct credential_connections *lane)
{
	return (int64_t)uv_now(lane->settings.loop);
}

static void changed(struct credential_connections *lane)
{
	lane->settings.changed(lane->settings.ctx);
}

static void tell_state(struct credential_connections *lane, const char *trouble)
{
	if (lane->is_retired || strcmp(lane->trouble, trouble) == 0)
		return;
	strncpy(lane->trouble, trouble, sizeof(lane->trouble) - 1);
	lane->settings.callbacks->state(lane->settings.callbacks_ctx, lane->credential,
		lane->trouble[0] ? lane->trouble : NULL);
}

void credential_connections_end_trouble(struct credential_connections *lane)
{
	tell_state(lane, "");
}

static void on_timer(uv_timer_t *timer)
{
	changed(timer->data);
}

static void wake_at(struct credential_connections *lane, int64_t due_ms)
{
	int64_t delay_ms = due_ms - now_ms(lane);
	uv_timer_start(&lane->timer, on_timer, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0);
}

/* A trouble that is looked at by hand is not looked at in a loop. */
static void note_attempt(struct credential_connections *lane)
{
	if (*lane->trouble)
		lane->tried_ms = now_ms(lane);
}

static bool is_in_use(void *ctx, const struct sockaddr_storage *address)
{
	const struct credential_connections *lane = ctx;
	for (size_t i = 0; i < lane->slot_count; i++) {
		const struct sockaddr_storage *used = connection_address(lane->slots[i].connection);
		if (used && dialer_same_address(used, address))
			return true;
	}
	return false;
}

static void on_connection_changed(void *ctx)
{
	changed(ctx);
}

static void connect_now(struct credential_connections *lane)
{
	assert(lane->slot_count < CONNECTIONS_MAX);
	note_attempt(lane);
	const struct connection_settings settings = {
		.sender = lane->settings.sender,
		.authority = lane->settings.authority,
		.tls = lane->tls,
		.id = ++*lane->settings.next_connection_id,
		.rotation = lane->rotation++,
		.in_use = is_in_use,
		.changed = on_connection_changed,
		.ctx = lane,
	};
	struct connection *connection = connection_new(lane->settings.loop, &settings);
	lane->slots[lane->slot_count++] =
		(struct slot){.connection = connection, .is_trial = lane->is_held};
}

/* Connections that take pushes, now or soon. */
static unsigned count_live(const struct credential_connections *lane)
{
	unsigned live = 0;
	for (size_t i = 0; i < lane->slot_count; i++)
		live += connection_is_ready(lane->slots[i].connection) ||
			connection_is_starting(lane->slots[i].connection);
	return live;
}

static bool is_starting(const struct credential_connections *lane)
{
	for (size_t i = 0; i < lane->slot_count; i++) {
		if (connection_is_starting(lane->slots[i].connection))
			return true;
	}
	return false;
}

static bool is_valid(const struct credential_connections *lane)
{
	return credential_validity(lane->credential, clock_unix_ms()) == CREDENTIAL_VALID;
}

/* One that was of no use counts as an attempt, however it ended: no knocking in a loop. */
static void count_useless(struct credential_connections *lane, struct slot *slot)
{
	if (slot->was_useful || slot->is_counted)
		return;
	slot->is_counted = true;
	lane->connect_after_ms = now_ms(lane) + backoff_next_ms(&lane->backoff);
}

/* Those that drain, as the next one is made while they do. */
static void count_drained(struct credential_connections *lane)
{
	for (size_t i = 0; i < lane->slot_count; i++) {
		if (!connection_is_ready(lane->slots[i].connection) &&
			!connection_is_starting(lane->slots[i].connection))
			count_useless(lane, &lane->slots[i]);
	}
}

/* Connects if somebody waits and nothing stands against it. */
static void want_connection(struct credential_connections *lane)
{
	if (!lane->is_asked || lane->is_retired || !lane->tls || lane->probe || !is_valid(lane))
		return;
	count_drained(lane);
	int64_t after_ms = lane->connect_after_ms;
	if (lane->is_held && lane->probe_ms > after_ms)
		after_ms = lane->probe_ms;
	if (after_ms > now_ms(lane))
		wake_at(lane, after_ms);
	else if (count_live(lane) == 0 && lane->slot_count < CONNECTIONS_MAX)
		connect_now(lane);
}

static void want_another_connection(struct credential_connections *lane)
{
	unsigned live = count_live(lane);
	if (!lane->is_asked || lane->is_held || live == 0 || !is_valid(lane)) {
		lane->saturated_since_ms = 0;
		return;
	}
	if (lane->saturated_since_ms == 0)
		lane->saturated_since_ms = now_ms(lane);
	if (is_starting(lane) || live >= lane->settings.sender->connections ||
		lane->slot_count == CONNECTIONS_MAX)
		return;
	int64_t due_ms = lane->saturated_since_ms + SATURATED_MS;
	if (due_ms < lane->connect_after_ms)
		due_ms = lane->connect_after_ms;
	if (due_ms > now_ms(lane)) {
		/* Nothing else need happen meanwhile: a server may answer nobody. */
		wake_at(lane, due_ms);
		return;
	}
	lane->saturated_since_ms = 0;
	connect_now(lane);
}

struct credential_connections *credential_connections_new(
	const struct credential_connections_settings *settings, struct credential *credential)
{
	struct credential_connections *lane = mem_alloc_zero(1, sizeof(*lane));
	uint64_t seed;
	struct err err;

	lane->settings = *settings;
	lane->credential = credential;
	if (RAND_bytes((unsigned char *)&seed, sizeof(seed)) != 1)
		abort();
	backoff_init(&lane->backoff, settings->sender->backoff_min_ms,
		settings->sender->backoff_max_ms, seed);
	lane->rotation = (unsigned)(seed >> 33);
	lane->tried_ms = now_ms(lane) - settings->sender->hurry_least_ms;
	if (!credential->certificate)
		lane->provider = provider_get(settings->providers, credential);
	uv_timer_init(settings->loop, &lane->timer);
	lane->timer.data = lane;
	if (tls_new(settings->trust, credential, settings->sender->host, &lane->tls, &err) < 0)
		tell_state(lane, err.text);
	return lane;
}

static void on_closed(uv_handle_t *handle)
{
	struct credential_connections *lane = handle->data;
	tls_free(lane->tls);
	credential_free(lane->credential);
	free(lane);
}

void credential_connections_free(struct credential_connections *lane)
{
	assert(lane->slot_count == 0);
	provider_put(lane->settings.providers, lane->provider);
	uv_close((uv_handle_t *)&lane->timer, on_closed);
}

const struct credential *credential_connections_credential(
	const struct credential_connections *lane)
{
	return lane->credential;
}

static size_t open_room(const struct credential_connections *lane)
{
	size_t room = 0;
	for (size_t i = 0; i < lane->slot_count; i++)
		room += connection_room(lane->slots[i].connection);
	return room;
}

/* What credential_connections_room would say. */
static size_t room(const struct credential_connections *lane)
{
	if (lane->is_retired || !is_valid(lane))
		return 0;
	if (!lane->is_held)
		return open_room(lane);
	return !lane->probe && lane->probe_ms <= now_ms(lane) && open_room(lane) > 0 ? 1 : 0;
}

size_t credential_connections_room(struct credential_connections *lane)
{
	size_t n = room(lane);
	if (n == 0 && !lane->is_asked) {
		lane->is_asked = true;
		want_connection(lane);
	}
	return n;
}

bool credential_connections_push(struct credential_connections *lane, struct sender_push *push)
{
	/* A larger body than the last, a window, the clock: what was said of room may be over. */
	if (credential_connections_room(lane) == 0)
		return false;
	size_t i = 0;
	while (connection_room(lane->slots[i].connection) == 0)
		i++;
	if (lane->is_held) {
		lane->probe = push;
		note_attempt(lane);
	}
	push->connection = lane->slots[i].connection;
	push->authorization = NULL;
	if (lane->provider) {
		push->authorization =
			provider_authorization(lane->provider, now_ms(lane), clock_unix_ms());
		push->provider_number = provider_number(lane->provider);
	}
	connection_push(lane->slots[i].connection, push);
	changed(lane);
	return true;
}

static void drain_all(struct credential_connections *lane, const char *why)
{
	for (size_t i = 0; i < lane->slot_count; i++)
		if (!connection_is_closed(lane->slots[i].connection))
			connection_drain(lane->slots[i].connection, why);
}

static void put_probe_off(struct credential_connections *lane)
{
	lane->probe_ms = now_ms(lane) + lane->settings.sender->hold_probe_ms;
}

void credential_connections_hold(struct credential_connections *lane, const char *why)
{
	/* Those in flight when it began say the same thing again; the probe is not put off. */
	if (!lane->is_held) {
		put_probe_off(lane);
		drain_all(lane, "the credential is on hold");
		lane->held_since_ms = now_ms(lane);
	}
	lane->is_held = true;
	lane->is_out = false; /* the hold is what is told now */
	tell_state(lane, why);
	changed(lane);
}

void credential_connections_probe_now(struct credential_connections *lane)
{
	if (!lane->is_held || lane->probe_ms <= now_ms(lane))
		return;
	lane->probe_ms = now_ms(lane);
	changed(lane);
}

void credential_connections_hurry(struct credential_connections *lane)
{
	int64_t at_ms = lane->tried_ms + lane->settings.sender->hurry_least_ms;
	if (at_ms < now_ms(lane))
		at_ms = now_ms(lane);
	if (lane->is_held && at_ms < lane->probe_ms)
		lane->probe_ms = at_ms;
	if (*lane->trouble && at_ms < lane->connect_after_ms)
		lane->connect_after_ms = at_ms;
	changed(lane);
}

static void end_hold(struct credential_connections *lane)
{
	lane->is_held = false;
	lane->probe = NULL;
	tell_state(lane, "");
	changed(lane);
}

static bool is_proven(const struct credential_connections *lane)
{
	return lane->proven_ms > 0 &&
		now_ms(lane) - lane->proven_ms < lane->settings.sender->proven_ms;
}

/* The part of the verdict that is the sender's business: the connection and the hold. */
static struct verdict judge(
	const struct credential_connections *lane, const struct apns_answer *answer)
{
	const struct verdict_context context = {.is_proven = is_proven(lane)};
	return verdict_of(answer, &context);
}

/* What stands behind this connection may be broken, though it answers PINGs: another may do. */
static bool is_fault(const struct apns_answer *answer)
{
	return answer->ending == APNS_LOST || answer->ending == APNS_SILENT ||
		(answer->ending == APNS_ANSWERED && answer->status == 500);
}

static void judge_connection(
	struct slot *slot, const struct apns_answer *answer, const struct verdict *verdict)
{
	if (verdict->scope != VERDICT_SERVICE)
		slot->was_useful = true;
	if (is_fault(answer))
		slot->faults++;
	else if (answer->ending == APNS_ANSWERED)
		slot->faults = 0;
	if (connection_is_closed(slot->connection))
		return;
	if (verdict->replace_connection)
		connection_drain(slot->connection, answer->reason);
	else if (slot->faults >= FAULTS_MAX)
		connection_drain(slot->connection, "the server fails again and again");
}

/*
 * What an answer says about the hold, before the caller, who may hold again, is told.  A probe that
 * nobody looked at (beyond a GOAWAY) is made again at once.
 */
static void judge_hold(struct credential_connections *lane, bool is_probe,
	const struct apns_answer *answer, const struct verdict *verdict)
{
	if (!lane->is_held)
		return;
	bool is_about_push = verdict->scope == VERDICT_TOKEN || verdict->scope == VERDICT_REQUEST;
	if (answer->status == 200 || (is_probe && is_about_push))
		end_hold(lane);
	else if (is_probe && answer->ending != APNS_NOT_PROCESSED)
		put_probe_off(lane);
}

static void describe_outage(const struct apns_answer *answer, char ret[ERR_TEXT_MAX])
{
	char what[ERR_TEXT_MAX / 2] = "Apple does not answer";
	if (answer->ending == APNS_ANSWERED)
		snprintf(what, sizeof(what), "Apple answers %d %s", answer->status, answer->reason);
	else if (answer->ending != APNS_SILENT)
		snprintf(what, sizeof(what), "Apple ends connections without an answer");
	snprintf(ret, ERR_TEXT_MAX,
		"%s, and no push was taken for minutes; pushes wait and are tried again", what);
}

/* Pushes fail now and then; when they only fail for long, somebody should know. */
static void judge_outage(struct credential_connections *lane, const struct apns_answer *answer,
	const struct verdict *verdict)
{
	char text[ERR_TEXT_MAX];
	if (verdict->scope != VERDICT_SERVICE) {
		lane->failing_since_ms = 0;
		if (lane->is_out && !lane->is_held)
			tell_state(lane, "");
		lane->is_out = false;
		return;
	}
	if (lane->failing_since_ms == 0)
		lane->failing_since_ms = now_ms(lane);
	if (lane->is_held ||
		now_ms(lane) - lane->failing_since_ms < lane->settings.sender->outage_ms)
		return;
	lane->is_out = true;
	describe_outage(answer, text);
	tell_state(lane, text);
}

/* Was it sent with a credential, or a provider token, that another has replaced since? */
static bool is_outdated(struct credential_connections *lane, const struct sender_push *push,
	const struct apns_answer *answer)
{
	if (lane->is_retired || !lane->provider)
		return lane->is_retired;
	if (answer->status == 403 && strcmp(answer->reason, "ExpiredProviderToken") == 0)
		provider_expire(
			lane->provider, push->provider_number, now_ms(lane), clock_unix_ms());
	return push->provider_number != provider_number(lane->provider);
}

/* A slot stays where it is meanwhile: they go in `bury` only, where nothing is in flight. */
static void answer(struct credential_connections *lane, struct slot *slot)
{
	struct sender_push *push;
	while ((push = connection_take_finished(slot->connection))) {
		struct apns_answer said = push->answer;
		said.is_outdated = is_outdated(lane, push, &said);
		bool is_probe = push == lane->probe;
		lane->answered++;
		push->connection = NULL;
		if (is_probe)
			lane->probe = NULL;
		const struct verdict verdict = judge(lane, &said);
		judge_outage(lane, &said, &verdict);
		if (said.ending == APNS_ANSWERED && said.status == 200)
			lane->proven_ms = now_ms(lane);
		if (!push->is_check &&
			(verdict.scope == VERDICT_TOKEN || verdict.scope == VERDICT_REQUEST))
			lane->served_ms = now_ms(lane);
		judge_connection(slot, &said, &verdict);
		judge_hold(lane, is_probe, &said, &verdict);
		lane->settings.callbacks->answered(
			lane->settings.callbacks_ctx, push, &said, is_proven(lane));
		/* Another handle of this turn's end, which has run, may have to do with it. */
		changed(lane);
	}
}

static bool has_working(const struct credential_connections *lane)
{
	for (size_t i = 0; i < lane->slot_count; i++) {
		if (connection_works(lane->slots[i].connection) &&
			!connection_is_closed(lane->slots[i].connection))
			return true;
	}
	return false;
}

/* A connection is closed: what follows for the next one. */
static void learn_from_end(struct credential_connections *lane, struct slot *slot)
{
	const char *why;
	enum connection_end end = connection_end(slot->connection, &why);

	if (slot->was_useful)
		backoff_reset(&lane->backoff);
	count_useless(lane, slot);
	if (end == CONNECTION_REFUSED) {
		credential_connections_hold(lane, why);
		if (slot->is_trial)
			put_probe_off(lane);
	} else if (end == CONNECTION_FAILED && !lane->is_held && !has_working(lane)) {
		tell_state(lane, why);
	}
}

static void bury(struct credential_connections *lane)
{
	for (size_t i = 0; i < lane->slot_count;) {
		struct slot slot = lane->slots[i];
		if (!connection_is_closed(slot.connection)) {
			i++;
			continue;
		}
		memmove(&lane->slots[i], &lane->slots[i + 1],
			(lane->slot_count - i - 1) * sizeof(slot));
		lane->slot_count--;
		learn_from_end(lane, &slot);
		connection_free(slot.connection);
	}
}

void credential_connections_answer(struct credential_connections *lane)
{
	for (size_t i = 0; i < lane->slot_count; i++)
		answer(lane, &lane->slots[i]);
	bury(lane);
	if (!lane->is_held && !lane->is_out && has_working(lane))
		tell_state(lane, "");
}

/* Free slots from which on it is worth to be told. */
static size_t room_block(const struct credential_connections *lane)
{
	size_t limit = 0;
	for (size_t i = 0; i < lane->slot_count; i++)
		limit += connection_limit(lane->slots[i].connection);
	size_t block = limit / ROOM_BLOCKS > ROOM_BLOCK_MIN ? limit / ROOM_BLOCKS : ROOM_BLOCK_MIN;
	return limit / 2 < block ? (limit + 1) / 2 : block;
}

/* A server that allows no stream at all fails no push either. */
static void judge_starvation(struct credential_connections *lane)
{
	if (!lane->is_asked || lane->is_held || !has_working(lane) || room(lane) > 0 ||
		credential_connections_in_flight(lane) > 0) {
		lane->starving_since_ms = 0;
		return;
	}
	if (lane->starving_since_ms == 0)
		lane->starving_since_ms = now_ms(lane);
	int64_t due_ms = lane->starving_since_ms + lane->settings.sender->outage_ms;
	if (due_ms > now_ms(lane)) {
		wake_at(lane, due_ms);
		return;
	}
	lane->starving_since_ms = 0;
	lane->is_out = true;
	tell_state(lane,
		"Apple's server has allowed no push for minutes; pushes wait, and another "
		"connection is tried");
	drain_all(lane, "the server allows no push");
}

void credential_connections_offer_room(struct credential_connections *lane)
{
	size_t free_slots = lane->is_asked ? room(lane) : 0;
	if (free_slots > 0 &&
		(lane->is_held || free_slots >= room_block(lane) ||
			credential_connections_in_flight(lane) == 0)) {
		lane->is_asked = false;
		lane->settings.callbacks->room(
			lane->settings.callbacks_ctx, lane->credential->topic);
	}
	judge_starvation(lane);
	want_connection(lane);
	want_another_connection(lane);
}

void credential_connections_flush(struct credential_connections *lane)
{
	for (size_t i = 0; i < lane->slot_count; i++)
		connection_flush(lane->slots[i].connection);
}

void credential_connections_retire(struct credential_connections *lane, const char *why)
{
	lane->is_retired = true;
	uv_timer_stop(&lane->timer);
	drain_all(lane, why);
	changed(lane);
}

void credential_connections_close(struct credential_connections *lane, const char *why)
{
	credential_connections_retire(lane, why);
	for (size_t i = 0; i < lane->slot_count; i++)
		connection_close(lane->slots[i].connection, why);
}

bool credential_connections_is_empty(const struct credential_connections *lane)
{
	return lane->slot_count == 0;
}

size_t credential_connections_in_flight(const struct credential_connections *lane)
{
	size_t n = 0;
	for (size_t i = 0; i < lane->slot_count; i++)
		n += connection_in_flight(lane->slots[i].connection);
	return n;
}

unsigned credential_connections_connections(const struct credential_connections *lane)
{
	unsigned n = 0;
	for (size_t i = 0; i < lane->slot_count; i++)
		n += connection_is_ready(lane->slots[i].connection);
	return n;
}

static const char *state_of(const struct connection *connection)
{
	if (connection_is_closed(connection))
		return "closed";
	if (connection_is_starting(connection))
		return "connecting";
	return connection_is_ready(connection) ? "open" : "draining";
}

static void print_address(const struct sockaddr_storage *address, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "";
	if (address && address->ss_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, host,
			sizeof(host));
	else if (address)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, host,
			sizeof(host));
	snprintf(text, size, "%s", host);
}

static int64_t try_in_ms(const struct credential_connections *lane)
{
	int64_t after_ms = lane->connect_after_ms;
	if (lane->is_held && lane->probe_ms > after_ms)
		after_ms = lane->probe_ms;
	return !lane->probe && after_ms > now_ms(lane) ? after_ms - now_ms(lane) : 0;
}

void credential_connections_describe(const struct credential_connections *lane,
	void (*each)(void *ctx, const struct sender_way *way), void *ctx)
{
	struct sender_link links[CONNECTIONS_MAX];
	char addresses[CONNECTIONS_MAX][INET6_ADDRSTRLEN];
	for (size_t i = 0; i < lane->slot_count; i++) {
		const struct connection *connection = lane->slots[i].connection;
		print_address(connection_address(connection), addresses[i], sizeof(addresses[i]));
		links[i] = (struct sender_link){.state = state_of(connection),
			.address = addresses[i],
			.in_flight = connection_in_flight(connection),
			.limit = connection_limit(connection)};
	}
	const struct sender_way way = {.credential = lane->credential,
		.trouble = lane->trouble[0] ? lane->trouble : NULL,
		.is_held = lane->is_held,
		.held_ms = lane->is_held ? now_ms(lane) - lane->held_since_ms : 0,
		.try_in_ms = try_in_ms(lane),
		.served_ms = lane->served_ms ? now_ms(lane) - lane->served_ms : -1,
		.links = links,
		.link_count = lane->slot_count};
	each(ctx, &way);
}

uint64_t credential_connections_answered(const struct credential_connections *lane)
{
	return lane->answered;
}
