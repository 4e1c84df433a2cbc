#include "base/alarm.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME_MAX_BYTES 100
#define REPEAT_MS (24 * 60 * 60 * 1000)

struct alarm {
	struct alarm *next;
	char *name;
	char *text;
	int64_t since_unix_ms;
	uv_timer_t repeat;
};

struct call {
	struct call *next;
	char *words[5]; /* command, begin|end, name, text, NULL */
};

static struct {
	uv_loop_t *loop;
	char *command;
	struct alarm *standing;
	struct call *calls; /* oldest first; the first is the one that runs */
	size_t waiting;	    /* those of them that wait */
	uv_process_t process;
	uv_timer_t limit;
	int64_t limit_ms;
	unsigned open; /* the handles of the two that are not closed yet */
} state = {.limit_ms = ALARM_COMMAND_MS};

static void free_call(struct call *call)
{
	for (char **word = call->words; *word; word++)
		free(*word);
	free(call);
}

static void run_next(void);

static void on_handle_closed(uv_handle_t *handle)
{
	(void)handle;
	if (--state.open)
		return;
	struct call *call = state.calls;
	if (call) {
		state.calls = call->next;
		free_call(call);
	}
	if (state.loop)
		run_next();
}

static void close_handles(void)
{
	uv_close((uv_handle_t *)&state.process, on_handle_closed);
	uv_close((uv_handle_t *)&state.limit, on_handle_closed);
}

static void on_limit(uv_timer_t *timer)
{
	(void)timer;
	log_event(LOG_LEVEL_WARN, "alarm", "alarm_command takes too long and is killed",
		log_text("command", state.command), log_number("after_ms", state.limit_ms));
	/* It leads a group of its own. */
	uv_kill(-state.process.pid, SIGKILL);
}

static void on_ended(uv_process_t *process, int64_t status, int signal)
{
	(void)process;
	if (status || signal)
		log_event(LOG_LEVEL_WARN, "alarm", "alarm_command failed",
			log_text("command", state.command), log_number("status", status),
			log_number("signal", signal));
	close_handles();
}

static void run_next(void)
{
	if (state.open || !state.calls)
		return;
	uv_stdio_container_t stdio[] = {{.flags = UV_IGNORE},
		{.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
		{.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO}};
	uv_process_options_t options = {.file = state.calls->words[0],
		.args = state.calls->words,
		.exit_cb = on_ended,
		.flags = UV_PROCESS_DETACHED,
		.stdio = stdio,
		.stdio_count = 3};
	state.waiting--;
	state.open = 2;
	uv_timer_init(state.loop, &state.limit);
	uv_timer_start(&state.limit, on_limit, (uint64_t)state.limit_ms, 0);
	int failed = uv_spawn(state.loop, &state.process, &options);
	if (failed) {
		log_event(LOG_LEVEL_WARN, "alarm", "cannot run alarm_command",
			log_text("command", state.command), log_text("why", uv_strerror(failed)));
		close_handles();
	}
}

static void call_command(const char *what, const struct alarm *alarm)
{
	if (!state.command)
		return;
	if (state.waiting == ALARM_CALLS_MAX) {
		log_event(LOG_LEVEL_WARN, "alarm",
			"alarm_command is not run: too many calls wait for their turn",
			log_text("alarm", alarm->name), log_text("state", what));
		return;
	}
	state.waiting++;
	struct call *call = mem_alloc_zero(1, sizeof(*call));
	call->words[0] = mem_dup(state.command);
	call->words[1] = mem_dup(what);
	call->words[2] = mem_dup(alarm->name);
	call->words[3] = mem_dup(alarm->text);
	struct call **end = &state.calls;
	while (*end)
		end = &(*end)->next;
	*end = call;
	run_next();
}

static void free_closed(uv_handle_t *handle)
{
	struct alarm *alarm = MEM_CONTAINER(handle, struct alarm, repeat);
	free(alarm->name);
	free(alarm->text);
	free(alarm);
}

static void on_repeat(uv_timer_t *timer)
{
	const struct alarm *alarm = MEM_CONTAINER(timer, struct alarm, repeat);
	log_event(LOG_LEVEL_ERROR, "alarm", alarm->text, log_text("alarm", alarm->name),
		log_text("state", "stands"));
}

static struct alarm **find(const char *name)
{
	struct alarm **at = &state.standing;
	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

void alarm_start(uv_loop_t *loop, const char *command)
{
	assert(!state.loop);
	state.loop = loop;
	state.command = command && *command ? mem_dup(command) : NULL;
}

void alarm_stop(void)
{
	state.loop = NULL;
	while (state.standing) {
		struct alarm *alarm = state.standing;
		state.standing = alarm->next;
		uv_close((uv_handle_t *)&alarm->repeat, free_closed);
	}
	/* A running command is left to finish. */
	struct call **waiting = state.open ? &state.calls->next : &state.calls;
	while (*waiting) {
		struct call *call = *waiting;
		*waiting = call->next;
		free_call(call);
	}
	state.waiting = 0;
	if (state.open && !uv_is_closing((uv_handle_t *)&state.limit))
		close_handles();
	free(mem_steal(state.command));
}

void alarm_limit_command(int64_t limit_ms)
{
	state.limit_ms = limit_ms;
}

void alarm_raise(const char *name, const char *format, ...)
{
	assert(state.loop && strlen(name) <= NAME_MAX_BYTES);
	char *text = NULL;
	va_list args;
	va_start(args, format);
	int n = vasprintf(&text, format, args);
	va_end(args);
	assert(n >= 0);

	struct alarm *alarm = *find(name);
	if (alarm) {
		free(alarm->text);
		alarm->text = text;
		return;
	}
	alarm = mem_alloc_zero(1, sizeof(*alarm));
	alarm->name = mem_dup(name);
	alarm->text = text;
	alarm->since_unix_ms = clock_unix_ms();
	alarm->next = state.standing;
	state.standing = alarm;
	uv_timer_init(state.loop, &alarm->repeat);
	uv_unref((uv_handle_t *)&alarm->repeat);
	uv_timer_start(&alarm->repeat, on_repeat, REPEAT_MS, REPEAT_MS);
	log_event(LOG_LEVEL_ERROR, "alarm", text, log_text("alarm", name),
		log_text("state", "begins"));
	call_command("begin", alarm);
}

void alarm_clear(const char *name)
{
	struct alarm **at = find(name);
	struct alarm *alarm = *at;
	if (!alarm)
		return;
	*at = alarm->next;
	log_event(LOG_LEVEL_WARN, "alarm", alarm->text, log_text("alarm", name),
		log_text("state", "ends"));
	call_command("end", alarm);
	uv_close((uv_handle_t *)&alarm->repeat, free_closed);
}

bool alarm_stands(const char *name)
{
	return *find(name) != NULL;
}

void alarm_each(alarm_each_fn *each, void *ctx)
{
	for (const struct alarm *alarm = state.standing; alarm; alarm = alarm->next)
		each(ctx, alarm->name, alarm->text, alarm->since_unix_ms);
}
