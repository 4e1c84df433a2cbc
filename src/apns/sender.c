/*
 * sender.c finds the connections (credential_connections.h) of a topic.  At the end of each turn of
 * the loop in which something changed, in a uv_prepare handle, all of them give out answers, offer
 * room and write.  An idle handle beside it keeps the loop from waiting while there is work.
 */
#include "apns/sender.h"

#include "apns/credential_connections.h"
#include "base/mem.h"

#include <assert.h>
#include <signal.h>
#include <string.h>

#define HANDLES 3
#define HTTPS_PORT 443

/* Where Apple is, and how it is reached; connections borrow it. */
struct place {
	struct place *before; /* perhaps of connections that are retired */
	struct sender_settings settings;
	char *host;
	char *proxy_host, *proxy_login; /* or NULL */
	char *authority;
	X509_STORE *trust;
	struct credential_connections_settings of_connections;
};

struct sender {
	uv_loop_t *loop;
	struct place *place; /* in force */
	struct sender_callbacks callbacks;
	void *ctx;
	struct provider_list providers;
	unsigned next_connection_id;

	struct credential_connections **ways; /* in force */
	size_t way_count;
	struct credential_connections **retired; /* retired, with pushes in flight */
	size_t retired_count;
	uint64_t sent;
	uint64_t answered_by_freed; /* of credentials that are gone */

	uv_prepare_t end_of_turn;
	uv_idle_t again;
	bool is_changed;

	uv_timer_t stop_timer;
	bool is_stopping;
	void (*stopped)(void *ctx);
	void *stopped_ctx;
	unsigned open_handles;
};

void sender_settings_init(struct sender_settings *settings)
{
	*settings = (struct sender_settings){
		.connections = 4,
		.push_deadline_ms = 20 * 1000,
		.ping_silence_ms = 15 * 1000,
		.ping_idle_ms = 5 * 60 * 1000,
		.ping_doubt_ms = 60 * 1000,
		.ping_timeout_ms = 5 * 1000,
		.next_address_ms = 2 * 1000,
		.connect_timeout_ms = 15 * 1000,
		.backoff_min_ms = 1000,
		.backoff_max_ms = 60 * 1000,
		.hold_probe_ms = 5 * 60 * 1000,
		.hurry_least_ms = 10 * 1000,
		.outage_ms = 5 * 60 * 1000,
		.proven_ms = 24 * 60 * 60 * 1000,
		.token_renew_ms = 50 * 60 * 1000,
		.token_least_ms = 20 * 60 * 1000,
	};
}

static void place_free(struct place *place)
{
	X509_STORE_free(place->trust);
	free(place->authority);
	free(place->host);
	free(place->proxy_host);
	free(place->proxy_login);
	free(place);
}

/* Those of before, whose connections are gone. */
static void free_left_places(struct sender *sender)
{
	while (sender->place->before) {
		struct place *place = sender->place->before;
		sender->place->before = place->before;
		place_free(place);
	}
}

static void free_way(struct sender *sender, struct credential_connections *way)
{
	sender->answered_by_freed += credential_connections_answered(way);
	credential_connections_free(way);
}

static void bury_retired(struct sender *sender)
{
	for (size_t i = 0; i < sender->retired_count;) {
		struct credential_connections *way = sender->retired[i];
		if (!credential_connections_is_empty(way)) {
			i++;
			continue;
		}
		sender->retired[i] = sender->retired[--sender->retired_count];
		free_way(sender, way);
	}
}

/* A callback may change the list: a copy is walked, and nothing is freed meanwhile. */
static void each_of_all(struct sender *sender, void (*function)(struct credential_connections *way))
{
	size_t count = sender->way_count + sender->retired_count;
	mem_auto struct credential_connections **ways = mem_alloc(count * sizeof(*ways) + 1);
	for (size_t i = 0; i < count; i++)
		ways[i] = i < sender->way_count ? sender->ways[i]
						: sender->retired[i - sender->way_count];
	for (size_t i = 0; i < count; i++)
		function(ways[i]);
}

static size_t in_flight(const struct sender *sender)
{
	size_t n = 0;
	for (size_t i = 0; i < sender->way_count; i++)
		n += credential_connections_in_flight(sender->ways[i]);
	for (size_t i = 0; i < sender->retired_count; i++)
		n += credential_connections_in_flight(sender->retired[i]);
	return n;
}

static void on_again(uv_idle_t *idle)
{
	(void)idle;
}

static void on_end_of_turn(uv_prepare_t *prepare)
{
	struct sender *sender = prepare->data;

	sender->is_changed = false;
	each_of_all(sender, credential_connections_answer);
	each_of_all(sender, credential_connections_offer_room);
	each_of_all(sender, credential_connections_flush);
	bury_retired(sender);
	if (!sender->retired_count)
		free_left_places(sender);
	if (!sender->is_changed) {
		uv_prepare_stop(&sender->end_of_turn);
		uv_idle_stop(&sender->again);
	}
	if (sender->is_stopping && sender->stopped && sender->way_count == 0 &&
		sender->retired_count == 0) {
		void (*stopped)(void *ctx) = mem_steal(sender->stopped);
		uv_timer_stop(&sender->stop_timer);
		stopped(sender->stopped_ctx); /* may free us */
	}
}

static void on_changed(void *ctx)
{
	struct sender *sender = ctx;
	if (sender->is_changed)
		return;
	sender->is_changed = true;
	uv_prepare_start(&sender->end_of_turn, on_end_of_turn);
	uv_idle_start(&sender->again, on_again);
}

/* RFC 3986: an IPv6 address is in brackets; the usual port is left out. */
static char *make_authority(const char *host, uint16_t port)
{
	const char *open = strchr(host, ':') ? "[" : "";
	const char *close = *open ? "]" : "";
	if (port == HTTPS_PORT)
		return mem_printf("%s%s%s", open, host, close);
	return mem_printf("%s%s%s:%u", open, host, close, (unsigned)port);
}

static struct place *place_new(
	struct sender *sender, const struct sender_settings *settings, X509_STORE *trust)
{
	struct place *place = mem_alloc_zero(1, sizeof(*place));
	place->settings = *settings;
	place->settings.host = place->host = mem_dup(settings->host);
	place->settings.ca_file = NULL;
	if (settings->proxy_host)
		place->settings.proxy_host = place->proxy_host = mem_dup(settings->proxy_host);
	if (settings->proxy_login)
		place->settings.proxy_login = place->proxy_login = mem_dup(settings->proxy_login);
	place->authority = make_authority(settings->host, settings->port);
	place->trust = trust;
	place->of_connections = (struct credential_connections_settings){
		.loop = sender->loop,
		.sender = &place->settings,
		.authority = place->authority,
		.trust = trust,
		.callbacks = &sender->callbacks,
		.callbacks_ctx = sender->ctx,
		.changed = on_changed,
		.ctx = sender,
		.next_connection_id = &sender->next_connection_id,
		.providers = &sender->providers,
	};
	return place;
}

int sender_new(uv_loop_t *loop, const struct sender_settings *settings,
	const struct sender_callbacks *callbacks, void *ctx, struct sender **ret, struct err *err)
{
	X509_STORE *trust;
	int r = tls_trust(settings->ca_file, &trust, err);
	if (r < 0)
		return r;
	/* OpenSSL uses write(2): without this, a peer that is gone would end the process. */
	signal(SIGPIPE, SIG_IGN);

	struct sender *sender = mem_alloc_zero(1, sizeof(*sender));
	sender->loop = loop;
	sender->callbacks = *callbacks;
	sender->ctx = ctx;
	sender->providers.renew_ms = settings->token_renew_ms;
	sender->providers.renew_least_ms = settings->token_least_ms;
	sender->place = place_new(sender, settings, trust);
	uv_prepare_init(loop, &sender->end_of_turn);
	uv_idle_init(loop, &sender->again);
	uv_timer_init(loop, &sender->stop_timer);
	sender->end_of_turn.data = sender->again.data = sender->stop_timer.data = sender;
	sender->open_handles = HANDLES;
	*ret = sender;
	return 0;
}

static struct credential_connections *way_of(const struct sender *sender, const char *topic)
{
	for (size_t i = 0; i < sender->way_count; i++) {
		if (strcmp(credential_connections_credential(sender->ways[i])->topic, topic) == 0)
			return sender->ways[i];
	}
	return NULL;
}

static void retire(struct sender *sender, struct credential_connections *way, const char *why)
{
	sender->retired = mem_realloc_array(
		sender->retired, sender->retired_count + 1, sizeof(*sender->retired));
	sender->retired[sender->retired_count++] = way;
	credential_connections_retire(way, why);
}

static struct credential_connections *take_lane_with(
	struct credential_connections **ways, size_t count, const struct credential *credential)
{
	for (size_t i = 0; i < count; i++) {
		if (ways[i] &&
			credential_equal(credential_connections_credential(ways[i]), credential))
			return mem_steal(ways[i]);
	}
	return NULL;
}

void sender_set_credentials(struct sender *sender, struct credential **credentials, size_t count)
{
	if (sender->is_stopping) { /* of a reload during the stop */
		for (size_t i = 0; i < count; i++)
			credential_free(credentials[i]);
		return;
	}
	mem_auto struct credential_connections **before = mem_steal(sender->ways);
	size_t before_count = sender->way_count;
	sender->ways = mem_alloc_zero(count + 1, sizeof(struct credential_connections *));
	sender->way_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct credential_connections *way =
			take_lane_with(before, before_count, credentials[i]);
		if (!way)
			continue;
		sender->ways[sender->way_count++] = way;
		credential_free(mem_steal(credentials[i]));
	}
	/* Before a new one of the same name reports its state. */
	for (size_t i = 0; i < before_count; i++) {
		if (!before[i])
			continue;
		credential_connections_end_trouble(before[i]);
		retire(sender, before[i], "another credential took its place");
	}
	for (size_t i = 0; i < count; i++) {
		if (!credentials[i])
			continue;
		struct credential_connections *way =
			credential_connections_new(&sender->place->of_connections, credentials[i]);
		sender->ways[sender->way_count++] = way;
	}
	on_changed(sender);
}

void sender_set(struct sender *sender, const struct sender_settings *settings, X509_STORE *trust)
{
	struct place *place = place_new(sender, settings, trust);
	place->before = sender->place;
	sender->place = place;
	for (size_t i = 0; i < sender->way_count; i++) {
		struct credential_connections *way = sender->ways[i];
		struct credential *credential =
			credential_ref((struct credential *)credential_connections_credential(way));
		credential_connections_end_trouble(way);
		retire(sender, way, "the settings changed");
		sender->ways[i] = credential_connections_new(&place->of_connections, credential);
	}
	on_changed(sender);
}

bool sender_has_credential(const struct sender *sender, const char *topic)
{
	return way_of(sender, topic) != NULL;
}

size_t sender_room(struct sender *sender, const char *topic)
{
	struct credential_connections *way = way_of(sender, topic);
	return way ? credential_connections_room(way) : 0;
}

bool sender_push(struct sender *sender, struct sender_push *push)
{
	struct credential_connections *way = way_of(sender, push->topic);
	bool is_taken = way && credential_connections_push(way, push);
	sender->sent += is_taken;
	return is_taken;
}

void sender_hold(struct sender *sender, const char *topic, const char *why)
{
	struct credential_connections *way = way_of(sender, topic);
	if (way)
		credential_connections_hold(way, why);
}

void sender_hurry(struct sender *sender)
{
	for (size_t i = 0; i < sender->way_count; i++)
		credential_connections_hurry(sender->ways[i]);
}

void sender_clock_set(struct sender *sender)
{
	for (size_t i = 0; i < sender->way_count; i++)
		credential_connections_probe_now(sender->ways[i]);
}

void sender_count(const struct sender *sender, struct sender_counts *ret)
{
	*ret = (struct sender_counts){.in_flight = in_flight(sender),
		.sent = sender->sent,
		.answered = sender->answered_by_freed};
	for (size_t i = 0; i < sender->way_count; i++) {
		ret->connections += credential_connections_connections(sender->ways[i]);
		ret->answered += credential_connections_answered(sender->ways[i]);
	}
	for (size_t i = 0; i < sender->retired_count; i++)
		ret->answered += credential_connections_answered(sender->retired[i]);
}

void sender_each_way(const struct sender *sender,
	void (*each)(void *ctx, const struct sender_way *way), void *ctx)
{
	for (size_t i = 0; i < sender->way_count; i++)
		credential_connections_describe(sender->ways[i], each, ctx);
}

static void on_stop_timer(uv_timer_t *timer)
{
	struct sender *sender = timer->data;
	for (size_t i = 0; i < sender->retired_count; i++)
		credential_connections_close(
			sender->retired[i], "no time left to wait for answers");
	on_changed(sender);
}

void sender_stop(struct sender *sender, int64_t within_ms, void (*done)(void *ctx), void *ctx)
{
	assert(!sender->is_stopping);
	sender->is_stopping = true;
	sender->stopped = done;
	sender->stopped_ctx = ctx;
	for (size_t i = 0; i < sender->way_count; i++)
		retire(sender, sender->ways[i], "stopping");
	sender->way_count = 0;
	uv_timer_start(&sender->stop_timer, on_stop_timer, (uint64_t)within_ms, 0);
	on_changed(sender);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct sender *sender = handle->data;
	if (--sender->open_handles > 0)
		return;
	free_left_places(sender);
	place_free(sender->place);
	free(sender->ways);
	free(sender->retired);
	free(sender);
}

void sender_free(struct sender *sender)
{
	if (!sender)
		return;
	assert(sender->is_stopping && !sender->stopped);
	uv_close((uv_handle_t *)&sender->end_of_turn, on_handle_closed);
	uv_close((uv_handle_t *)&sender->again, on_handle_closed);
	uv_close((uv_handle_t *)&sender->stop_timer, on_handle_closed);
}
