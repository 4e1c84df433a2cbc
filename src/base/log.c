#include "base/log.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/ratelimit.h"
#include "base/utf8.h"
#include "platform/journal.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define RING_LINES 4096
#define LESSER_LINES_MAX 3072 /* the rest of the ring is for errors and alarms */
#define LINE_MAX_BYTES                                                             \
	2048 /* no more than PIPE_BUF, so that lines of several writers stay whole \
	      */
#define STOP_WAIT_SECONDS 1

struct line {
	enum log_level level;
	unsigned length;
	char text[LINE_MAX_BYTES]; /* ends with a newline; for the journal the datagram */
};

static struct {
	enum log_target target;
	atomic_int level;
	atomic_uint_fast64_t dropped;
	int journal_fd;

	pthread_mutex_t lock;
	pthread_cond_t wake; /* for the thread: lines or the end */
	pthread_cond_t over; /* for log_stop */
	pthread_t thread;
	bool running;
	bool stopping;
	bool is_over; /* the thread has written all there was */
	struct line *ring;
	unsigned first; /* oldest line */
	unsigned count;
	uint64_t dropped_unsaid;
	struct ratelimit limit;
} state = {
	.target = LOG_TARGET_STDERR,
	.level = LOG_LEVEL_INFO,
	.journal_fd = -1,
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static const int level_priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

int log_level_parse(const char *name)
{
	for (int i = 0; i < (int)(sizeof(level_names) / sizeof(level_names[0])); i++)
		if (!strcmp(name, level_names[i]))
			return i;
	return -1;
}

void log_set_level(enum log_level level)
{
	atomic_store(&state.level, (int)level);
}

const char *log_level_name(void)
{
	return level_names[atomic_load(&state.level)];
}

int log_is_on(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&state.level, memory_order_relaxed);
}

uint64_t log_dropped(void)
{
	return atomic_load(&state.dropped);
}

/* A line under construction; what does not fit is cut. */
struct writer {
	char *at;
	char *end;
};

static void put_char(struct writer *w, char c)
{
	if (w->at < w->end)
		*w->at++ = c;
}

static void put_text(struct writer *w, const char *text)
{
	while (*text)
		put_char(w, *text++);
}

static void put_hex(struct writer *w, const char *bytes, size_t count)
{
	static const char hex[] = "0123456789abcdef";
	for (size_t i = 0; i < count; i++) {
		unsigned char c = (unsigned char)bytes[i];
		put_text(w, "\\x");
		put_char(w, hex[c >> 4]);
		put_char(w, hex[c & 15]);
	}
}

static void put_escaped(struct writer *w, const char *text, size_t length, bool is_quoted)
{
	while (length) {
		uint32_t code_point;
		size_t n = utf8_read(text, length, &code_point);
		if (!n || utf8_steers(code_point)) {
			n = n ? n : 1;
			put_hex(w, text, n);
		} else {
			if (is_quoted && (*text == '"' || *text == '\\'))
				put_char(w, '\\');
			for (size_t i = 0; i < n; i++)
				put_char(w, text[i]);
		}
		text += n;
		length -= n;
	}
}

static size_t shown_length(const struct log_field *field)
{
	size_t length = strlen(field->text);
	return field->shown && field->shown < length ? field->shown : length;
}

static void put_value(struct writer *w, const struct log_field *field, bool may_quote)
{
	if (!field->text) {
		char number[24];
		snprintf(number, sizeof(number), "%lld", (long long)field->number);
		put_text(w, number);
		return;
	}
	size_t length = shown_length(field);
	bool cut = length < strlen(field->text);
	bool quote = may_quote && (!length || strcspn(field->text, " \"=\\") < length);
	if (quote)
		put_char(w, '"');
	put_escaped(w, field->text, length, quote);
	if (cut)
		put_text(w, "...");
	if (quote)
		put_char(w, '"');
}

static void format_plain(struct writer *w, enum log_level level, const char *module,
	const char *text, const struct log_field *fields, unsigned count)
{
	put_text(w, level_names[level]);
	put_char(w, ' ');
	put_text(w, module);
	put_text(w, ": ");
	put_escaped(w, text, strlen(text), false);
	for (unsigned i = 0; i < count; i++) {
		if (!fields[i].name)
			continue;
		put_char(w, ' ');
		put_text(w, fields[i].name);
		put_char(w, '=');
		put_value(w, &fields[i], true);
	}
}

static void format_stderr(struct writer *w, enum log_level level, const char *module,
	const char *text, const struct log_field *fields, unsigned count)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	struct tm parts;
	gmtime_r(&now.tv_sec, &parts);
	char stamp[64];
	size_t n = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(stamp + n, sizeof(stamp) - n, ".%03ldZ ", now.tv_nsec / 1000000);
	put_text(w, stamp);
	format_plain(w, level, module, text, fields, count);
	put_char(w, '\n');
}

/* An entry without its message is not shown, and half a field is a wrong one. */
static void format_journal(struct writer *w, enum log_level level, const char *module,
	const char *text, const struct log_field *fields, unsigned count)
{
	put_text(w, "PRIORITY=");
	put_char(w, (char)('0' + level_priorities[level]));
	put_text(w, "\nSYSLOG_IDENTIFIER=mailpushd\nMAILPUSH_MODULE=");
	put_text(w, module);
	put_text(w, "\nMESSAGE=");
	format_plain(w, level, module, text, fields, count);
	char *whole = w->at;
	for (unsigned i = 0; i < count && whole == w->at; i++) {
		if (!fields[i].name)
			continue;
		put_text(w, "\nMAILPUSH_");
		for (const char *c = fields[i].name; *c; c++)
			put_char(w, *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c);
		put_char(w, '=');
		put_value(w, &fields[i], false);
		if (w->at < w->end)
			whole = w->at;
	}
	w->at = whole;
	put_char(w, '\n');
}

static void format_line(struct line *line, enum log_level level, const char *module,
	const char *text, const struct log_field *fields, unsigned count)
{
	struct writer w = {line->text, line->text + sizeof(line->text) - 1};
	line->level = level;
	if (state.target == LOG_TARGET_JOURNAL)
		format_journal(&w, level, module, text, fields, count);
	else if (state.target == LOG_TARGET_SYSLOG)
		format_plain(&w, level, module, text, fields, count);
	else
		format_stderr(&w, level, module, text, fields, count);
	if (w.at == w.end && state.target != LOG_TARGET_SYSLOG)
		w.at[-1] = '\n';
	*w.at = '\0';
	line->length = (unsigned)(w.at - line->text);
}

static void emit(const struct line *line)
{
	if (state.target == LOG_TARGET_SYSLOG) {
		syslog(LOG_MAIL | level_priorities[line->level], "%s", line->text);
		return;
	}
	if (state.target == LOG_TARGET_JOURNAL &&
		send(state.journal_fd, line->text, line->length, MSG_NOSIGNAL) >= 0)
		return;
	for (size_t done = 0; done < line->length;) {
		ssize_t n = write(STDERR_FILENO, line->text + done, line->length - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		done += (size_t)n;
	}
}

static void append(enum log_level level, const char *module, const char *text,
	const struct log_field *fields, unsigned count)
{
	bool is_first_rank = level == LOG_LEVEL_ERROR || !strcmp(module, "alarm");
	if (state.count >= (is_first_rank ? RING_LINES : LESSER_LINES_MAX)) {
		state.dropped_unsaid++;
		atomic_fetch_add(&state.dropped, 1);
		return;
	}
	struct line *line = &state.ring[(state.first + state.count) % RING_LINES];
	format_line(line, level, module, text, fields, count);
	state.count++;
	if (state.count == 1)
		pthread_cond_signal(&state.wake);
}

/* Logs the counts of lines that ratelimit kept back. */
static void tell_kept_back(int64_t now_ms)
{
	struct ratelimit_entry entry;
	while (state.count < LESSER_LINES_MAX && ratelimit_next(&state.limit, now_ms, &entry)) {
		const struct log_field fields[] = {log_text("what", entry.kind),
			*entry.who ? log_text("who", entry.who) : (struct log_field){0},
			log_number("count", (int64_t)entry.kept_back)};
		append((enum log_level)entry.level, "log", "more of the same", fields, 3);
	}
}

static void wait_for_lines(void)
{
	int64_t due_ms = ratelimit_due_ms(&state.limit);
	if (due_ms == INT64_MAX) {
		pthread_cond_wait(&state.wake, &state.lock);
		return;
	}
	const struct timespec until = {.tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000};
	pthread_cond_timedwait(&state.wake, &state.lock, &until);
}

static void *write_lines(void *unused)
{
	(void)unused;
	static struct line line;
	pthread_mutex_lock(&state.lock);
	for (;;) {
		while (!state.count && !state.stopping) {
			wait_for_lines();
			tell_kept_back(clock_monotonic_ms());
		}
		if (!state.count)
			tell_kept_back(INT64_MAX);
		if (!state.count)
			break;
		const struct line *oldest = &state.ring[state.first];
		line.level = oldest->level;
		line.length = oldest->length;
		memcpy(line.text, oldest->text, oldest->length + 1);
		state.first = (state.first + 1) % RING_LINES;
		state.count--;
		uint64_t unsaid = state.dropped_unsaid;
		state.dropped_unsaid = 0;
		pthread_mutex_unlock(&state.lock);
		emit(&line);
		if (unsaid) {
			const struct log_field lost[] = {log_number("lines", (int64_t)unsaid)};
			format_line(&line, LOG_LEVEL_WARN, "log",
				"lines were dropped, the log's target was stuck", lost, 1);
			emit(&line);
		}
		pthread_mutex_lock(&state.lock);
	}
	state.is_over = true;
	pthread_cond_signal(&state.over);
	pthread_mutex_unlock(&state.lock);
	return NULL;
}

static int open_journal(struct err *err)
{
	int fd = journal_open();
	if (fd < 0)
		return err_set(err, fd,
			"cannot log to the journal: %s; set log_target to \"stderr\"",
			strerror(-fd));
	state.journal_fd = fd;
	return 0;
}

int log_start(enum log_target target, enum log_level level, struct err *err)
{
	assert(!state.running);
	log_set_level(level);
	if (target == LOG_TARGET_AUTO) {
		struct err ignored;
		target = journal_reads(STDERR_FILENO) && !open_journal(&ignored)
			? LOG_TARGET_JOURNAL
			: LOG_TARGET_STDERR;
	} else if (target == LOG_TARGET_JOURNAL) {
		int r = open_journal(err);
		if (r)
			return r;
	} else if (target == LOG_TARGET_SYSLOG) {
		openlog("mailpushd", LOG_PID, LOG_MAIL);
	}
	state.target = target;
	state.ring = mem_alloc_zero(RING_LINES, sizeof(*state.ring));
	state.stopping = state.is_over = false;
	state.first = state.count = 0;
	state.limit.count = 0;
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&state.wake, &attributes);
	pthread_cond_init(&state.over, &attributes);
	pthread_condattr_destroy(&attributes);
	int failed = pthread_create(&state.thread, NULL, write_lines, NULL);
	if (failed) {
		free(mem_steal(state.ring));
		return err_set(err, -failed, "cannot start the log thread: %s", strerror(failed));
	}
	state.running = true;
	return 0;
}

void log_stop(void)
{
	pthread_mutex_lock(&state.lock);
	if (!state.running) {
		pthread_mutex_unlock(&state.lock);
		return;
	}
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += STOP_WAIT_SECONDS;
	state.stopping = true;
	pthread_cond_signal(&state.wake);
	int failed = 0;
	while (!state.is_over && !failed)
		failed = pthread_cond_timedwait(&state.over, &state.lock, &until);
	state.running = false;
	pthread_mutex_unlock(&state.lock);
	if (failed) {
		/* The thread is stuck in a write: the process ends without it. */
		pthread_detach(state.thread);
		return;
	}
	pthread_join(state.thread, NULL);
	free(mem_steal(state.ring));
	if (state.journal_fd >= 0)
		close(state.journal_fd);
	state.journal_fd = -1;
	state.target = LOG_TARGET_STDERR;
}

void log_write(enum log_level level, const char *module, const char *text,
	const struct log_field *fields, unsigned count)
{
	pthread_mutex_lock(&state.lock);
	if (state.running) {
		append(level, module, text, fields, count);
	} else {
		static struct line line;
		format_line(&line, level, module, text, fields, count);
		emit(&line);
	}
	pthread_mutex_unlock(&state.lock);
}

bool log_may(enum log_level level, const char *kind, const char *who, unsigned lines)
{
	if (!log_is_on(level) || log_is_on(LOG_LEVEL_DEBUG))
		return log_is_on(level);
	pthread_mutex_lock(&state.lock);
	bool may =
		ratelimit_allows(&state.limit, kind, who, lines, (int)level, clock_monotonic_ms());
	/* The thread waits for lines; a count that is due does not wake it. */
	if (may && state.running)
		pthread_cond_signal(&state.wake);
	pthread_mutex_unlock(&state.lock);
	return may;
}
