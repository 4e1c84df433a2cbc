#include "daemon/signals.h"

#include <signal.h>
#include <stddef.h>

static const int numbers[SIGNALS_COUNT] = {SIGTERM, SIGINT, SIGHUP};

static void on_signal(uv_signal_t *handle, int number)
{
	const struct signals *signals = handle->data;
	signals->came(signals->ctx, number);
}

void signals_watch(struct signals *signals, uv_loop_t *loop, signals_fn *came, void *ctx)
{
	signals->came = came;
	signals->ctx = ctx;
	for (size_t i = 0; i < SIGNALS_COUNT; i++) {
		uv_signal_init(loop, &signals->watchers[i]);
		signals->watchers[i].data = signals;
		uv_signal_start(&signals->watchers[i], on_signal, numbers[i]);
	}
}

static void on_late_signal(uv_signal_t *handle, int number)
{
	(void)handle;
	(void)number;
}

/*
 * Without a watcher a signal has its default action, and a second SIGTERM would end the process
 * before all is closed and logged.  So a loop that nobody runs watches the signals until the very
 * end.
 */
void signals_ignore(void)
{
	static uv_loop_t loop;
	static uv_signal_t watchers[SIGNALS_COUNT];
	if (uv_loop_init(&loop))
		return;
	for (size_t i = 0; i < SIGNALS_COUNT; i++) {
		uv_signal_init(&loop, &watchers[i]);
		uv_signal_start(&watchers[i], on_late_signal, numbers[i]);
	}
}
