#include "ctl/top.h"

#include "base/buf.h"
#include "base/mem.h"
#include "console/format.h"
#include "console/member.h"
#include "console/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define EVERY_S 2
#define FAILURES_MAX 8
#define TEXT_MAX 1024

struct screen {
	bool is_terminal;
	unsigned rows; /* that are left; of a terminal */
	size_t columns;
};

/* The counts of the state before. */
struct before {
	bool is_known;
	double now_s;
	double events;
	double pushes;
};

static void print_line(struct screen *screen, enum table_colour colour, const char *text)
{
	char printable[TEXT_MAX];
	if (screen->is_terminal && screen->rows == 0)
		return;
	screen->rows -= screen->is_terminal;
	size_t room = screen->is_terminal ? screen->columns + 1 : sizeof(printable);
	format_printable(text, printable, room < sizeof(printable) ? room : sizeof(printable));
	printf("%s%s%s\n", table_begin(colour), printable, colour ? table_end() : "");
}

static void say(struct screen *screen, enum table_colour colour, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(struct screen *screen, enum table_colour colour, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	print_line(screen, colour, text);
}

static double number_in(const json_t *state, const char *object, const char *member)
{
	return member_number(json_object_get(state, object), member);
}

/* A second, since the state before; the last minute's where there is none. */
static double rate(const json_t *state, const char *what, const struct before *before, double then)
{
	double total = number_in(state, what, "total");
	double seconds = member_number(state, "now") - before->now_s;
	if (!before->is_known || seconds <= 0 || total < then)
		return number_in(state, "rates", what);
	return (total - then) / seconds;
}

static void show_alarms(struct screen *screen, const json_t *state)
{
	const json_t *alarms = json_object_get(state, "alarms");
	size_t i;
	json_t *alarm;
	if (!json_array_size(alarms))
		say(screen, TABLE_GOOD, "alarms         none");
	json_array_foreach((json_t *)alarms, i, alarm)
	{
		char when[FORMAT_SIZE];
		say(screen, TABLE_BAD, "alarm          %s, since %s: %s",
			member_text(alarm, "name"),
			format_clock(member_number(alarm, "since"), when),
			member_text(alarm, "text"));
	}
}

static void show_pushes(struct screen *screen, const json_t *state, const struct before *before)
{
	buf_auto struct buf by;
	size_t i;
	json_t *row;
	buf_init(&by);
	json_array_foreach(json_object_get(json_object_get(state, "pushes"), "by"), i, row)
	{
		double status = member_number(row, "status");
		if (status > 0)
			buf_printf(&by, "%s%.0f %s%s%.0f", by.used ? ", " : "", status,
				member_text(row, "reason"), *member_text(row, "reason") ? " " : "",
				member_number(row, "count"));
		else
			buf_printf(&by, "%s%s %.0f", by.used ? ", " : "",
				member_text(row, "result"), member_number(row, "count"));
	}
	say(screen, TABLE_PLAIN, "pushes         %.1f/s, %.0f in all: %s",
		rate(state, "pushes", before, before->pushes), number_in(state, "pushes", "total"),
		by.used ? buf_text(&by) : "none yet");
}

static void show_queue(struct screen *screen, const json_t *state)
{
	const json_t *oldest = json_object_get(json_object_get(state, "queue"), "oldest");
	char when[FORMAT_SIZE] = "";
	if (json_is_number(oldest))
		format_ago(json_number_value(oldest), member_number(state, "now"), when);
	say(screen, TABLE_PLAIN, "queue          %.0f phones wait, %.0f in flight%s%s",
		number_in(state, "queue", "waiting"), number_in(state, "queue", "in_flight"),
		*when ? ", oldest news " : "", when);
}

static void show_credential(struct screen *screen, const json_t *credential)
{
	size_t i;
	json_t *connection;
	double streams = 0;
	double limit = 0;
	bool is_held = json_is_true(json_object_get(credential, "held"));
	const char *trouble = member_text(credential, "trouble");
	const json_t *connections = json_object_get(credential, "connections");
	json_array_foreach((json_t *)connections, i, connection)
	{
		streams += member_number(connection, "streams");
		limit += member_number(connection, "limit");
	}
	say(screen, is_held || *trouble ? TABLE_BAD : TABLE_PLAIN,
		"apple          %s: %s, %zu connection%s, %.0f of %.0f streams%s%s",
		member_text(credential, "name"),
		is_held								? "held"
			: json_is_true(json_object_get(credential, "in_force")) ? "in force"
										: "not in force",
		json_array_size(connections), json_array_size(connections) == 1 ? "" : "s", streams,
		limit, *trouble ? ": " : "", trouble);
}

static void show_failures(struct screen *screen, const json_t *state)
{
	size_t i;
	json_t *failure;
	const json_t *failures = json_object_get(state, "failures");
	if (json_array_size(failures))
		say(screen, TABLE_BOLD, "last failures");
	json_array_foreach((json_t *)failures, i, failure)
	{
		char when[FORMAT_SIZE];
		double status = member_number(failure, "status");
		double times = member_number(failure, "times");
		mem_auto char *what = status > 0
			? mem_printf("%.0f %s", status, member_text(failure, "reason"))
			: mem_dup(*member_text(failure, "result")
					  ? member_text(failure, "result")
					  : member_text(failure, "credential"));
		mem_auto char *often = times > 1 ? mem_printf(" (%.0f times)", times) : mem_dup("");
		if (i == FAILURES_MAX)
			break;
		say(screen, TABLE_PLAIN, "  %s  %s%s: %s",
			format_clock(member_number(failure, "time"), when), what, often,
			member_text(failure, "meaning"));
	}
}

static void show(struct screen *screen, const json_t *state, const struct before *before)
{
	char up[FORMAT_SIZE];
	char clock[FORMAT_SIZE];
	size_t i;
	json_t *credential;
	double now_s = member_number(state, "now");
	say(screen, TABLE_BOLD, "mailpushd      %s at %s, up %s, %s", member_text(state, "version"),
		member_text(state, "site"),
		format_duration(now_s - member_number(state, "started"), up),
		format_clock(now_s, clock));
	show_alarms(screen, state);
	say(screen, TABLE_PLAIN, "events         %.1f/s, %.0f in all, %.0f on their way in",
		rate(state, "events", before, before->events), number_in(state, "events", "total"),
		number_in(state, "events", "waiting"));
	show_pushes(screen, state, before);
	show_queue(screen, state);
	if (json_is_null(json_object_get(json_object_get(state, "registrations"), "total")))
		say(screen, TABLE_PLAIN, "registrations  not known");
	else
		say(screen, TABLE_PLAIN,
			"registrations  %.0f: %.0f active, %.0f stopped, %.0f suspended",
			number_in(state, "registrations", "total"),
			number_in(state, "registrations", "active"),
			number_in(state, "registrations", "stopped"),
			number_in(state, "registrations", "suspended"));
	json_array_foreach(json_object_get(state, "credentials"), i, credential)
		show_credential(screen, credential);
	show_failures(screen, state);
}

static struct screen measure(void)
{
	struct winsize size;
	struct screen screen = {
		.is_terminal = isatty(STDOUT_FILENO) != 0, .rows = 23, .columns = 80};
	if (screen.is_terminal && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row > 1 &&
		size.ws_col) {
		screen.rows = size.ws_row - 1U;
		screen.columns = size.ws_col;
	}
	return screen;
}

enum client_exit top_run(long times)
{
	struct before before = {.is_known = false};
	for (long i = 0; !times || i < times; i++) {
		if (i)
			nanosleep(&(struct timespec){.tv_sec = EVERY_S}, NULL);
		json_t *state = NULL;
		enum client_exit result = client_ask("GET", "/status-page.json", NULL, &state);
		if (result)
			return result;
		struct screen screen = measure();
		if (screen.is_terminal)
			fputs("\033[H\033[2J", stdout);
		else if (i)
			putchar('\n');
		show(&screen, state, &before);
		before = (struct before){.is_known = true,
			.now_s = member_number(state, "now"),
			.events = number_in(state, "events", "total"),
			.pushes = number_in(state, "pushes", "total")};
		json_decref(state);
		if (fflush(stdout) || ferror(stdout))
			return CLIENT_FAILED;
	}
	return CLIENT_FINE;
}
