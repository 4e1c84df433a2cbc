#include "base/alarm.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#define NAME_MAX_BYTES 100
#define REPEAT_MS (24 * 60 * 60 * 1000)

struct alarm {
	LIST_ENTRY(alarm) place;
	char *name;
	char *text;
	bool stands;
	bool is_told;	  /* that it stands */
	unsigned changes; /* told in this window */
	uint64_t untold;  /* changes since the last that was told */
	int64_t since_unix_ms;
	unsigned stage;
	bool is_text_logged;
	uv_timer_t repeat;
};

struct call {
	STAILQ_ENTRY(call) place;
	char *words[5]; /* command, begin|end, name, text, NULL */
	bool is_test;
	bool is_last_of_test;
};

static struct {
	uv_loop_t *loop;
	char *command;
	LIST_HEAD(, alarm) alarms; /* that stand, or did in this window */
	uv_timer_t window;
	struct call *running;
	STAILQ_HEAD(, call) calls; /* wait for it to end, the oldest first; one for each alarm */
	uv_process_t process;
	uv_timer_t limit;
	int64_t limit_ms;
	unsigned open; /* the handles of the two that are not closed yet */
	alarm_follow_fn *follow;
	void *follow_ctx;
	alarm_tested_fn *tested; /* NULL: nobody waits */
	void *tested_ctx;
	bool is_testing;
	bool is_late;	   /* the command that runs */
	char failure[160]; /* of the test's calls so far; "": none */
} state = {.calls = STAILQ_HEAD_INITIALIZER(state.calls), .limit_ms = ALARM_COMMAND_MS};

static void free_call(struct call *call)
{
	for (char **word = call->words; *word; word++)
		free(*word);
	free(call);
}

static void run_next(void);

/* Of the call that runs. */
static void note_failure(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void note_failure(const char *format, ...)
{
	if (!state.running->is_test || *state.failure)
		return;
	va_list args;
	va_start(args, format);
	vsnprintf(state.failure, sizeof(state.failure), format, args);
	va_end(args);
}

static void end_test(void)
{
	alarm_tested_fn *tested = mem_steal(state.tested);
	state.is_testing = false;
	if (tested)
		tested(state.tested_ctx, *state.failure ? state.failure : NULL);
}

static void on_handle_closed(uv_handle_t *handle)
{
	(void)handle;
	if (--state.open)
		return;
	struct call *call = mem_steal(state.running);
	if (call->is_last_of_test)
		end_test();
	free_call(call);
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
		log_text("command", state.running->words[0]),
		log_number("after_ms", state.limit_ms));
	state.is_late = true;
	/* It leads a group of its own. */
	uv_kill(-state.process.pid, SIGKILL);
}

static void on_ended(uv_process_t *process, int64_t status, int signal)
{
	(void)process;
	if (state.is_late)
		note_failure("it took longer than %lld s and was killed",
			(long long)(state.limit_ms / CLOCK_SECOND_MS));
	else if (signal)
		note_failure("signal %d ended it", signal);
	else if (status)
		note_failure("it ended with status %lld", (long long)status);
	if (status || signal)
		log_event(LOG_LEVEL_WARN, "alarm", "alarm_command failed",
			log_text("command", state.running->words[0]), log_number("status", status),
			log_number("signal", signal));
	close_handles();
}

static void run_next(void)
{
	struct call *call = STAILQ_FIRST(&state.calls);
	if (state.open || !call)
		return;
	STAILQ_REMOVE_HEAD(&state.calls, place);
	state.running = call;
	uv_stdio_container_t stdio[] = {{.flags = UV_IGNORE},
		{.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
		{.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO}};
	uv_process_options_t options = {.file = call->words[0],
		.args = call->words,
		.exit_cb = on_ended,
		.flags = UV_PROCESS_DETACHED,
		.stdio = stdio,
		.stdio_count = 3};
	state.is_late = false;
	state.open = 2;
	uv_timer_init(state.loop, &state.limit);
	uv_timer_start(&state.limit, on_limit, (uint64_t)state.limit_ms, 0);
	int failed = uv_spawn(state.loop, &state.process, &options);
	if (failed) {
		note_failure("it cannot be run: %s", uv_strerror(failed));
		log_event(LOG_LEVEL_WARN, "alarm", "cannot run alarm_command",
			log_text("command", call->words[0]), log_text("why", uv_strerror(failed)));
		close_handles();
	}
}

static struct call *append_call(const char *what, const char *name, const char *text)
{
	struct call *call = mem_alloc_zero(1, sizeof(*call));
	call->words[0] = mem_dup(state.command);
	call->words[1] = mem_dup(what);
	call->words[2] = mem_dup(name);
	call->words[3] = mem_dup(text);
	STAILQ_INSERT_TAIL(&state.calls, call, place);
	return call;
}

/* The call before it, its opposite, if that waits still: then the two are none. */
static struct call *find_call(const struct alarm *alarm)
{
	struct call *call;
	STAILQ_FOREACH(call, &state.calls, place)
		if (!call->is_test && !strcmp(call->words[2], alarm->name))
			break;
	return call;
}

static void call_command(const struct alarm *alarm)
{
	struct call *opposite = find_call(alarm);
	if (opposite) {
		STAILQ_REMOVE(&state.calls, opposite, call, place);
		free_call(opposite);
	} else if (state.command) {
		append_call(alarm->stands ? "begin" : "end", alarm->name, alarm->text);
		run_next();
	}
}

int alarm_test_command(alarm_tested_fn *done, void *ctx)
{
	static const char text[] = "`mailpushctl alarm test` was run; nothing is wrong";
	if (!state.command)
		return -ENOENT;
	if (state.is_testing)
		return -EAGAIN;
	state.is_testing = true;
	state.tested = done;
	state.tested_ctx = ctx;
	*state.failure = '\0';
	append_call("begin", "test", text)->is_test = true;
	struct call *last = append_call("end", "test", text);
	last->is_test = last->is_last_of_test = true;
	run_next();
	return 0;
}

void alarm_forget_test(void)
{
	state.tested = NULL;
}

void alarm_follow(alarm_follow_fn *follow, void *ctx)
{
	state.follow = follow;
	state.follow_ctx = ctx;
}

static void tell_follower(enum alarm_change change, const struct alarm *alarm)
{
	if (state.follow)
		state.follow(state.follow_ctx, change, alarm->name, alarm->text, alarm->stage);
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

static struct alarm *find(const char *name)
{
	struct alarm *alarm;
	LIST_FOREACH(alarm, &state.alarms, place)
		if (!strcmp(alarm->name, name))
			break;
	return alarm;
}

static struct alarm *find_standing(const char *name)
{
	struct alarm *alarm = find(name);
	return alarm && alarm->stands ? alarm : NULL;
}

/* With the number of changes that had no line of their own. */
static void log_state(const struct alarm *alarm)
{
	const char *what = !alarm->stands ? "ends" : alarm->is_told ? "stands" : "begins";
	enum log_level level = alarm->stands ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN;
	if (alarm->untold)
		log_event(level, "alarm", alarm->text, log_text("alarm", alarm->name),
			log_text("state", what), log_number("changes", (int64_t)alarm->untold));
	else
		log_event(level, "alarm", alarm->text, log_text("alarm", alarm->name),
			log_text("state", what));
}

static void tell(struct alarm *alarm)
{
	log_state(alarm);
	if (alarm->stands != alarm->is_told)
		call_command(alarm);
	alarm->is_told = alarm->stands;
	alarm->is_text_logged = true;
	alarm->untold = 0;
}

/* A window without a change that was held back ends the limit. */
static void on_window(uv_timer_t *timer)
{
	bool is_over = true;
	struct alarm *alarm = LIST_FIRST(&state.alarms);
	while (alarm) {
		struct alarm *next = LIST_NEXT(alarm, place);
		if (alarm->untold)
			tell(alarm);
		else
			alarm->changes = 0;
		is_over &= !alarm->changes;
		if (!alarm->stands && !alarm->changes) {
			LIST_REMOVE(alarm, place);
			uv_close((uv_handle_t *)&alarm->repeat, free_closed);
		}
		alarm = next;
	}
	if (is_over)
		uv_timer_stop(timer);
}

/* It stands now, or no longer. */
static void change(struct alarm *alarm, bool stands)
{
	alarm->stands = stands;
	if (!uv_is_active((uv_handle_t *)&state.window))
		uv_timer_start(&state.window, on_window, ALARM_WINDOW_MS, ALARM_WINDOW_MS);
	if (alarm->changes < ALARM_CHANGES_MAX) {
		alarm->changes++;
		tell(alarm);
	} else {
		alarm->untold++;
	}
}

void alarm_start(uv_loop_t *loop, const char *command)
{
	assert(!state.loop);
	state.loop = loop;
	uv_timer_init(loop, &state.window);
	uv_unref((uv_handle_t *)&state.window);
	state.command = command && *command ? mem_dup(command) : NULL;
}

void alarm_set_command(const char *command)
{
	free(state.command);
	state.command = *command ? mem_dup(command) : NULL;
}

void alarm_stop(void)
{
	state.loop = NULL;
	struct alarm *alarm;
	while ((alarm = LIST_FIRST(&state.alarms))) {
		if (alarm->untold)
			log_state(alarm);
		LIST_REMOVE(alarm, place);
		uv_close((uv_handle_t *)&alarm->repeat, free_closed);
	}
	uv_close((uv_handle_t *)&state.window, NULL);
	/* A running command is left to finish. */
	struct call *call;
	while ((call = STAILQ_FIRST(&state.calls))) {
		STAILQ_REMOVE_HEAD(&state.calls, place);
		free_call(call);
	}
	state.is_testing = false;
	state.tested = NULL;
	if (state.open && !uv_is_closing((uv_handle_t *)&state.limit))
		close_handles();
	free(mem_steal(state.command));
}

void alarm_limit_command(int64_t limit_ms)
{
	state.limit_ms = limit_ms;
}

void alarm_end_window(void)
{
	on_window(&state.window);
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

	struct alarm *alarm = find(name);
	if (!alarm) {
		alarm = mem_alloc_zero(1, sizeof(*alarm));
		alarm->name = mem_dup(name);
		LIST_INSERT_HEAD(&state.alarms, alarm, place);
		uv_timer_init(state.loop, &alarm->repeat);
		uv_unref((uv_handle_t *)&alarm->repeat);
	}
	alarm->is_text_logged &= alarm->text && !strcmp(alarm->text, text);
	free(alarm->text);
	alarm->text = text;
	if (alarm->stands)
		return;
	alarm->since_unix_ms = clock_unix_ms();
	alarm->stage = 0;
	uv_timer_start(&alarm->repeat, on_repeat, REPEAT_MS, REPEAT_MS);
	change(alarm, true);
	tell_follower(ALARM_BEGINS, alarm);
}

void alarm_worsen(const char *name, unsigned stage)
{
	struct alarm *alarm = find_standing(name);
	if (!alarm || stage <= alarm->stage)
		return;
	alarm->stage = stage;
	if (!alarm->is_text_logged)
		log_event(LOG_LEVEL_ERROR, "alarm", alarm->text, log_text("alarm", name),
			log_text("state", "worsens"));
	alarm->is_text_logged = true;
	tell_follower(ALARM_WORSENS, alarm);
}

void alarm_clear(const char *name)
{
	struct alarm *alarm = find_standing(name);
	if (!alarm)
		return;
	uv_timer_stop(&alarm->repeat);
	change(alarm, false);
	tell_follower(ALARM_ENDS, alarm);
}

bool alarm_stands(const char *name)
{
	return find_standing(name) != NULL;
}

void alarm_each(alarm_each_fn *each, void *ctx)
{
	const struct alarm *alarm;
	LIST_FOREACH(alarm, &state.alarms, place)
		if (alarm->stands)
			each(ctx, alarm->name, alarm->text, alarm->since_unix_ms);
}
