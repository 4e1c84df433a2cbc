#include "daemon/systemd.h"

#include "base/mem.h"
#include "base/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TICK_MS 5000
#define STATUS_SIZE 512

struct systemd {
	int fd;
	struct sockaddr_un address;
	socklen_t address_size;
	bool is_watched;
	uv_timer_t timer;
	systemd_status_fn *describe;
	void *ctx;
	char status[STATUS_SIZE]; /* as last sent */
	bool is_ready;
	bool owes_ready; /* it must arrive, or systemd believes for good that the daemon starts or
			  * reloads
			  */
};

static int parse_address(const char *path, struct systemd *systemd, struct err *err)
{
	struct sockaddr_un *address = &systemd->address;
	size_t size = strlen(path);
	if ((*path != '/' && *path != '@') || size < 2 || size >= sizeof(address->sun_path))
		return err_set(err, -EINVAL,
			"NOTIFY_SOCKET '%.120s' is neither a path nor an abstract name of a "
			"socket; "
			"correct it where mailpushd is started",
			path);
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, size);
	if (*path == '@')
		address->sun_path[0] = '\0';
	/* A path may end with its NUL; an abstract name has exactly the length given. */
	systemd->address_size =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (*path == '/'));
	return 0;
}

/* How often to feed the watchdog, 0: not at all. */
static int parse_watchdog(const char *usec, const char *pid, uint64_t *ret_ms, struct err *err)
{
	int64_t number;
	*ret_ms = 0;
	if (!usec)
		return 0;
	if (pid && (!units_parse_number(pid, &number) || number != (int64_t)getpid()))
		return 0; /* meant for another process */
	if (!units_parse_number(usec, &number) || number < 2000)
		return err_set(err, -EINVAL,
			"WATCHDOG_USEC '%.40s' is not a number of at least 2000; correct it where "
			"mailpushd is started",
			usec);
	*ret_ms = (uint64_t)number / 2000;
	return 0;
}

static bool say(struct systemd *systemd, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool say(struct systemd *systemd, const char *format, ...)
{
	char text[STATUS_SIZE + 128];
	va_list args;
	va_start(args, format);
	int size = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return sendto(systemd->fd, text, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL,
		       (struct sockaddr *)&systemd->address, systemd->address_size) == size;
}

static void say_how_it_is(struct systemd *systemd)
{
	char status[STATUS_SIZE];
	systemd->describe(systemd->ctx, status, sizeof(status));
	if (systemd->owes_ready) {
		if (!say(systemd, "READY=1\nSTATUS=%s\n", status))
			return;
		systemd->owes_ready = false;
	} else if (!strcmp(status, systemd->status) || !say(systemd, "STATUS=%s\n", status)) {
		return;
	}
	strcpy(systemd->status, status);
}

static void on_tick(uv_timer_t *timer)
{
	struct systemd *systemd = timer->data;
	if (systemd->is_watched)
		say(systemd, "WATCHDOG=1\n");
	if (systemd->is_ready)
		say_how_it_is(systemd);
}

static void on_closed(uv_handle_t *handle)
{
	struct systemd *systemd = handle->data;
	close(systemd->fd);
	free(systemd);
}

static char *take_variable(const char *name)
{
	const char *value = getenv(name);
	char *taken = value && *value ? mem_dup(value) : NULL;
	unsetenv(name);
	return taken;
}

int systemd_new(uv_loop_t *loop, systemd_status_fn *status, void *ctx, struct systemd **ret,
	struct err *err)
{
	mem_auto char *path = take_variable("NOTIFY_SOCKET");
	mem_auto char *usec = take_variable("WATCHDOG_USEC");
	mem_auto char *pid = take_variable("WATCHDOG_PID");
	if (!path) {
		*ret = NULL;
		return 0;
	}
	mem_auto struct systemd *systemd = mem_alloc_zero(1, sizeof(*systemd));
	uint64_t feed_ms;
	int failed = parse_address(path, systemd, err);
	if (failed || (failed = parse_watchdog(usec, pid, &feed_ms, err)))
		return failed;
	systemd->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (systemd->fd < 0) {
		int code = errno;
		return err_set(
			err, -code, "cannot create a socket for NOTIFY_SOCKET: %s", strerror(code));
	}
	systemd->is_watched = feed_ms > 0;
	systemd->describe = status;
	systemd->ctx = ctx;
	uint64_t tick_ms = feed_ms && feed_ms < TICK_MS ? feed_ms : TICK_MS;
	uv_timer_init(loop, &systemd->timer);
	uv_unref((uv_handle_t *)&systemd->timer);
	systemd->timer.data = systemd;
	uv_timer_start(&systemd->timer, on_tick, tick_ms, tick_ms);
	*ret = mem_steal(systemd);
	return 0;
}

void systemd_free(struct systemd *systemd)
{
	if (systemd)
		uv_close((uv_handle_t *)&systemd->timer, on_closed);
}

void systemd_ready(struct systemd *systemd)
{
	if (!systemd)
		return;
	systemd->is_ready = true;
	systemd->owes_ready = true;
	say_how_it_is(systemd);
}

void systemd_reloading(struct systemd *systemd)
{
	if (!systemd)
		return;
	systemd->is_ready = false;
	say(systemd, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reloading\n",
		uv_hrtime() / 1000);
}

void systemd_stopping(struct systemd *systemd)
{
	if (!systemd)
		return;
	systemd->is_ready = false;
	say(systemd, "STOPPING=1\nSTATUS=stopping\n");
}
