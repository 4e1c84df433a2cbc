#include "ctl/import.h"

#include "base/mem.h"
#include "console/print.h"
#include "transfer/source.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Of a batch; mailpushd takes no more registrations, and larger bodies. */
#define BATCH_MAX 1000
#define BATCH_BYTES (512 * 1024)
#define REASONS_MAX 20 /* listed one by one; further ones are counted together */
#define PROGRESS_EVERY 10000

struct reason {
	char *why;
	char first[SOURCE_WHERE_MAX]; /* where the first one stood */
	long long count;
};

struct import {
	const struct import_request *request;
	const struct source_ops *ops;
	struct source *source;
	FILE *file;
	json_t *batch;
	size_t batch_bytes;
	char (*wheres)[SOURCE_WHERE_MAX]; /* of the batch */
	long long read;
	long long new_ones;
	long long renewed;
	long long known;
	long long refused;
	long long left_out; /* mailboxes */
	long long shown;    /* progress, up to here */
	struct reason reasons[REASONS_MAX + 1];
	size_t reason_count;
};

/* The part of the reason that is the same for all. */
static char *reason_of(const char *why)
{
	static const char prefix[] = "registration: ";
	if (!strncmp(why, prefix, sizeof(prefix) - 1))
		why += sizeof(prefix) - 1;
	const char *quoted = strstr(why, ": '");
	return mem_dup_n(why, quoted ? (size_t)(quoted - why) : strlen(why));
}

static void refuse(struct import *import, const char *why, const char *where)
{
	mem_auto char *reason = reason_of(why);
	size_t i = 0;
	import->refused++;
	while (i < import->reason_count && strcmp(import->reasons[i].why, reason) != 0)
		i++;
	if (i > REASONS_MAX - 1 && i == import->reason_count) {
		free(reason);
		reason = mem_dup("other reasons");
		i = REASONS_MAX;
	}
	struct reason *at = &import->reasons[i];
	if (i == import->reason_count) {
		import->reason_count++;
		at->why = mem_steal(reason);
		snprintf(at->first, sizeof(at->first), "%s", where);
	}
	at->count++;
}

static void count_result(struct import *import, const json_t *result, const char *where)
{
	const char *text = json_string_value(json_object_get(result, "result"));
	const char *why = json_string_value(json_object_get(result, "why"));
	import->left_out += json_integer_value(json_object_get(result, "left_out"));
	if (text && !strcmp(text, "new"))
		import->new_ones++;
	else if (text && !strcmp(text, "renewed"))
		import->renewed++;
	else if (text && !strcmp(text, "known"))
		import->known++;
	else
		refuse(import, why ? why : "mailpushd did not say why", where);
}

static void show_progress(struct import *import)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%lld read", import->read);
	else if (import->read / PROGRESS_EVERY > import->shown / PROGRESS_EVERY)
		fprintf(stderr, "%lld read\n", import->read / PROGRESS_EVERY * PROGRESS_EVERY);
	import->shown = import->read;
}

static enum client_exit send_batch(struct import *import)
{
	size_t count = json_array_size(import->batch);
	if (!count)
		return CLIENT_FINE;
	json_t *body = json_pack("{sO,sb,sb,sb}", "registrations", import->batch, "dry_run",
		import->request->is_dry_run, "confirmed", import->request->keeps_confirmed,
		"dovecot", import->ops == &source_xapsd_ops);
	json_t *answer = NULL;
	enum client_exit result = client_ask("POST", "/import", body, &answer);
	const json_t *results = json_object_get(answer, "results");
	if (!result && json_array_size(results) != count) {
		fputs("mailpushctl: mailpushd gave an unexpected answer\n", stderr);
		result = CLIENT_FAILED;
	}
	for (size_t i = 0; i < count && !result; i++)
		count_result(import, json_array_get(results, i), import->wheres[i]);
	json_decref(answer);
	json_array_clear(import->batch);
	import->batch_bytes = 0;
	show_progress(import);
	return result;
}

/* `registration` is handed over. */
static enum client_exit add(struct import *import, json_t *registration)
{
	const struct import_request *request = import->request;
	char where[SOURCE_WHERE_MAX];
	import->ops->where(import->source, where);
	if (request->topic && !json_object_get(registration, "topic"))
		json_object_set_new(registration, "topic", json_string(request->topic));
	if (request->keeps_confirmed && !json_object_get(registration, "confirmed"))
		json_object_set_new(registration, "confirmed", json_true());
	size_t size = json_dumpb(registration, NULL, 0, JSON_COMPACT);
	enum client_exit result = CLIENT_FINE;
	if (json_array_size(import->batch) == BATCH_MAX || import->batch_bytes + size > BATCH_BYTES)
		result = send_batch(import);
	memcpy(import->wheres[json_array_size(import->batch)], where, sizeof(where));
	json_array_append_new(import->batch, registration);
	import->batch_bytes += size;
	return result;
}

static enum client_exit take_all(struct import *import)
{
	struct err err;
	for (;;) {
		json_t *registration = NULL;
		char where[SOURCE_WHERE_MAX];
		enum client_exit result = CLIENT_FINE;
		switch (import->ops->next(import->source, &registration, &err)) {
		case SOURCE_FOUND:
			import->read++;
			result = add(import, registration);
			break;
		case SOURCE_REFUSED:
			import->read++;
			import->ops->where(import->source, where);
			refuse(import, err.text, where);
			break;
		case SOURCE_END:
			return send_batch(import);
		case SOURCE_FAILED:
			send_batch(import);
			fprintf(stderr, "mailpushctl: %s\n", err.text);
			return CLIENT_FAILED;
		}
		if (result)
			return result;
	}
}

static void print_summary(const struct import *import)
{
	printf("%lld read: %lld new, %lld renewed, %lld known, %lld refused\n", import->read,
		import->new_ones, import->renewed, import->known, import->refused);
	for (size_t i = 0; i < import->reason_count; i++) {
		const struct reason *reason = &import->reasons[i];
		printf("  %lld refused: ", reason->count);
		print_text(reason->why);
		fputs(" (first: ", stdout);
		print_text(reason->first);
		puts(")");
	}
	if (import->left_out)
		printf("%lld mailboxes were left out: a registration has at most 1000, of 1024 "
		       "bytes each\n",
			import->left_out);
	if (import->request->is_dry_run)
		puts("dry run: nothing was changed");
}

static void print_json_summary(const struct import *import)
{
	json_t *reasons = json_array();
	for (size_t i = 0; i < import->reason_count; i++) {
		const struct reason *reason = &import->reasons[i];
		json_array_append_new(reasons,
			json_pack("{ss*,sI,ss*}", "why", reason->why, "count",
				(json_int_t)reason->count, "first", reason->first));
	}
	json_t *summary = json_pack("{sI,sI,sI,sI,sI,sI,sb,so}", "read", (json_int_t)import->read,
		"new", (json_int_t)import->new_ones, "renewed", (json_int_t)import->renewed,
		"known", (json_int_t)import->known, "refused", (json_int_t)import->refused,
		"left_out", (json_int_t)import->left_out, "dry_run", import->request->is_dry_run,
		"reasons", reasons);
	json_dumpf(summary, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(summary);
}

static enum client_exit open_source(struct import *import)
{
	const struct import_request *request = import->request;
	struct source_settings settings = {.place = request->place,
		.columns = request->columns,
		.password_file = request->password_file,
		.file = stdin};
	bool is_file = !import->ops->is_database && strcmp(request->place, "-") != 0;
	struct err err;
	if (is_file) {
		settings.file = import->file = fopen(request->place, "re");
		if (!import->file) {
			fprintf(stderr, "mailpushctl: cannot open %s: %s\n", request->place,
				strerror(errno));
			return CLIENT_FAILED;
		}
	}
	if (import->ops->open(&settings, &import->source, &err)) {
		fprintf(stderr, "mailpushctl: %s\n", err.text);
		return CLIENT_FAILED;
	}
	return CLIENT_FINE;
}

static enum client_exit finish(struct import *import, enum client_exit result)
{
	const char *warning = import->ops->warning(import->source);
	if (isatty(STDERR_FILENO) && import->shown)
		fputs("\r", stderr);
	if (import->request->is_json)
		print_json_summary(import);
	else
		print_summary(import);
	if (warning)
		fprintf(stderr, "mailpushctl: %s: %s\n", import->request->place, warning);
	if (result)
		fputs("mailpushctl: the input was not read to its end; imported registrations "
		      "stay, and the same input can be imported again\n",
			stderr);
	return result ? result : import->refused ? CLIENT_FAILED : CLIENT_FINE;
}

enum client_exit import_run(const struct import_request *request)
{
	struct import import = {.request = request};
	const char *from = request->from ? request->from : source_lines_ops.name;
	import.ops = source_kind(from);
	if (!import.ops) {
		fprintf(stderr, "mailpushctl: --from '%s' must be export, xapsd or sql\n", from);
		return CLIENT_USAGE;
	}
	if ((request->columns || request->password_file) && !import.ops->is_database) {
		fputs("mailpushctl: --columns and --password-file are for --from sql\n", stderr);
		return CLIENT_USAGE;
	}
	/* A database that goes away is an error, not a signal. */
	signal(SIGPIPE, SIG_IGN);
	import.batch = json_array();
	import.wheres = mem_alloc_zero(BATCH_MAX, sizeof(*import.wheres));
	enum client_exit result = open_source(&import);
	if (!result)
		result = finish(&import, take_all(&import));
	if (import.source)
		import.ops->close(import.source);
	if (import.file)
		fclose(import.file);
	for (size_t i = 0; i < import.reason_count; i++)
		free(import.reasons[i].why);
	json_decref(import.batch);
	free(import.wheres);
	return result;
}
