#include "apns/credential_connections.h"

#include "apns/answer.h"
#include "apns/outage.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#define CONNECTIONS_MAX 64
#define SATURATED_MS 1000 /* after this time without room: another connection */
#define ROOM_BLOCK_MIN \
	16 /* room is offered in blocks of at least this many pushes: fewer, fuller writes */
#define ROOM_BLOCKS 16 /* and at least this part of the streams allowed */
#define FAULTS_MAX 3   /* in a row: the connection is replaced */

/* One connection and its record. */
struct slot {
	struct connection *connection;
	bool may_end;	 /* its end is no failure: a push went over it, or we left it */
	bool was_useful; /* Apple judged a push on it */
	bool is_counted; /* as a useless attempt */
	bool is_trial;	 /* made while the credential was on hold */
	unsigned faults; /* failed pushes in a row */
};

enum state {
	OPEN,	 /* pushes go as far as the connections have room */
	HELD,	 /* the credential was refused: pushes wait */
	PROBING, /* one push is out to find out whether Apple still refuses it */
	RETIRED, /* replaced: its connections finish the pushes in flight */
};

struct credential_connections {
	struct credential_connections_settings settings;
	struct credential *credential;
	struct tls *tls;	   /* NULL: the credential cannot be used */
	struct provider *provider; /* NULL: the credential is a certificate */

	struct slot slots[CONNECTIONS_MAX];
	size_t slot_count;
	unsigned rotation;
	struct random random;
	unsigned failures; /* useless connections since the last useful one */
	int64_t connect_after_ms;
	uv_timer_t timer; /* backing off, or until the probe */

	bool is_asked; /* credential_connections_room returned 0, and room was not offered since */
	int64_t saturated_since_ms; /* since when there is no room; 0: there is some */

	enum state state;
	int64_t held_since_ms;
	int64_t probe_ms;	   /* HELD: when the next push is let through */
	int64_t tried_ms;	   /* the last attempt during a trouble */
	struct sender_push *probe; /* PROBING: the push that is out; compared, never read */

	struct outage outage;
	char trouble[ERR_TEXT_MAX]; /* the last text given to `state`; "": it works */
	int64_t proven_ms;	    /* of the last 200; 0: none */
	int64_t served_ms;	    /* when a push other than a check was last answered; 0: never */
	uint64_t answered;
};

static int64_t now_ms(const struct credential_connections *conns)
{
	return (int64_t)uv_now(conns->settings.loop);
}

static bool is_held(const struct credential_connections *conns)
{
	return conns->state == HELD || conns->state == PROBING;
}

static void changed(struct credential_connections *conns)
{
	conns->settings.changed(conns->settings.ctx);
}

static void tell_state(struct credential_connections *conns, const char *trouble)
{
	if (conns->state == RETIRED || strcmp(conns->trouble, trouble) == 0)
		return;
	snprintf(conns->trouble, sizeof(conns->trouble), "%s", trouble);
	conns->settings.callbacks->state(conns->settings.callbacks_ctx, conns->credential,
		conns->trouble[0] ? conns->trouble : NULL);
}

void credential_connections_end_trouble(struct credential_connections *conns)
{
	tell_state(conns, "");
}

static void on_timer(uv_timer_t *timer)
{
	changed(timer->data);
}

/* Limits attempts on request. */
static void note_attempt(struct credential_connections *conns)
{
	if (*conns->trouble)
		conns->tried_ms = now_ms(conns);
}

static bool is_in_use(void *ctx, const struct sockaddr_storage *address)
{
	const struct credential_connections *conns = ctx;
	for (size_t i = 0; i < conns->slot_count; i++) {
		const struct sockaddr_storage *used =
			connection_address(conns->slots[i].connection);
		if (used && dialer_same_address(used, address))
			return true;
	}
	return false;
}

static void on_connection_changed(void *ctx)
{
	changed(ctx);
}

static void connect_now(struct credential_connections *conns)
{
	assert(conns->slot_count < CONNECTIONS_MAX);
	note_attempt(conns);
	const struct connection_settings settings = {
		.sender = conns->settings.sender,
		.authority = conns->settings.authority,
		.tls = conns->tls,
		.id = ++*conns->settings.next_connection_id,
		.rotation = conns->rotation++,
		.in_use = is_in_use,
		.changed = on_connection_changed,
		.ctx = conns,
	};
	struct connection *connection = connection_new(conns->settings.loop, &settings);
	conns->slots[conns->slot_count++] =
		(struct slot){.connection = connection, .is_trial = is_held(conns)};
}

static void drain_all(struct credential_connections *conns, const char *why)
{
	for (size_t i = 0; i < conns->slot_count; i++) {
		if (connection_is_closed(conns->slots[i].connection))
			continue;
		conns->slots[i].may_end = true;
		connection_drain(conns->slots[i].connection, why);
	}
}

static void put_probe_off(struct credential_connections *conns)
{
	conns->probe_ms = now_ms(conns) + conns->settings.sender->hold_probe_ms;
}

static void enter(struct credential_connections *conns, enum state state)
{
	static const char *const names[] = {
		[OPEN] = "open", [HELD] = "held", [PROBING] = "probing", [RETIRED] = "retired"};
	enum state from = conns->state;
	if (from == state)
		return;
	log_event(LOG_LEVEL_DEBUG, "apns", "credential changes its state",
		log_text("credential", conns->credential->name), log_text("from", names[from]),
		log_text("to", names[state]));
	conns->state = state;
	conns->probe = NULL;
	if (state == HELD && from == OPEN) {
		conns->held_since_ms = now_ms(conns);
		put_probe_off(conns);
		outage_end(&conns->outage); /* the hold is reported instead */
		drain_all(conns, "the credential is on hold");
	} else if (state == OPEN) {
		tell_state(conns, "");
	}
	changed(conns);
}

void credential_connections_hold(struct credential_connections *conns, const char *why)
{
	/* Pushes in flight when the hold began get the same answer; they do not delay the probe. */
	if (conns->state == OPEN)
		enter(conns, HELD);
	tell_state(conns, why);
	changed(conns);
}

/* Connections that take pushes, now or soon. */
static unsigned count_live(const struct credential_connections *conns)
{
	unsigned live = 0;
	for (size_t i = 0; i < conns->slot_count; i++)
		live += connection_is_ready(conns->slots[i].connection) ||
			connection_is_starting(conns->slots[i].connection);
	return live;
}

static bool is_starting(const struct credential_connections *conns)
{
	for (size_t i = 0; i < conns->slot_count; i++) {
		if (connection_is_starting(conns->slots[i].connection))
			return true;
	}
	return false;
}

static bool is_valid(const struct credential_connections *conns)
{
	return credential_validity(conns->credential, clock_unix_ms()) == CREDENTIAL_VALID;
}

/* A useless connection counts as an attempt, however it ended, so that attempts back off. */
static void count_useless(struct credential_connections *conns, struct slot *slot)
{
	if (slot->was_useful || slot->is_counted)
		return;
	slot->is_counted = true;
	const struct sender_settings *sender = conns->settings.sender;
	conns->connect_after_ms = now_ms(conns) +
		backoff_random_ms(sender->backoff_min_ms, sender->backoff_max_ms, conns->failures++,
			&conns->random);
}

/* Connections that drain: the next one is made meanwhile. */
static void count_drained(struct credential_connections *conns)
{
	for (size_t i = 0; i < conns->slot_count; i++) {
		if (!connection_is_ready(conns->slots[i].connection) &&
			!connection_is_starting(conns->slots[i].connection))
			count_useless(conns, &conns->slots[i]);
	}
}

/* The earliest time for a new connection or, on hold, for a probe. */
static int64_t try_ms(const struct credential_connections *conns)
{
	bool waits_for_probe = conns->state == HELD && conns->probe_ms > conns->connect_after_ms;
	return waits_for_probe ? conns->probe_ms : conns->connect_after_ms;
}

/* Pushes wait for a time to pass, and for nothing else. */
static bool is_wanted(const struct credential_connections *conns)
{
	return conns->is_asked && conns->tls && (conns->state == OPEN || conns->state == HELD) &&
		is_valid(conns);
}

/* When a further connection may be made; INT64_MAX: none is wanted. */
static int64_t another_due_ms(const struct credential_connections *conns)
{
	if (conns->saturated_since_ms == 0 || is_starting(conns) ||
		count_live(conns) >= conns->settings.sender->connections ||
		conns->slot_count == CONNECTIONS_MAX)
		return INT64_MAX;
	int64_t due_ms = conns->saturated_since_ms + SATURATED_MS;
	return due_ms > conns->connect_after_ms ? due_ms : conns->connect_after_ms;
}

/* Makes a connection if one is wanted and its time has come. */
static void connect_if_due(struct credential_connections *conns)
{
	bool is_live = count_live(conns) > 0;
	if (is_wanted(conns)) {
		count_drained(conns);
		if (!is_live && conns->slot_count < CONNECTIONS_MAX &&
			try_ms(conns) <= now_ms(conns))
			connect_now(conns);
	}
	if (!is_live || !is_wanted(conns) || conns->state != OPEN)
		conns->saturated_since_ms = 0;
	else if (conns->saturated_since_ms == 0)
		conns->saturated_since_ms = now_ms(conns);
	if (another_due_ms(conns) <= now_ms(conns)) {
		conns->saturated_since_ms = 0;
		connect_now(conns);
	}
}

/* When the timer has work; INT64_MAX: never. */
static int64_t next_due_ms(const struct credential_connections *conns)
{
	int64_t due_ms = another_due_ms(conns);
	if (outage_due_ms(&conns->outage) < due_ms)
		due_ms = outage_due_ms(&conns->outage);
	bool waits = is_wanted(conns) && try_ms(conns) > now_ms(conns);
	return waits && try_ms(conns) < due_ms ? try_ms(conns) : due_ms;
}

static void set_timer(struct credential_connections *conns)
{
	int64_t due_ms = next_due_ms(conns);
	int64_t delay_ms = due_ms - now_ms(conns);
	if (due_ms == INT64_MAX)
		uv_timer_stop(&conns->timer);
	else
		uv_timer_start(&conns->timer, on_timer, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0);
}

struct credential_connections *credential_connections_new(
	const struct credential_connections_settings *settings, struct credential *credential)
{
	struct credential_connections *conns = mem_alloc_zero(1, sizeof(*conns));
	uint8_t seed[RANDOM_SEED_SIZE];
	struct err err;

	conns->settings = *settings;
	conns->credential = credential;
	random_seed(seed);
	random_init(&conns->random, seed);
	conns->rotation = (unsigned)random_draw(&conns->random);
	conns->outage.limit_ms = settings->sender->outage_ms;
	conns->tried_ms = now_ms(conns) - settings->sender->hurry_least_ms;
	if (!credential->certificate)
		conns->provider = provider_get(settings->providers, credential);
	uv_timer_init(settings->loop, &conns->timer);
	conns->timer.data = conns;
	if (tls_new(settings->trust, credential, settings->sender->host, &conns->tls, &err) < 0)
		tell_state(conns, err.text);
	return conns;
}

static void on_closed(uv_handle_t *handle)
{
	struct credential_connections *conns = handle->data;
	tls_free(conns->tls);
	credential_free(conns->credential);
	free(conns);
}

void credential_connections_free(struct credential_connections *conns)
{
	assert(conns->slot_count == 0);
	provider_put(conns->provider);
	uv_close((uv_handle_t *)&conns->timer, on_closed);
}

const struct credential *credential_connections_credential(
	const struct credential_connections *conns)
{
	return conns->credential;
}

static size_t open_room(const struct credential_connections *conns)
{
	size_t room = 0;
	for (size_t i = 0; i < conns->slot_count; i++)
		room += connection_room(conns->slots[i].connection);
	return room;
}

/* The result of credential_connections_room, without its side effects. */
static size_t room(const struct credential_connections *conns)
{
	if (conns->state == PROBING || conns->state == RETIRED || !is_valid(conns))
		return 0;
	if (conns->state == OPEN)
		return open_room(conns);
	return conns->probe_ms <= now_ms(conns) && open_room(conns) > 0 ? 1 : 0;
}

size_t credential_connections_room(struct credential_connections *conns)
{
	size_t n = room(conns);
	if (n == 0 && !conns->is_asked) {
		conns->is_asked = true;
		connect_if_due(conns);
		set_timer(conns);
	}
	return n;
}

bool credential_connections_push(struct credential_connections *conns, struct sender_push *push)
{
	/* A larger body, a window or the clock may have used up the room that was reported. */
	if (credential_connections_room(conns) == 0)
		return false;
	size_t i = 0;
	while (connection_room(conns->slots[i].connection) == 0)
		i++;
	if (conns->state == HELD) {
		enter(conns, PROBING);
		conns->probe = push;
		note_attempt(conns);
	}
	conns->slots[i].may_end = true;
	push->connection = conns->slots[i].connection;
	push->authorization = NULL;
	if (conns->provider) {
		push->authorization =
			provider_authorization(conns->provider, now_ms(conns), clock_unix_ms());
		push->provider_number = provider_number(conns->provider);
	}
	connection_push(conns->slots[i].connection, push);
	changed(conns);
	return true;
}

void credential_connections_probe_now(struct credential_connections *conns)
{
	if (conns->state != HELD || conns->probe_ms <= now_ms(conns))
		return;
	conns->probe_ms = now_ms(conns);
	changed(conns);
}

void credential_connections_hurry(struct credential_connections *conns)
{
	int64_t at_ms = conns->tried_ms + conns->settings.sender->hurry_least_ms;
	if (at_ms < now_ms(conns))
		at_ms = now_ms(conns);
	if (conns->state == HELD && at_ms < conns->probe_ms)
		conns->probe_ms = at_ms;
	if (*conns->trouble && at_ms < conns->connect_after_ms)
		conns->connect_after_ms = at_ms;
	changed(conns);
}

static bool is_proven(const struct credential_connections *conns)
{
	return conns->proven_ms > 0 &&
		now_ms(conns) - conns->proven_ms < conns->settings.sender->proven_ms;
}

/* The server behind this connection may be broken although it answers PINGs; another may work. */
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
		connection_drain(slot->connection, "pushes fail repeatedly on it");
}

/*
 * The effect of an answer on the hold, before the caller gets the answer and may hold again.  A
 * probe that Apple did not process (beyond a GOAWAY) is sent again at once.
 */
static void judge_hold(struct credential_connections *conns, bool is_probe,
	const struct apns_answer *answer, const struct verdict *verdict)
{
	bool is_about_push = verdict->scope == VERDICT_TOKEN || verdict->scope == VERDICT_REQUEST;
	if (is_held(conns) && (answer->status == 200 || (is_probe && is_about_push))) {
		enter(conns, OPEN);
	} else if (is_probe) {
		enter(conns, HELD);
		if (answer->ending != APNS_NOT_PROCESSED)
			put_probe_off(conns);
	}
}

static void judge_outage(struct credential_connections *conns, const struct apns_answer *answer,
	const struct verdict *verdict)
{
	char text[ERR_TEXT_MAX];
	if (verdict->scope != VERDICT_SERVICE) {
		if (outage_end(&conns->outage) && !is_held(conns))
			tell_state(conns, "");
	} else if (!is_held(conns) && outage_failed(&conns->outage, answer, now_ms(conns), text)) {
		tell_state(conns, text);
	}
}

/* Has its credential or provider token been replaced since it was sent? */
static bool is_outdated(struct credential_connections *conns, const struct sender_push *push,
	const struct apns_answer *answer)
{
	if (conns->state == RETIRED || !conns->provider)
		return conns->state == RETIRED;
	if (answer->status == 403 && strcmp(answer->reason, "ExpiredProviderToken") == 0)
		provider_expire(
			conns->provider, push->provider_number, now_ms(conns), clock_unix_ms());
	return push->provider_number != provider_number(conns->provider);
}

/* Slots keep their place meanwhile: only `bury` removes one, and nothing is in flight then. */
static void answer(struct credential_connections *conns, struct slot *slot)
{
	struct sender_push *push;
	while ((push = connection_take_finished(slot->connection))) {
		struct apns_answer said = push->answer;
		said.is_outdated = is_outdated(conns, push, &said);
		bool is_probe = conns->state == PROBING && push == conns->probe;
		conns->answered++;
		push->connection = NULL;
		const struct verdict_context context = {.is_proven = is_proven(conns),
			.sent_unix_ms = push->sent_unix_ms,
			.now_unix_ms = clock_unix_ms(),
			.attempts = push->attempts};
		struct verdict verdict = verdict_of(&said, &context);
		judge_outage(conns, &said, &verdict);
		if (said.ending == APNS_ANSWERED && said.status == 200)
			conns->proven_ms = now_ms(conns);
		if (!push->is_check &&
			(verdict.scope == VERDICT_TOKEN || verdict.scope == VERDICT_REQUEST))
			conns->served_ms = now_ms(conns);
		verdict.is_proven = is_proven(conns);
		judge_connection(slot, &said, &verdict);
		judge_hold(conns, is_probe, &said, &verdict);
		conns->settings.callbacks->answered(
			conns->settings.callbacks_ctx, push, &said, &verdict);
		/* The handle at the end of the turn has already run, so this asks for another turn.
		 */
		changed(conns);
	}
}

static bool has_working(const struct credential_connections *conns)
{
	for (size_t i = 0; i < conns->slot_count; i++) {
		if (connection_works(conns->slots[i].connection) &&
			!connection_is_closed(conns->slots[i].connection))
			return true;
	}
	return false;
}

/* No push can fail on a connection that the server leaves at once, so its end is a failure. */
static void judge_left(struct credential_connections *conns, const struct slot *slot)
{
	static const struct verdict verdict = {.scope = VERDICT_SERVICE};
	struct apns_answer lost;
	answer_init(&lost, APNS_LOST);
	if (is_wanted(conns) && !slot->may_end)
		judge_outage(conns, &lost, &verdict);
}

/* The effect of a connection's end on the next one. */
static void learn_from_end(struct credential_connections *conns, struct slot *slot)
{
	const char *why;
	enum connection_end end = connection_end(slot->connection, &why);

	if (slot->was_useful)
		conns->failures = 0;
	count_useless(conns, slot);
	if (end == CONNECTION_REFUSED) {
		credential_connections_hold(conns, why);
		if (slot->is_trial)
			put_probe_off(conns);
	} else if (end == CONNECTION_FAILED && !is_held(conns) && !has_working(conns)) {
		tell_state(conns, why);
	} else if (end == CONNECTION_LOST || end == CONNECTION_LEFT) {
		judge_left(conns, slot);
	}
}

static void bury(struct credential_connections *conns)
{
	for (size_t i = 0; i < conns->slot_count;) {
		struct slot slot = conns->slots[i];
		if (!connection_is_closed(slot.connection)) {
			i++;
			continue;
		}
		memmove(&conns->slots[i], &conns->slots[i + 1],
			(conns->slot_count - i - 1) * sizeof(slot));
		conns->slot_count--;
		learn_from_end(conns, &slot);
		connection_free(slot.connection);
	}
}

void credential_connections_answer(struct credential_connections *conns)
{
	for (size_t i = 0; i < conns->slot_count; i++)
		answer(conns, &conns->slots[i]);
	bury(conns);
	if (!is_held(conns) && !conns->outage.is_on && has_working(conns))
		tell_state(conns, "");
}

/* The least room that is offered. */
static size_t room_block(const struct credential_connections *conns)
{
	size_t limit = 0;
	for (size_t i = 0; i < conns->slot_count; i++)
		limit += connection_limit(conns->slots[i].connection);
	size_t block = limit / ROOM_BLOCKS > ROOM_BLOCK_MIN ? limit / ROOM_BLOCKS : ROOM_BLOCK_MIN;
	return limit / 2 < block ? (limit + 1) / 2 : block;
}

/* No push can fail at a server that allows no stream, so the outage is noticed here. */
static void judge_starvation(struct credential_connections *conns)
{
	if (!is_wanted(conns) || is_held(conns) || !has_working(conns) || room(conns) > 0 ||
		credential_connections_in_flight(conns) > 0) {
		outage_fed(&conns->outage);
	} else if (outage_starved(&conns->outage, now_ms(conns))) {
		tell_state(conns, OUTAGE_STARVED_TEXT);
		drain_all(conns, "the server allows no push");
	}
}

void credential_connections_offer_room(struct credential_connections *conns)
{
	size_t free_slots = conns->is_asked ? room(conns) : 0;
	if (free_slots > 0 &&
		(conns->state == HELD || free_slots >= room_block(conns) ||
			credential_connections_in_flight(conns) == 0)) {
		conns->is_asked = false;
		conns->settings.callbacks->room(
			conns->settings.callbacks_ctx, conns->credential->topic);
	}
	judge_starvation(conns);
	connect_if_due(conns);
	set_timer(conns);
}

void credential_connections_flush(struct credential_connections *conns)
{
	for (size_t i = 0; i < conns->slot_count; i++)
		connection_flush(conns->slots[i].connection);
}

void credential_connections_retire(struct credential_connections *conns, const char *why)
{
	enter(conns, RETIRED);
	uv_timer_stop(&conns->timer);
	drain_all(conns, why);
	changed(conns);
}

void credential_connections_close(struct credential_connections *conns, const char *why)
{
	credential_connections_retire(conns, why);
	for (size_t i = 0; i < conns->slot_count; i++)
		connection_close(conns->slots[i].connection, why);
}

bool credential_connections_is_empty(const struct credential_connections *conns)
{
	return conns->slot_count == 0;
}

size_t credential_connections_in_flight(const struct credential_connections *conns)
{
	size_t n = 0;
	for (size_t i = 0; i < conns->slot_count; i++)
		n += connection_in_flight(conns->slots[i].connection);
	return n;
}

unsigned credential_connections_connections(const struct credential_connections *conns)
{
	unsigned n = 0;
	for (size_t i = 0; i < conns->slot_count; i++)
		n += connection_is_ready(conns->slots[i].connection);
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

/* While the dates keep pushes back, nothing else does. */
static const char *print_trouble(const struct credential_connections *conns, struct err *err)
{
	if (credential_check_dates(conns->credential, clock_unix_ms(), err))
		return err->text;
	return conns->trouble[0] ? conns->trouble : NULL;
}

static int64_t try_in_ms(const struct credential_connections *conns)
{
	int64_t wait_ms = conns->state == PROBING ? 0 : try_ms(conns) - now_ms(conns);
	if (!is_valid(conns))
		return -1;
	return wait_ms > 0 ? wait_ms : 0;
}

void credential_connections_describe(const struct credential_connections *conns,
	void (*each)(void *ctx, const struct sender_way *way), void *ctx)
{
	struct err dates;
	struct sender_link links[CONNECTIONS_MAX];
	char addresses[CONNECTIONS_MAX][INET6_ADDRSTRLEN];
	for (size_t i = 0; i < conns->slot_count; i++) {
		const struct connection *connection = conns->slots[i].connection;
		print_address(connection_address(connection), addresses[i], sizeof(addresses[i]));
		links[i] = (struct sender_link){.state = state_of(connection),
			.address = addresses[i],
			.in_flight = connection_in_flight(connection),
			.limit = connection_limit(connection)};
	}
	const struct sender_way way = {.credential = conns->credential,
		.trouble = print_trouble(conns, &dates),
		.is_held = is_held(conns),
		.held_ms = is_held(conns) ? now_ms(conns) - conns->held_since_ms : 0,
		.try_in_ms = try_in_ms(conns),
		.served_ms = conns->served_ms ? now_ms(conns) - conns->served_ms : -1,
		.links = links,
		.link_count = conns->slot_count};
	each(ctx, &way);
}

uint64_t credential_connections_answered(const struct credential_connections *conns)
{
	return conns->answered;
}
