#include "wire.h"

#include "apns/dialer.h"
#include "apns/tls.h"
#include "apple.h"
#include "base/buf.h"
#include "base/mem.h"
#include "dice.h"
#include "sending.h"
#include "server.h"
#include "virtual.h"
#include "weather.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define FIRST_FD 10000000 /* no file has this descriptor */
#define CAPACITY 40000	  /* bytes that wait for a far end that does not read */
#define ADDRESSES 4

enum stage { GREETING, UP, REFUSED, BROKEN };

struct dialer {
	struct dialer *next;
	uint64_t number;
	struct dialer_settings settings;
	int64_t tried_ms;
	bool is_over;
};

struct tls {
	unsigned topic;
};

/* The near end takes it for an SSL. */
struct wire {
	struct wire *next;
	uint64_t number;
	unsigned topic;
	const void *near_end;
	enum stage stage;
	bool is_ended;
	uv_poll_t *poll;
	uv_poll_cb cb;
	int events;
	struct buf to_near, to_far;
	bool is_blocked;  /* the near end found no room */
	bool is_waking;	  /* the near end is woken soon */
	bool is_arriving; /* written bytes reach the far end soon */
	int error;	  /* of the last call of OpenSSL */
	struct server *server;
};

static struct dialer *dialers;
static const struct dialer *dialled; /* for which a wire is being made */
static struct wire *wires;
static uint64_t numbers;
static uint64_t made;

static int64_t way_ms(void)
{
	return dice_between(1, 20);
}

/* The dialer. */

static void free_over(void)
{
	for (struct dialer **at = &dialers; *at;) {
		struct dialer *dialer = *at;
		if (!dialer->is_over) {
			at = &dialer->next;
			continue;
		}
		*at = dialer->next;
		free(dialer);
	}
}

static void fail_to_dial(struct dialer *dialer)
{
	dialer->is_over = true;
	dialer->settings.done(dialer->settings.ctx, -1, NULL, "connection refused");
}

/* Before TLS the topic is unknown: a failure here counts as trouble of all topics. */
static void on_dialled(void *ctx, uint64_t number)
{
	(void)ctx;
	struct dialer *dialer = dialers;
	while (dialer && dialer->number != number)
		dialer = dialer->next;
	if (!dialer || dialer->is_over)
		return;
	bool is_nobody_there = true;
	for (unsigned topic = 0; topic < APPLE_TOPICS; topic++)
		is_nobody_there = is_nobody_there && weather_of(topic) == WEATHER_DOWN;
	if (is_nobody_there || (!weather_is_clear() && dice_once_in(30))) {
		for (unsigned topic = 0; topic < APPLE_TOPICS; topic++)
			sending_note_trouble(topic);
		if (dice_roll(3)) /* else nothing answers */
			fail_to_dial(dialer);
		return;
	}
	struct sockaddr_storage address = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)&address;
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(0x11000000 + dice_roll(ADDRESSES));
	dialer->is_over = true;
	dialled = dialer;
	dialer->settings.done(dialer->settings.ctx, FIRST_FD + (int)dialer->number, &address, NULL);
}

int dialer_start(uv_loop_t *loop, const struct dialer_settings *settings, struct dialer **ret,
	struct err *err)
{
	(void)loop;
	(void)err;
	free_over();
	struct dialer *dialer = mem_alloc_zero(1, sizeof(*dialer));
	dialer->next = dialers;
	dialer->number = ++numbers;
	dialer->settings = *settings;
	dialer->tried_ms = dice_once_in(100) ? 0 : virtual_now_ms();
	dialers = dialer;
	/* A name that is not resolved in time counts as a silent host. */
	if (dialer->tried_ms || weather_is_clear())
		virtual_in(2 * way_ms(), on_dialled, NULL, dialer->number);
	*ret = dialer;
	return 0;
}

void dialer_cancel(struct dialer *dialer)
{
	dialer->is_over = true;
	for (unsigned topic = 0; topic < APPLE_TOPICS; topic++)
		sending_note_trouble(topic);
}

int64_t dialer_tried_ms(const struct dialer *dialer)
{
	return dialer->tried_ms;
}

bool dialer_same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
		((const struct sockaddr_in *)b)->sin_addr.s_addr;
}

const char *dialer_address_text(
	const struct sockaddr_storage *address, char ret[DIALER_ADDRESS_SIZE])
{
	(void)address;
	return strcpy(ret, "");
}

/* The near end's readiness. */

static int events_of(const struct wire *wire)
{
	int events = 0;
	if (wire->to_near.used || wire->is_ended || wire->stage >= REFUSED)
		events |= UV_READABLE;
	if (wire->to_far.used < CAPACITY)
		events |= UV_WRITABLE;
	return events & wire->events;
}

static void wake(struct wire *wire);

static void wake_now(struct wire *wire)
{
	int events = events_of(wire);
	if (events)
		wire->cb(wire->poll, 0, events);
	/* While bytes are left unread, readiness is reported again. */
	wake(wire);
}

static void on_wake(void *ctx, uint64_t number)
{
	(void)ctx;
	struct wire *wire = wire_find(number);
	if (!wire)
		return;
	wire->is_waking = false;
	wake_now(wire);
}

static void wake(struct wire *wire)
{
	if (wire->is_waking || !events_of(wire))
		return;
	wire->is_waking = true;
	virtual_in(0, on_wake, NULL, wire->number);
}

int uv_poll_init(uv_loop_t *loop, uv_poll_t *handle, int fd)
{
	(void)loop;
	handle->type = UV_POLL;
	handle->u.fd = fd;
	return 0;
}

int uv_poll_start(uv_poll_t *handle, int events, uv_poll_cb cb)
{
	struct wire *wire = wire_find((uint64_t)(handle->u.fd - FIRST_FD));
	wire->poll = handle;
	wire->cb = cb;
	wire->events = events;
	wake(wire);
	return 0;
}

int uv_poll_stop(uv_poll_t *handle)
{
	struct wire *wire = wire_find((uint64_t)(handle->u.fd - FIRST_FD));
	if (wire)
		wire->events = 0;
	return 0;
}

/* TLS. */

int tls_trust(const char *ca_file, X509_STORE **ret, struct err *err)
{
	(void)ca_file;
	(void)err;
	*ret = X509_STORE_new();
	return 0;
}

int tls_identity_check(const struct tls_identity *identity, struct err *err)
{
	(void)identity;
	(void)err;
	return 0;
}

int tls_new(X509_STORE *trust, const struct credential *credential, const char *host,
	struct tls **ret, struct err *err)
{
	(void)trust;
	(void)host;
	(void)err;
	*ret = mem_alloc(sizeof(**ret));
	(*ret)->topic = apple_topic_of(credential->topic);
	return 0;
}

void tls_free(struct tls *tls)
{
	free(tls);
}

void tls_forget_session(struct tls *tls)
{
	(void)tls;
}

bool tls_is_h2(const SSL *ssl)
{
	(void)ssl;
	return true;
}

static void on_greeted(void *ctx, uint64_t number)
{
	(void)ctx;
	struct wire *wire = wire_find(number);
	if (!wire || wire->stage != GREETING)
		return;
	enum weather weather = weather_of(wire->topic);
	bool is_unlucky = !weather_is_clear() && dice_once_in(100);
	if (weather == WEATHER_DOWN || is_unlucky) {
		sending_note_trouble(wire->topic);
		if (dice_roll(2)) /* or nothing answers */
			wire->stage = BROKEN;
	} else if (weather == WEATHER_REFUSED && dice_once_in(3)) {
		sending_note_trouble(wire->topic);
		wire->stage = REFUSED;
		sending_note_refusal(wire->topic);
	} else {
		wire->stage = UP;
		wire->server = server_new(wire);
		made++;
		/* The last message of the handshake makes the socket readable. */
		if (wire->events)
			wire->cb(wire->poll, 0, UV_READABLE);
	}
	wake(wire);
}

SSL *tls_open(struct tls *tls, int fd)
{
	struct wire *wire = mem_alloc_zero(1, sizeof(*wire));
	wire->next = wires;
	wire->number = (uint64_t)(fd - FIRST_FD);
	wire->topic = tls->topic;
	wire->near_end = dialled->settings.ctx;
	buf_init(&wire->to_near);
	buf_init(&wire->to_far);
	wires = wire;
	virtual_in(2 * way_ms(), on_greeted, NULL, wire->number);
	return (SSL *)wire;
}

bool tls_explain(SSL *ssl, int result, int saved_errno, struct err *err)
{
	const struct wire *wire = (const struct wire *)ssl;
	(void)result;
	(void)saved_errno;
	err_set(err, -EIO, "the wire's end");
	return wire->stage == REFUSED;
}

/* The functions of OpenSSL that connection.c uses. */

static int fail(struct wire *wire, int error)
{
	wire->error = error;
	errno = error == SSL_ERROR_SYSCALL ? ECONNRESET : 0;
	return -1;
}

static int fail_by_stage(struct wire *wire)
{
	return fail(wire, wire->stage == REFUSED ? SSL_ERROR_SSL : SSL_ERROR_SYSCALL);
}

int SSL_do_handshake(SSL *ssl)
{
	struct wire *wire = (struct wire *)ssl;
	if (wire->stage == UP)
		return 1;
	return wire->stage == GREETING ? fail(wire, SSL_ERROR_WANT_READ) : fail_by_stage(wire);
}

int SSL_read(SSL *ssl, void *into, int size)
{
	struct wire *wire = (struct wire *)ssl;
	if (wire->stage != UP)
		return fail_by_stage(wire);
	if (!wire->to_near.used) {
		fail(wire, wire->is_ended ? SSL_ERROR_ZERO_RETURN : SSL_ERROR_WANT_READ);
		return wire->is_ended ? 0 : -1;
	}
	size_t n = wire->to_near.used < (size_t)size ? wire->to_near.used : (size_t)size;
	/* A TLS record may end anywhere. */
	if (n > 1 && dice_once_in(8))
		n = 1 + dice_roll((unsigned)n - 1);
	memcpy(into, wire->to_near.data, n);
	buf_consume(&wire->to_near, n);
	return (int)n;
}

static void on_arrival(void *ctx, uint64_t number)
{
	(void)ctx;
	struct wire *wire = wire_find(number);
	if (!wire)
		return;
	wire->is_arriving = false;
	if (!wire->server || !server_reads(wire->server))
		return;
	struct buf bytes = wire->to_far;
	buf_init(&wire->to_far);
	wake(wire);
	server_receive(wire->server, bytes.data, bytes.used);
	buf_fini(&bytes);
}

static void arrive(struct wire *wire)
{
	if (wire->is_arriving)
		return;
	wire->is_arriving = true;
	virtual_in(way_ms(), on_arrival, NULL, wire->number);
}

int SSL_write(SSL *ssl, const void *bytes, int size)
{
	struct wire *wire = (struct wire *)ssl;
	if (wire->stage != UP)
		return fail_by_stage(wire);
	if (wire->to_far.used >= CAPACITY) {
		wire->is_blocked = true;
		return fail(wire, SSL_ERROR_WANT_WRITE);
	}
	wire->is_blocked = false;
	buf_append(&wire->to_far, bytes, (size_t)size);
	arrive(wire);
	return size;
}

int SSL_get_error(const SSL *ssl, int result)
{
	(void)result;
	return ((const struct wire *)ssl)->error;
}

int SSL_session_reused(const SSL *ssl)
{
	(void)ssl;
	return 0;
}

const char *SSL_get_version(const SSL *ssl)
{
	(void)ssl;
	return "TLSv1.3";
}

int SSL_shutdown(SSL *ssl)
{
	(void)ssl;
	return 0;
}

void SSL_free(SSL *ssl)
{
	struct wire *wire = (struct wire *)ssl;
	if (!wire)
		return;
	struct wire **at = &wires;
	while (*at != wire)
		at = &(*at)->next;
	*at = wire->next;
	server_free(wire->server);
	buf_fini(&wire->to_near);
	buf_fini(&wire->to_far);
	free(wire);
}

/* The far end. */

static void on_sent(void *ctx, uint64_t number)
{
	(void)ctx;
	struct wire *wire = wire_find(number);
	if (!wire)
		return;
	wire->is_waking = false;
	wake_now(wire);
}

void wire_send(struct wire *wire, const void *bytes, size_t size)
{
	buf_append(&wire->to_near, bytes, size);
	if (wire->is_waking)
		return;
	wire->is_waking = true;
	virtual_in(way_ms(), on_sent, NULL, wire->number);
}

void wire_resume(struct wire *wire)
{
	arrive(wire);
}

void wire_end(struct wire *wire, bool is_broken)
{
	sending_note_trouble(wire->topic);
	wire->is_ended = true;
	if (is_broken)
		wire->stage = BROKEN;
	wake(wire);
}

bool wire_is_drained(const struct wire *wire)
{
	return !wire->is_blocked;
}

const void *wire_near_end(const struct wire *wire)
{
	return wire->near_end;
}

unsigned wire_topic(const struct wire *wire)
{
	return wire->topic;
}

struct server *wire_server(const struct wire *wire)
{
	return wire->stage == UP && !wire->is_ended ? wire->server : NULL;
}

struct wire *wire_next(const struct wire *wire)
{
	return wire ? wire->next : wires;
}

struct wire *wire_find(uint64_t number)
{
	struct wire *wire = wires;
	while (wire && wire->number != number)
		wire = wire->next;
	return wire;
}

uint64_t wire_number(const struct wire *wire)
{
	return wire->number;
}

void wires_break(unsigned topic)
{
	for (struct wire *wire = wires; wire; wire = wire->next) {
		if (wire->topic == topic)
			wire_end(wire, true);
	}
}

void wires_end(void)
{
	for (struct wire *wire = wires; wire; wire = wire->next) {
		wire->stage = BROKEN;
		wake_now(wire);
	}
	for (struct dialer *dialer = dialers; dialer; dialer = dialer->next) {
		if (!dialer->is_over)
			fail_to_dial(dialer);
	}
	free_over();
}

uint64_t wires_made(void)
{
	return made;
}
