#include "apns/dialer.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct attempt {
	struct dialer *dialer;
	const struct sockaddr_storage *address;
	uv_poll_t poll;
	int fd; /* -1: not open (any more) */
};

struct dialer {
	uv_loop_t *loop;
	struct dialer_settings settings;
	uv_getaddrinfo_t request;
	uv_timer_t next;
	struct sockaddr_storage addresses[DIALER_ADDRESSES_MAX];
	struct attempt attempts[DIALER_ADDRESSES_MAX];
	size_t address_count;
	size_t tried;	  /* attempts begun */
	int64_t tried_ms; /* when the last of them was */
	unsigned trying;  /* attempts not ended */
	unsigned pending; /* callbacks of the loop to come */
	bool is_over;
	int failure; /* errno of the last attempt */
};

static void unpend(struct dialer *dialer)
{
	assert(dialer->pending > 0);
	if (--dialer->pending == 0 && dialer->is_over)
		free(dialer);
}

static void on_timer_closed(uv_handle_t *handle)
{
	unpend(handle->data);
}

static void on_attempt_closed(uv_handle_t *handle)
{
	struct attempt *attempt = handle->data;
	if (attempt->fd >= 0)
		close(attempt->fd);
	unpend(attempt->dialer);
}

static void end_attempt(struct attempt *attempt)
{
	if (!uv_is_closing((uv_handle_t *)&attempt->poll)) {
		attempt->dialer->trying--;
		uv_close((uv_handle_t *)&attempt->poll, on_attempt_closed);
	}
}

static void end(struct dialer *dialer)
{
	assert(!dialer->is_over);
	dialer->is_over = true;
	uv_cancel((uv_req_t *)&dialer->request);
	uv_close((uv_handle_t *)&dialer->next, on_timer_closed);
	for (size_t i = 0; i < dialer->tried; i++) {
		if (dialer->attempts[i].fd >= 0)
			end_attempt(&dialer->attempts[i]);
	}
}

static void succeed(struct attempt *attempt)
{
	struct dialer *dialer = attempt->dialer;
	int fd = attempt->fd;
	end_attempt(attempt);
	attempt->fd = -1;
	end(dialer);
	dialer->settings.done(dialer->settings.ctx, fd, attempt->address, NULL);
}

static void fail(struct dialer *dialer, const char *failure)
{
	end(dialer);
	dialer->settings.done(dialer->settings.ctx, -1, NULL, failure);
}

static void try_next(struct dialer *dialer);

static void on_next(uv_timer_t *timer)
{
	try_next(timer->data);
}

static void on_writable(uv_poll_t *poll, int status, int events)
{
	struct attempt *attempt = poll->data;
	struct dialer *dialer = attempt->dialer;
	int failure = 0;
	socklen_t size = sizeof(failure);
	(void)events;
	if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &failure, &size) < 0)
		failure = errno;
	if (failure == 0 && status < 0)
		failure = -status;
	if (failure == 0) {
		succeed(attempt);
		return;
	}
	dialer->failure = failure;
	end_attempt(attempt);
	try_next(dialer);
}

/* Returns whether the attempt goes on. */
static bool begin_attempt(struct dialer *dialer, size_t index)
{
	struct attempt *attempt = &dialer->attempts[index];
	attempt->dialer = dialer;
	attempt->address = &dialer->addresses[index];
	attempt->fd =
		socket(attempt->address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (attempt->fd < 0) {
		dialer->failure = errno;
		return false;
	}
	int on = 1;
	setsockopt(attempt->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	socklen_t size = attempt->address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
								 : sizeof(struct sockaddr_in);
	if ((connect(attempt->fd, (const struct sockaddr *)attempt->address, size) < 0 &&
		    errno != EINPROGRESS) ||
		uv_poll_init(dialer->loop, &attempt->poll, attempt->fd) < 0) {
		dialer->failure = errno;
		close(attempt->fd);
		attempt->fd = -1;
		return false;
	}
	attempt->poll.data = attempt;
	dialer->pending++;
	dialer->trying++;
	uv_poll_start(&attempt->poll, UV_WRITABLE, on_writable);
	return true;
}

static void try_next(struct dialer *dialer)
{
	while (dialer->tried < dialer->address_count) {
		dialer->tried_ms = (int64_t)uv_now(dialer->loop);
		if (begin_attempt(dialer, dialer->tried++)) {
			uv_timer_start(&dialer->next, on_next,
				(uint64_t)dialer->settings.next_after_ms, 0);
			return;
		}
	}
	if (dialer->trying == 0) {
		struct err err;
		err_set(&err, -EIO,
			"cannot connect to %s port %u: %s; check the network and firewall",
			dialer->settings.host, (unsigned)dialer->settings.port,
			strerror(dialer->failure));
		fail(dialer, err.text);
	}
}

static void take_addresses(struct dialer *dialer, const struct addrinfo *found)
{
	for (; found && dialer->address_count < DIALER_ADDRESSES_MAX; found = found->ai_next) {
		if (found->ai_family == AF_INET || found->ai_family == AF_INET6)
			memcpy(&dialer->addresses[dialer->address_count++], found->ai_addr,
				found->ai_addrlen);
	}
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
	struct dialer *dialer = request->data;
	if (!dialer->is_over) {
		take_addresses(dialer, found);
		if (dialer->address_count > 0) {
			dialer_order(dialer->addresses, dialer->address_count,
				dialer->settings.rotation, dialer->settings.in_use,
				dialer->settings.ctx);
			try_next(dialer);
		} else {
			struct err err;
			err_set(&err, -EIO, "cannot resolve '%s': %s; check %s and DNS",
				dialer->settings.host,
				status < 0 ? uv_strerror(status) : "it has no address",
				dialer->settings.key);
			fail(dialer, err.text);
		}
	}
	uv_freeaddrinfo(found);
	unpend(dialer);
}

int dialer_start(uv_loop_t *loop, const struct dialer_settings *settings, struct dialer **ret,
	struct err *err)
{
	struct dialer *dialer = mem_alloc_zero(1, sizeof(*dialer));
	dialer->loop = loop;
	dialer->settings = *settings;
	dialer->request.data = dialer;

	char port[8];
	snprintf(port, sizeof(port), "%u", (unsigned)settings->port);
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	int r = uv_getaddrinfo(loop, &dialer->request, on_resolved, settings->host, port, &hints);
	if (r < 0) {
		free(dialer);
		return err_set(err, r, "cannot resolve '%s': %s; check %s", settings->host,
			uv_strerror(r), settings->key);
	}
	uv_timer_init(loop, &dialer->next);
	dialer->next.data = dialer;
	dialer->pending = 2;
	*ret = dialer;
	return 0;
}

void dialer_cancel(struct dialer *dialer)
{
	if (dialer)
		end(dialer);
}

int64_t dialer_tried_ms(const struct dialer *dialer)
{
	return dialer->tried_ms;
}

/* Moves the address at `from` to the earlier place `to`, keeping the order of the rest. */
static void move_up(struct sockaddr_storage *addresses, size_t to, size_t from)
{
	struct sockaddr_storage moved = addresses[from];
	memmove(&addresses[to + 1], &addresses[to], (from - to) * sizeof(*addresses));
	addresses[to] = moved;
}

void dialer_order(struct sockaddr_storage *addresses, size_t count, unsigned rotation,
	dialer_in_use_fn *in_use, void *ctx)
{
	for (size_t i = 0; count > 0 && i < rotation % count; i++)
		move_up(addresses, 0, count - 1);
	for (size_t i = 1; i < count; i++) {
		size_t other = i;
		while (other < count && addresses[other].ss_family == addresses[i - 1].ss_family)
			other++;
		if (other < count)
			move_up(addresses, i, other);
	}
	size_t unused = 0;
	for (size_t i = 0; in_use && i < count; i++) {
		if (!in_use(ctx, &addresses[i]))
			move_up(addresses, unused++, i);
	}
}

bool dialer_same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET6)
		return memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
			       &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr,
			       sizeof(struct in6_addr)) == 0;
	return a->ss_family == AF_INET &&
		((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr ==
		((const struct sockaddr_in *)(const void *)b)->sin_addr.s_addr;
}

const char *dialer_address_text(
	const struct sockaddr_storage *address, char ret[DIALER_ADDRESS_SIZE])
{
	const void *bytes = address->ss_family == AF_INET6
		? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
		: (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
	if (!inet_ntop(address->ss_family, bytes, ret, DIALER_ADDRESS_SIZE))
		return "?";
	return ret;
}
