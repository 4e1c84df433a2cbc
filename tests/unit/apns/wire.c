#include "wire.h"

#include "apns/sender.h"

#include "apns/session.h"
#include "base/mem.h"

#include <assert.h>
#include <openssl/ec.h>
#include <string.h>

struct connection {
	struct connection_settings settings;
	struct session *session;
	struct buf written;
	enum { STARTING, READY, DRAINING, CLOSED } state;
	enum connection_end end;
};

static struct connection *newest;
static const struct wire *world;

struct connection *connection_new(uv_loop_t *loop, const struct connection_settings *settings)
{
	struct connection *connection = mem_alloc_zero(1, sizeof(*connection));
	(void)loop;
	connection->settings = *settings;
	connection->session = session_new(settings->authority, settings->sender->priority);
	buf_init(&connection->written);
	newest = connection;
	settings->changed(settings->ctx);
	return connection;
}

void connection_free(struct connection *connection)
{
	assert(connection->state == CLOSED);
	if (newest == connection)
		newest = NULL;
	session_free(connection->session);
	buf_fini(&connection->written);
	free(connection);
}

bool connection_is_ready(const struct connection *connection)
{
	return connection->state == READY;
}

bool connection_is_starting(const struct connection *connection)
{
	return connection->state == STARTING;
}

bool connection_works(const struct connection *connection)
{
	return session_is_acknowledged(connection->session);
}

bool connection_is_closed(const struct connection *connection)
{
	return connection->state == CLOSED;
}

enum connection_end connection_end(const struct connection *connection, const char **ret_why)
{
	*ret_why = "as the test wanted";
	return connection->end;
}

const struct sockaddr_storage *connection_address(const struct connection *connection)
{
	(void)connection;
	return NULL;
}

size_t connection_room(const struct connection *connection)
{
	return connection->state == READY ? session_room(connection->session) : 0;
}

size_t connection_limit(const struct connection *connection)
{
	return connection->state == READY ? session_limit(connection->session) : 0;
}

size_t connection_in_flight(const struct connection *connection)
{
	return session_in_flight(connection->session);
}

void connection_push(struct connection *connection, struct sender_push *push)
{
	assert(connection->state == READY);
	push->sent_ms = (int64_t)uv_now(&world->loop);
	session_push(connection->session, push);
}

struct sender_push *connection_take_finished(struct connection *connection)
{
	return session_take_finished(connection->session);
}

static void finish(struct connection *connection, enum connection_end end)
{
	if (connection->state == CLOSED)
		return;
	connection->state = CLOSED;
	connection->end = end;
	session_lose(connection->session);
	connection->settings.changed(connection->settings.ctx);
}

void connection_flush(struct connection *connection)
{
	struct err err;
	if (connection->state == CLOSED)
		return;
	if (connection->state == STARTING)
		connection->state = READY;
	if (session_is_worn(connection->session))
		connection->state = DRAINING;
	if (session_gather(connection->session, &connection->written, SIZE_MAX, &err) < 0 ||
		session_is_over(connection->session))
		finish(connection, CONNECTION_LOST);
	else if (connection->state == DRAINING && session_in_flight(connection->session) == 0)
		finish(connection, CONNECTION_LEFT);
}

void connection_drain(struct connection *connection, const char *why)
{
	if (connection->state == READY)
		connection->state = DRAINING;
	else if (connection->state == STARTING)
		connection_close(connection, why);
}

void connection_close(struct connection *connection, const char *why)
{
	(void)why;
	finish(connection, CONNECTION_LEFT);
}

/* The server. */

static void nothing(void *ctx)
{
	(void)ctx;
}

void wire_start(struct wire *wire, const struct sender_callbacks *callbacks, void *ctx)
{
	static EVP_PKEY *key;
	static X509_STORE *trust;
	if (!key)
		key = EVP_EC_gen("P-256");
	if (!trust)
		trust = X509_STORE_new();
	EVP_PKEY_up_ref(key);
	*wire = (struct wire){0};
	world = wire;
	newest = NULL;
	uv_loop_init(&wire->loop);
	sender_settings_init(&wire->settings);
	wire->settings.host = "localhost";
	wire->settings.backoff_min_ms = wire->settings.backoff_max_ms = 1000;
	wire->providers.renew_ms = wire->providers.renew_least_ms = INT64_MAX;
	struct credential *credential = mem_alloc_zero(1, sizeof(*credential));
	*credential = (struct credential){.shares = 1,
		.name = mem_dup("main"),
		.file = mem_dup("a token key"),
		.topic = mem_dup(WIRE_TOPIC),
		.key = key,
		.key_id = "ABCDEFGHIJ",
		.team_id = "ABCDEFGHIJ",
		.not_before_unix_ms = INT64_MIN,
		.not_after_unix_ms = INT64_MAX};
	const struct credential_connections_settings settings = {.loop = &wire->loop,
		.sender = &wire->settings,
		.authority = "localhost",
		.trust = trust,
		.callbacks = callbacks,
		.callbacks_ctx = ctx,
		.changed = nothing,
		.next_connection_id = &wire->connections,
		.providers = &wire->providers};
	wire->credential = credential;
	wire->conns = credential_connections_new(&settings, credential);
}

void wire_turn(struct wire *wire)
{
	credential_connections_answer(wire->conns);
	credential_connections_offer_room(wire->conns);
	credential_connections_flush(wire->conns);
}

/* The loop itself does not run, so its time is ours. */
void wire_pass(struct wire *wire, int64_t ms)
{
	wire->loop.time += (uint64_t)ms;
}

void wire_expire(struct wire *wire, bool is_expired)
{
	wire->credential->not_after_unix_ms = is_expired ? 0 : INT64_MAX;
}

void wire_stop(struct wire *wire)
{
	credential_connections_close(wire->conns, "the end");
	credential_connections_answer(wire->conns);
	assert(credential_connections_is_empty(wire->conns));
	credential_connections_free(wire->conns);
	uv_run(&wire->loop, UV_RUN_DEFAULT);
	int busy = uv_loop_close(&wire->loop);
	assert(!busy);
	(void)busy;
}

bool wire_is_open(void)
{
	return newest && newest->state != CLOSED;
}

struct buf *wire_written(void)
{
	return &newest->written;
}

void wire_say(const void *bytes, size_t size)
{
	struct err err;
	if (!wire_is_open())
		return;
	if (session_receive(newest->session, bytes, size, &err) < 0) {
		finish(newest, CONNECTION_LOST);
		return;
	}
	const struct session_goaway *goaway = session_goaway(newest->session);
	if (goaway && verdict_is_refusal(goaway->reason))
		finish(newest, CONNECTION_REFUSED);
	else if (goaway && newest->state == READY)
		newest->state = DRAINING;
	else if (session_is_refusing(newest->session))
		finish(newest, CONNECTION_LOST);
}

void wire_give_up_oldest(void)
{
	if (wire_is_open() && session_oldest(newest->session))
		session_give_up(newest->session, session_oldest(newest->session), APNS_SILENT);
}

void wire_break(void)
{
	if (wire_is_open())
		finish(newest, CONNECTION_LOST);
}
