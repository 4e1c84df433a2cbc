#include "postgresql/pglink.h"

#include "base/clock.h"
#include "base/mem.h"
#include "driver/password_file.h"
#include "postgresql/pghosts.h"
#include "postgresql/pgstate.h"
#include "postgresql/pgurl.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* A deadline that comes nearer meanwhile is noticed within so long. */
#define LOOK_MS 500

/* A statement whose answer has not come. */
struct sent {
	pglink_rows_fn *on_rows;
	void *ctx;
	size_t index;
};

struct pglink {
	struct pgurl *url;
	char *password_file;
	int64_t timeout_ms;
	bool is_foreign;
	atomic_uint_fast64_t *round_trips;     /* may be NULL */
	const atomic_int_least64_t *end_by_ms; /* may be NULL */
	PGconn *conn;			       /* NULL: closed */
	struct pghosts *hosts; /* at the host of the connection, or at the one to be tried next */
	char version[64];
	char last_word[200]; /* of the server before it closed the connection; "": none */
	struct sent *sent;
	size_t sent_count;
};

static const char *noun(bool is_foreign)
{
	return is_foreign ? "database" : "registry";
}

int pglink_new(const struct pglink_settings *settings, struct pglink **ret, struct err *err)
{
	struct pgurl *url = NULL;
	struct err why;
	int failed = pgurl_new(settings->url, &url, &why);
	if (failed)
		return err_set(err, failed, "%s: its url %s", noun(settings->is_foreign), why.text);
	struct pglink *link = mem_alloc_zero(1, sizeof(*link));
	link->url = url;
	link->password_file = settings->password_file ? mem_dup(settings->password_file) : NULL;
	link->timeout_ms = settings->timeout_ms;
	link->round_trips = settings->round_trips;
	link->end_by_ms = settings->end_by_ms;
	link->is_foreign = settings->is_foreign;
	link->hosts = pghosts_new(url);
	*ret = link;
	return 0;
}

void pglink_free(struct pglink *link)
{
	if (!link)
		return;
	pglink_close(link);
	free(link->sent);
	pghosts_free(link->hosts);
	pgurl_free(link->url);
	free(link->password_file);
	free(link);
}

const char *pglink_name(const struct pglink *link)
{
	return pgurl_name(link->url);
}

const char *pglink_host(const struct pglink *link)
{
	const char *host = link->conn ? PQhost(link->conn) : NULL;
	return host ? host : "";
}

const char *pglink_server_version(const struct pglink *link)
{
	return link->version;
}

void pglink_close(struct pglink *link)
{
	PQfinish(link->conn);
	link->conn = NULL;
	link->sent_count = 0;
}

static const char *first_line(char *text)
{
	text[strcspn(text, "\n")] = '\0';
	return *text ? text : "connection lost";
}

/* The next connection goes elsewhere. */
static int lose(struct pglink *link, int code, const char *why, struct err *err)
{
	char said[256];
	snprintf(said, sizeof(said), "%s",
		code == -ENOTCONN && *link->last_word ? link->last_word : why);
	const char *host = pghosts_name(link->hosts);
	err_set(err, code, "%s '%s': %s%s%s; look at the server and the way to it",
		noun(link->is_foreign), pglink_name(link), host, *host ? ": " : "",
		first_line(said));
	pglink_close(link);
	pghosts_move_on(link->hosts);
	return code;
}

static int64_t earlier(int64_t one_ms, int64_t other_ms)
{
	return one_ms < other_ms ? one_ms : other_ms;
}

/* Until then, or until we are to end. */
static int64_t left_ms(const struct pglink *link, int64_t deadline_ms)
{
	int64_t end_by_ms = link->end_by_ms ? atomic_load(link->end_by_ms) : 0;
	return (end_by_ms ? earlier(deadline_ms, end_by_ms) : deadline_ms) - clock_monotonic_ms();
}

/* False: the deadline (monotonic) has passed. */
static bool wait_for_socket(const struct pglink *link, short events, int64_t deadline_ms)
{
	struct pollfd socket = {.fd = PQsocket(link->conn), .events = events};
	for (int64_t left; (left = left_ms(link, deadline_ms)) > 0;) {
		int ready = poll(&socket, 1, (int)earlier(left, LOOK_MS));
		if (ready > 0 || (ready < 0 && errno != EINTR))
			return true;
	}
	return false;
}

static int resolve(struct pglink *link, int64_t deadline_ms, struct err *err)
{
	int failed = -ETIMEDOUT;
	err_set(err, failed, "no time left to look its name up");
	for (int64_t left; failed == -ETIMEDOUT && (left = left_ms(link, deadline_ms)) > 0;)
		failed = pghosts_resolve(
			link->hosts, clock_monotonic_ms() + earlier(left, LOOK_MS), err);
	return failed;
}

/* What ends the connection while nothing is asked comes as a notice. */
static void on_notice(void *ctx, const PGresult *notice)
{
	struct pglink *link = ctx;
	const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *said = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
	/* Servers before 9.6, and poolers, say it in the language of people alone. */
	if (!severity)
		severity = PQresultErrorField(notice, PG_DIAG_SEVERITY);
	if (said && severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
		snprintf(link->last_word, sizeof(link->last_word), "%s", said);
}

static int not_in_time(const struct pglink *link, const char *doing, struct err *err)
{
	return err_set(
		err, -ETIMEDOUT, "no answer within %lld ms %s", (long long)link->timeout_ms, doing);
}

static int say(struct pglink *link, struct err *err)
{
	const char *said = PQerrorMessage(link->conn);
	return err_set(err, -ENOTCONN, "%s", *link->last_word ? link->last_word : said);
}

/* Is the database one that can hold what we have? */
static int check_encoding(const struct pglink *link, struct err *err)
{
	const char *encoding = PQparameterStatus(link->conn, "server_encoding");
	if (link->is_foreign || !encoding || strcmp(encoding, "UTF8") == 0)
		return 0;
	return err_set(err, -ENOTSUP,
		"the database's encoding is %s, not UTF8: make one with encoding 'UTF8'", encoding);
}

/* Goes as far as the server's greeting. */
static int greet(struct pglink *link, int64_t deadline_ms, struct err *err)
{
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;
	if (PQstatus(link->conn) == CONNECTION_BAD)
		state = PGRES_POLLING_FAILED;
	while (state != PGRES_POLLING_OK) {
		if (state == PGRES_POLLING_FAILED)
			return say(link, err);
		if (!wait_for_socket(
			    link, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ms))
			return not_in_time(link, "to the attempt to connect", err);
		state = PQconnectPoll(link->conn);
	}
	if (PQsetnonblocking(link->conn, 1) != 0 || !PQenterPipelineMode(link->conn))
		return say(link, err);
	const char *version = PQparameterStatus(link->conn, "server_version");
	snprintf(link->version, sizeof(link->version), "PostgreSQL %s", version ? version : "");
	return check_encoding(link, err);
}

/* To the present host, by its present address. */
static int connect_host(
	struct pglink *link, const char *password, int64_t deadline_ms, struct err *err)
{
	int failed = resolve(link, deadline_ms, err);
	if (failed)
		return failed;
	struct pgurl_parameters parameters;
	pghosts_parameters(link->hosts, &parameters);
	if (password)
		pgurl_set(&parameters, "password", password);
	pgurl_set(&parameters, "client_encoding", "UTF8");
	if (!pgurl_parameter(link->url, "target_session_attrs"))
		pgurl_set(&parameters, "target_session_attrs", "read-write");
	if (!pgurl_parameter(link->url, "application_name"))
		pgurl_set(&parameters, "application_name", "mailpush");
	*link->last_word = '\0';
	link->conn = PQconnectStartParams(parameters.names, parameters.values, 0);
	if (!link->conn)
		return err_set(err, -ENOMEM, "out of memory");
	PQsetNoticeReceiver(link->conn, on_notice, link);
	return greet(link, deadline_ms, err);
}

/* To the first that can be had, until the deadline; what is not tried is tried next time. */
static int connect_any(struct pglink *link, const char *password, struct err *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + link->timeout_ms;
	uint64_t round = pghosts_moves(link->hosts) + pgurl_host_count(link->url);
	char causes[ERR_TEXT_MAX] = "";
	int failed;
	do {
		struct err why;
		failed = connect_host(link, password, deadline_ms, &why);
		if (!failed)
			return 0;
		const char *host = pghosts_name(link->hosts);
		size_t used = strlen(causes);
		snprintf(causes + used, sizeof(causes) - used, "%s%s%s%.200s", used ? "; " : "",
			host, *host ? ": " : "", first_line(why.text));
		pglink_close(link);
		pghosts_move_on(link->hosts);
	} while (pghosts_moves(link->hosts) < round && left_ms(link, deadline_ms) > 0);
	return err_set(err, failed == -ENOENT ? -ENOTCONN : failed,
		"%s '%s': %s; look at the server and the way to it", noun(link->is_foreign),
		pglink_name(link), causes);
}

/* The server may have closed it while nobody asked. */
static bool is_alive(struct pglink *link)
{
	if (!link->conn)
		return false;
	struct pollfd socket = {.fd = PQsocket(link->conn), .events = POLLIN};
	if (poll(&socket, 1, 0) > 0 && !PQconsumeInput(link->conn))
		return false;
	return PQstatus(link->conn) == CONNECTION_OK;
}

int pglink_connect(struct pglink *link, bool *ret_is_new, struct err *err)
{
	if (is_alive(link)) {
		*ret_is_new = false;
		return 0;
	}
	pglink_close(link);
	char password[PASSWORD_FILE_MAX];
	int failed = pgurl_check_files(link->url, err);
	if (!failed && link->password_file)
		failed = password_file_read(link->password_file, password, err);
	if (failed)
		err_prefix(err, failed, "%s '%s'", noun(link->is_foreign), pglink_name(link));
	else
		failed = connect_any(link, link->password_file ? password : NULL, err);
	explicit_bzero(password, sizeof(password));
	if (!failed)
		*ret_is_new = true;
	return failed;
}

int pglink_send(struct pglink *link, const char *sql, const struct pgvalues *values,
	pglink_rows_fn *on_rows, void *ctx, size_t index, struct err *err)
{
	if (!link->conn)
		return err_set(err, -ENOTCONN, "%s '%s': not connected", noun(link->is_foreign),
			pglink_name(link));
	if (pgvalues_size(values) > PGVALUES_SIZE_MAX)
		return err_set(err, -EILSEQ,
			"%s '%s': so much does not go into one statement: %zu bytes",
			noun(link->is_foreign), pglink_name(link), pgvalues_size(values));
	if (!pgvalues_send(values, link->conn, sql))
		return lose(link, -ENOTCONN, PQerrorMessage(link->conn), err);
	link->sent = mem_realloc_array(link->sent, link->sent_count + 1, sizeof(*link->sent));
	link->sent[link->sent_count++] = (struct sent){on_rows, ctx, index};
	return 0;
}

/*
 * Until there is an answer to be read; all that was sent goes out meanwhile.  What the server said
 * before it closed the connection is an answer too.
 */
static int wait_for_answer(struct pglink *link, int64_t deadline_ms, struct err *err)
{
	bool is_lost = false;
	for (;;) {
		int unsent = PQflush(link->conn);
		if (!PQisBusy(link->conn))
			return 0;
		if (unsent < 0 || is_lost)
			return lose(link, -ENOTCONN, PQerrorMessage(link->conn), err);
		short events = (short)(POLLIN | (unsent > 0 ? POLLOUT : 0));
		if (!wait_for_socket(link, events, deadline_ms)) {
			struct err why;
			return lose(link, not_in_time(link, "to a statement", &why), why.text, err);
		}
		is_lost = !PQconsumeInput(link->conn);
	}
}

static int fail(struct pglink *link, const PGresult *result, struct err *err)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *said = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	int code = pgstate_code(state);
	if (!said)
		said = PQresultErrorMessage(result);
	return err_set(err, code, "%s '%s': %.200s (%s); %s", noun(link->is_foreign),
		pglink_name(link), said, state ? state : "no state",
		link->is_foreign ? "look at the url and at the user's rights"
				 : pgstate_remedy(code));
}

static int lose_for(struct pglink *link, const char *what, struct err *err)
{
	mem_auto char *why = mem_printf("the server's answer is malformed: %s", what);
	return lose(link, -ENOTCONN, why, err);
}

/* How far the answers to what was sent are read. */
struct reading {
	size_t at; /* the statement */
	bool is_answered;
	int failed; /* of the first that failed */
};

/* Each statement has one answer, and NULL stands behind it.  Returns what is malformed, or NULL. */
static const char *take(
	struct pglink *link, struct reading *reading, const PGresult *result, struct err *err)
{
	ExecStatusType status = result ? PQresultStatus(result) : PGRES_COMMAND_OK;
	bool is_good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
	/* The Sync itself may fail too. */
	bool is_error = status == PGRES_FATAL_ERROR || status == PGRES_PIPELINE_ABORTED;
	if (!is_good && !is_error)
		return "it is of a kind that no statement asks for";
	if (reading->at > link->sent_count ||
		(!is_error && reading->at == link->sent_count && !reading->is_answered))
		return "there are more answers than statements";
	if ((result != NULL) == reading->is_answered)
		return result ? "a statement has two answers" : "a statement has no answer";
	reading->is_answered = result != NULL;
	if (!result) {
		reading->at++;
	} else if (is_error) {
		if (status == PGRES_FATAL_ERROR && !reading->failed)
			reading->failed = fail(link, result, err);
	} else if (!reading->failed && link->sent[reading->at].on_rows) {
		const struct sent *sent = &link->sent[reading->at];
		return sent->on_rows(sent->ctx, sent->index, result);
	}
	return NULL;
}

/* Answers in the order of the statements, up to the Sync behind the last. */
static int read_answers(struct pglink *link, int64_t deadline_ms, struct err *err)
{
	for (struct reading reading = {0};;) {
		int lost = wait_for_answer(link, deadline_ms, err);
		if (lost)
			return lost;
		PGresult *result = PQgetResult(link->conn);
		bool is_end = result && PQresultStatus(result) == PGRES_PIPELINE_SYNC;
		const char *malformed = NULL;
		if (!is_end)
			malformed = take(link, &reading, result, err);
		else if (!reading.failed && reading.at < link->sent_count)
			malformed = "there are fewer answers than statements";
		PQclear(result);
		if (!malformed && is_end)
			return reading.failed;
		if (PQstatus(link->conn) == CONNECTION_BAD)
			return reading.failed
				? reading.failed
				: lose(link, -ENOTCONN, PQerrorMessage(link->conn), err);
		if (malformed)
			return lose_for(link, malformed, err);
	}
}

int pglink_wait(struct pglink *link, struct err *err)
{
	if (link->sent_count == 0)
		return 0;
	int64_t deadline_ms = clock_monotonic_ms() + link->timeout_ms;
	if (!PQpipelineSync(link->conn))
		return lose(link, -ENOTCONN, PQerrorMessage(link->conn), err);
	int failed = read_answers(link, deadline_ms, err);
	link->sent_count = 0;
	if (link->round_trips)
		atomic_fetch_add(link->round_trips, 1);
	if (failed == -ENOTCONN || failed == -ETIMEDOUT) {
		/* The server says so, and nothing of this connection can go on. */
		if (link->conn)
			pghosts_move_on(link->hosts);
		pglink_close(link);
	}
	return failed;
}

int pglink_ask(struct pglink *link, const char *sql, const struct pgvalues *values,
	pglink_rows_fn *on_rows, void *ctx, struct err *err)
{
	int failed = pglink_send(link, sql, values, on_rows, ctx, 0, err);
	return failed ? failed : pglink_wait(link, err);
}

void pglink_rollback(struct pglink *link)
{
	if (!link->conn)
		return;
	/* What was sent and not waited for is undone with the connection. */
	if (link->sent_count > 0) {
		pglink_close(link);
		return;
	}
	struct err err;
	if (PQtransactionStatus(link->conn) != PQTRANS_IDLE &&
		pglink_ask(link, "ROLLBACK", NULL, NULL, NULL, &err) != 0)
		pglink_close(link);
}
