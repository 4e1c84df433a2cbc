#include "mariadb/marialink.h"

#include "base/clock.h"
#include "base/mem.h"
#include "driver/lookup.h"
#include "driver/password_file.h"
#include "driver/regular_file.h"
#include "mariadb/mariacode.h"
#include "mariadb/mariaurl.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errmsg.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* A deadline that comes nearer meanwhile is noticed within so long. */
#define LOOK_MS 500
/* The bound of a statement: what the largest row needs, and what does no harm. */
#define PACKET_MIN (INT64_C(64) * 1024)
#define PACKET_MAX (INT64_C(4) * 1024 * 1024)

/* A statement whose answer has not come. */
struct sent {
	marialink_rows_fn *on_rows;
	void *ctx;
	size_t index;
};

struct marialink {
	struct mariaurl *url;
	bool is_foreign;
	MYSQL_RES *stream; /* being read, or NULL */
	char *password_file;
	int64_t timeout_ms;
	atomic_uint_fast64_t *round_trips;
	const atomic_int_least64_t *end_by_ms; /* may be NULL */
	struct lookup **lookups; /* one a host; NULL: its name is not being looked up */
	MYSQL *conn;		 /* NULL: closed */
	size_t host;		 /* of the connection, or to be tried next */
	char version[64];
	size_t packet_size; /* that the server takes */
	bool is_read_only;  /* the server, when it was asked */
	bool is_in_cluster; /* likewise */
	struct buf text;    /* of what is gathered */
	struct sent *sent;
	size_t sent_count;
};

static const char *noun(bool is_foreign)
{
	return is_foreign ? "database" : "registry";
}

int marialink_new(
	const struct marialink_settings *settings, struct marialink **ret, struct err *err)
{
	struct mariaurl *url = NULL;
	struct err why;
	int failed = mariaurl_new(settings->place, &url, &why);
	if (failed)
		return err_set(err, failed, "%s: its url %s", noun(settings->is_foreign), why.text);
	struct marialink *link = mem_alloc_zero(1, sizeof(*link));
	link->url = url;
	link->is_foreign = settings->is_foreign;
	link->password_file = settings->password_file ? mem_dup(settings->password_file) : NULL;
	link->timeout_ms = settings->timeout_ms;
	link->round_trips = settings->round_trips;
	link->end_by_ms = settings->end_by_ms;
	link->lookups = mem_alloc_zero(url->host_count, sizeof(struct lookup *));
	link->packet_size = (size_t)PACKET_MIN;
	buf_init(&link->text);
	*ret = link;
	return 0;
}

void marialink_free(struct marialink *link)
{
	if (!link)
		return;
	marialink_close(link);
	buf_fini(&link->text);
	free(link->sent);
	for (size_t i = 0; i < link->url->host_count; i++)
		lookup_free(link->lookups[i]);
	free(link->lookups);
	mariaurl_free(link->url);
	free(link->password_file);
	free(link);
}

const char *marialink_name(const struct marialink *link)
{
	return link->url->name;
}

const char *marialink_host(const struct marialink *link)
{
	return link->url->hosts[link->host].shown;
}

const char *marialink_server_version(const struct marialink *link)
{
	return link->version;
}

bool marialink_is_in_cluster(const struct marialink *link)
{
	return link->is_in_cluster;
}

static void forget_gathered(struct marialink *link)
{
	link->sent_count = 0;
	buf_clear(&link->text);
}

void marialink_close(struct marialink *link)
{
	/* What is left of it would be waited for. */
	if (link->stream) {
		shutdown(mysql_get_socket(link->conn), SHUT_RDWR);
		mysql_free_result(link->stream);
		link->stream = NULL;
	}
	if (link->conn)
		mysql_close(link->conn);
	link->conn = NULL;
	forget_gathered(link);
}

static const char *remedy(const struct marialink *link, int code)
{
	return link->is_foreign && (code == -ENOTSUP || code == -EACCES)
		? "look at the url and at the user's rights"
		: mariacode_remedy(code);
}

static void leave(struct marialink *link)
{
	/* Its farewell would wait for a server that reads nothing. */
	if (link->conn)
		shutdown(mysql_get_socket(link->conn), SHUT_RDWR);
	marialink_close(link);
	link->host = (link->host + 1) % link->url->host_count;
}

static int lose(struct marialink *link, int code, const char *why, struct err *err)
{
	const char *host = link->url->hosts[link->host].shown;
	int failed = err_set(err, code, "%s '%s': %s%s%.300s; %s", noun(link->is_foreign),
		marialink_name(link), host, *host ? ": " : "", why, remedy(link, code));
	leave(link);
	return failed;
}

static int lose_for(struct marialink *link, const char *what, struct err *err)
{
	mem_auto char *why = mem_printf("the server's answer is malformed: %s", what);
	return lose(link, -ENOTCONN, why, err);
}

int marialink_leave(struct marialink *link, const char *why, struct err *err)
{
	return lose(link, -ENOTCONN, why, err);
}

static unsigned whole_seconds(int64_t ms)
{
	return ms <= 1000 ? 1 : (unsigned)((ms + 999) / 1000);
}

static int64_t earlier(int64_t one_ms, int64_t other_ms)
{
	return one_ms < other_ms ? one_ms : other_ms;
}

/* Until then, or until we are to end. */
static int64_t left_ms(const struct marialink *link, int64_t deadline_ms)
{
	int64_t end_by_ms = link->end_by_ms ? atomic_load(link->end_by_ms) : 0;
	return (end_by_ms ? earlier(deadline_ms, end_by_ms) : deadline_ms) - clock_monotonic_ms();
}

static int64_t deadline_of(const struct marialink *link)
{
	return clock_monotonic_ms() + link->timeout_ms;
}

/* For what the library waits for; says what of it came.  0: the deadline has passed. */
static int wait_for(const struct marialink *link, int wanted, int64_t deadline_ms)
{
	struct pollfd socket = {.fd = mysql_get_socket(link->conn)};
	socket.events = (short)((wanted & MYSQL_WAIT_READ ? POLLIN : 0) |
		(wanted & MYSQL_WAIT_WRITE ? POLLOUT : 0) |
		(wanted & MYSQL_WAIT_EXCEPT ? POLLPRI : 0));
	int64_t until_ms = INT64_MAX;
	if (wanted & MYSQL_WAIT_TIMEOUT)
		until_ms = clock_monotonic_ms() + mysql_get_timeout_value_ms(link->conn);
	for (int64_t left; (left = left_ms(link, deadline_ms)) > 0;) {
		int64_t library_ms = until_ms - clock_monotonic_ms();
		if (library_ms <= 0)
			return MYSQL_WAIT_TIMEOUT;
		int64_t wait_ms = earlier(earlier(left, library_ms), LOOK_MS);
		if (poll(&socket, 1, (int)wait_ms) <= 0)
			continue;
		bool is_over = socket.revents & (POLLERR | POLLHUP | POLLNVAL);
		int came = (socket.revents & POLLIN || is_over ? MYSQL_WAIT_READ : 0) |
			(socket.revents & POLLOUT || is_over ? MYSQL_WAIT_WRITE : 0) |
			(socket.revents & POLLPRI ? MYSQL_WAIT_EXCEPT : 0);
		return came & wanted;
	}
	return 0;
}

/*
 * A call of the library that does not block: begins it, and goes on with it until it is done.
 * False: the deadline has passed, and the connection is of no more use.
 */
#define WAITED(link, deadline_ms, begin, go_on)                          \
	({                                                               \
		int status_ = begin;                                     \
		bool is_in_time_ = true;                                 \
		while (status_ && is_in_time_) {                         \
			int came = wait_for(link, status_, deadline_ms); \
			is_in_time_ = came != 0;                         \
			if (is_in_time_)                                 \
				status_ = go_on;                         \
		}                                                        \
		is_in_time_;                                             \
	})

static int fail_in_time(struct marialink *link, const char *doing, struct err *err)
{
	mem_auto char *why =
		mem_printf("no answer within %lld ms %s", (long long)link->timeout_ms, doing);
	return lose(link, -ETIMEDOUT, why, err);
}

/* What the library or the server said last. */
static int fail(struct marialink *link, struct err *err)
{
	unsigned number = mysql_errno(link->conn);
	int code = mariacode_of(number);
	/* Rights on the database that are given later only a new connection has. */
	bool is_lost = code == -ENOTCONN || code == -EACCES ||
		(number >= CR_MIN_ERROR && number <= CR_MAX_ERROR);
	char said[256];
	snprintf(said, sizeof(said), "%.200s (%u)", mysql_error(link->conn), number);
	if (is_lost)
		return lose(link, code, said, err);
	forget_gathered(link);
	return err_set(err, code, "%s '%s': %s; %s", noun(link->is_foreign), marialink_name(link),
		said, remedy(link, code));
}

static bool is_address(const char *name)
{
	uint8_t bytes[sizeof(struct in6_addr)];
	return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/*
 * The library looks names up by itself, and waits for the resolver however long that takes: so not
 * before the resolver has answered us.  Says how many addresses the host has.
 */
static int resolve(
	struct marialink *link, int64_t deadline_ms, size_t *ret_addresses, struct err *err)
{
	const char *name = link->url->hosts[link->host].name;
	*ret_addresses = 1;
	if (!name || strcmp(name, "localhost") == 0 || is_address(name))
		return 0;
	struct lookup **lookup = &link->lookups[link->host];
	if (!*lookup)
		*lookup = lookup_new(name);
	struct err why;
	int failed = -ETIMEDOUT;
	snprintf(why.text, sizeof(why.text), "no time left to look its name up");
	for (int64_t left; failed == -ETIMEDOUT && (left = left_ms(link, deadline_ms)) > 0;)
		failed = lookup_wait(*lookup, clock_monotonic_ms() + earlier(left, LOOK_MS), &why);
	if (!failed)
		*ret_addresses = lookup_count(*lookup);
	if (lookup_is_answered(*lookup))
		lookup_free(mem_steal(*lookup));
	return failed ? lose(link, failed == -ENOENT ? -ENOTCONN : failed, why.text, err) : 0;
}

static void set_options(const struct marialink *link, int64_t deadline_ms, size_t addresses)
{
	const struct mariaurl *url = link->url;
	/* So that an address that says nothing leaves time for the others. */
	const unsigned seconds =
		whole_seconds((deadline_ms - clock_monotonic_ms()) / (int64_t)(addresses + 1));
	const unsigned none = 0;
	const unsigned tcp = MYSQL_PROTOCOL_TCP;
	const my_bool yes = 1;
	const my_bool is_verified = url->tls == MARIAURL_TLS_VERIFIED;
	mysql_options(link->conn, MYSQL_OPT_NONBLOCK, 0);
	if (addresses > 1)
		mysql_options(link->conn, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
	/* Else the library takes localhost for a socket. */
	if (url->hosts[link->host].port)
		mysql_options(link->conn, MYSQL_OPT_PROTOCOL, &tcp);
	/* No server gets files of this machine. */
	mysql_options(link->conn, MYSQL_OPT_LOCAL_INFILE, &none);
	mysql_options(link->conn, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_options4(link->conn, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "mailpush");
	if (url->option_file)
		mysql_options(link->conn, MYSQL_READ_DEFAULT_FILE, url->option_file);
	if (url->option_group)
		mysql_options(link->conn, MYSQL_READ_DEFAULT_GROUP, url->option_group);
	if (url->tls != MARIAURL_TLS_UNSAID) {
		mysql_options(link->conn, MYSQL_OPT_SSL_ENFORCE, &yes);
		mysql_options(link->conn, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &is_verified);
	}
	if (url->ssl_ca)
		mysql_options(link->conn, MYSQL_OPT_SSL_CA, url->ssl_ca);
	if (url->ssl_cert) {
		mysql_options(link->conn, MYSQL_OPT_SSL_CERT, url->ssl_cert);
		mysql_options(link->conn, MYSQL_OPT_SSL_KEY, url->ssl_key);
	}
}

static const char *on_server(void *ctx, size_t index, struct mariarows *rows)
{
	struct marialink *link = ctx;
	const char *malformed = mariavalue_check(rows, 4);
	(void)index;
	if (malformed || !mariavalue_next_row(rows))
		return malformed ? malformed : "it has no row";
	const char *read_only = mariavalue_to_text(rows, 0);
	link->is_read_only = strcmp(read_only, "0") != 0 && strcasecmp(read_only, "OFF") != 0;
	int64_t size = mariavalue_to_number(rows, 1);
	link->packet_size = size < 0 ? 0 : (size_t)(size > PACKET_MAX ? PACKET_MAX : size);
	link->is_in_cluster = mariavalue_to_number(rows, 3) > 0;
	snprintf(link->version, sizeof(link->version), "%s", mariavalue_to_text(rows, 2));
	return NULL;
}

/* What the session needs of the server, and is it one that we can use? */
static int begin_session(struct marialink *link, struct err *err)
{
	char set[512];
	snprintf(set, sizeof(set),
		"SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,"
		"NO_ENGINE_SUBSTITUTION', autocommit = 1,"
		" in_predicate_conversion_threshold = 0, innodb_lock_wait_timeout = %u,"
		" lock_wait_timeout = %u, max_statement_time = %.3f,"
		" idle_transaction_timeout = %u",
		whole_seconds(link->timeout_ms / 2), whole_seconds(link->timeout_ms / 2),
		(double)link->timeout_ms / 1000 * 0.9, 2 * whole_seconds(link->timeout_ms));
	int failed = marialink_send(link, set, NULL, NULL, NULL, 0, err);
	if (!failed)
		failed = marialink_send(link,
			"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", NULL, NULL, NULL,
			0, err);
	if (!failed)
		failed = marialink_ask(link,
			"SELECT @@global.read_only, @@max_allowed_packet, VERSION(),"
			" (SELECT COUNT(*) FROM information_schema.GLOBAL_VARIABLES"
			" WHERE VARIABLE_NAME = 'WSREP_ON' AND VARIABLE_VALUE = 'ON')",
			NULL, on_server, link, err);
	if (failed)
		return failed;
	if (link->is_read_only)
		return lose(link, -ENOTCONN, "the server is read-only", err);
	if (link->packet_size < (size_t)PACKET_MIN)
		return lose(link, -ENOTSUP, "max_allowed_packet is less than 64 kB", err);
	/* Of a cluster: what its other nodes have committed is waited for, else it may be unseen.
	 */
	return link->is_in_cluster
		? marialink_ask(link, "SET SESSION wsrep_sync_wait = 1", NULL, NULL, NULL, err)
		: 0;
}

static int connect_host(
	struct marialink *link, const char *password, int64_t deadline_ms, struct err *err)
{
	const struct mariaurl *url = link->url;
	const struct mariaurl_host *host = &url->hosts[link->host];
	size_t addresses;
	int failed = resolve(link, deadline_ms, &addresses, err);
	if (failed)
		return failed;
	link->conn = mysql_init(NULL);
	if (!link->conn)
		return err_set(err, -ENOMEM, "%s '%s': out of memory", noun(link->is_foreign),
			marialink_name(link));
	set_options(link, deadline_ms, addresses);
	MYSQL *connected = NULL;
	if (!WAITED(link, deadline_ms,
		    mysql_real_connect_start(&connected, link->conn, host->name, url->user,
			    password, url->database, host->port, url->socket,
			    CLIENT_MULTI_STATEMENTS | CLIENT_FOUND_ROWS),
		    mysql_real_connect_cont(&connected, link->conn, came)))
		return fail_in_time(link, "to the attempt to connect", err);
	if (!connected)
		failed = fail(link, err);
	else if (!link->is_foreign)
		failed = begin_session(link, err);
	if (failed && link->conn)
		leave(link);
	return failed;
}

/* To the first that can be had, until the deadline; what is not tried is tried next time. */
static int connect_any(struct marialink *link, const char *password, struct err *err)
{
	int64_t deadline_ms = deadline_of(link);
	int failed = err_set(err, -ETIMEDOUT, "%s '%s': no time left to connect",
		noun(link->is_foreign), marialink_name(link));
	for (size_t i = 0; i < link->url->host_count && failed && left_ms(link, deadline_ms) > 0;
		i++)
		failed = connect_host(link, password, deadline_ms, err);
	return failed;
}

/* The server says nothing unasked, unless it has closed the connection. */
static bool is_alive(const struct marialink *link)
{
	if (!link->conn)
		return false;
	struct pollfd socket = {.fd = mysql_get_socket(link->conn), .events = POLLIN};
	return poll(&socket, 1, 0) == 0;
}

/* The library would wait for a pipe in their place without end. */
static int check_files(const struct mariaurl *url, struct err *err)
{
	const char *const paths[] = {url->option_file, url->ssl_ca, url->ssl_cert, url->ssl_key};
	int failed = 0;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]) && !failed; i++)
		failed = regular_file_check(paths[i], err);
	return failed;
}

int marialink_connect(struct marialink *link, bool *ret_is_new, struct err *err)
{
	if (is_alive(link)) {
		*ret_is_new = false;
		return 0;
	}
	marialink_close(link);
	char password[PASSWORD_FILE_MAX];
	int failed = check_files(link->url, err);
	if (!failed && link->password_file)
		failed = password_file_read(link->password_file, password, err);
	if (failed)
		err_prefix(err, failed, "%s '%s'", noun(link->is_foreign), marialink_name(link));
	else
		failed = connect_any(link, link->password_file ? password : NULL, err);
	explicit_bzero(password, sizeof(password));
	if (!failed)
		*ret_is_new = true;
	return failed;
}

size_t marialink_room(const struct marialink *link)
{
	return link->packet_size / 2;
}

int marialink_send(struct marialink *link, const char *sql, const struct mariavalues *values,
	marialink_rows_fn *on_rows, void *ctx, size_t index, struct err *err)
{
	if (!link->conn)
		return err_set(err, -ENOTCONN, "%s '%s': not connected", noun(link->is_foreign),
			marialink_name(link));
	size_t before = link->text.used;
	if (before > 0)
		buf_append(&link->text, ";", 1);
	size_t begins = link->text.used;
	mariavalues_write(values, sql, &link->text);
	if (before > 0 && link->text.used > link->packet_size - 1024) {
		/* What stood before goes first. */
		buf_auto struct buf last;
		buf_init(&last);
		buf_append(&last, link->text.data + begins, link->text.used - begins);
		link->text.used = before;
		int failed = marialink_wait(link, err);
		if (failed)
			return failed;
		buf_append(&link->text, last.data, last.used);
	}
	link->sent = mem_realloc_array(link->sent, link->sent_count + 1, sizeof(*link->sent));
	link->sent[link->sent_count++] = (struct sent){on_rows, ctx, index};
	return 0;
}

enum course {
	COURSE_GOOD,
	COURSE_FAILED,
	COURSE_TOO_LATE,
	COURSE_MALFORMED,
};

static enum course course(bool is_in_time, bool is_good)
{
	return !is_in_time ? COURSE_TOO_LATE : is_good ? COURSE_GOOD : COURSE_FAILED;
}

static enum course send_gathered(struct marialink *link)
{
	int status = 0;
	bool is_in_time = WAITED(link, deadline_of(link),
		mysql_real_query_start(&status, link->conn, (const char *)link->text.data,
			(unsigned long)link->text.used),
		mysql_real_query_cont(&status, link->conn, came));
	return course(is_in_time, status == 0);
}

static enum course go_to_next(struct marialink *link)
{
	if (!mysql_more_results(link->conn))
		return COURSE_MALFORMED;
	int status = 0;
	bool is_in_time =
		WAITED(link, deadline_of(link), mysql_next_result_start(&status, link->conn),
			mysql_next_result_cont(&status, link->conn, came));
	return course(is_in_time, status == 0);
}

/* `ret_malformed`: what is, then. */
static enum course take_answer(
	struct marialink *link, const struct sent *sent, const char **ret_malformed)
{
	const char *malformed = NULL;
	struct mariarows rows = {0};
	bool is_in_time =
		WAITED(link, deadline_of(link), mysql_store_result_start(&rows.result, link->conn),
			mysql_store_result_cont(&rows.result, link->conn, came));
	if (!is_in_time || mysql_errno(link->conn))
		return course(is_in_time, false);
	if (sent->on_rows)
		malformed = rows.result ? sent->on_rows(sent->ctx, sent->index, &rows)
					: "it has no columns";
	mysql_free_result(rows.result);
	if (!malformed)
		return COURSE_GOOD;
	*ret_malformed = malformed;
	return COURSE_MALFORMED;
}

int marialink_wait(struct marialink *link, struct err *err)
{
	if (link->sent_count == 0)
		return 0;
	assert(link->conn);
	if (link->round_trips)
		atomic_fetch_add(link->round_trips, 1);
	const char *malformed = "there is not one answer to each statement";
	enum course all = send_gathered(link);
	for (size_t i = 0; i < link->sent_count && all == COURSE_GOOD; i++) {
		if (i > 0)
			all = go_to_next(link);
		if (all == COURSE_GOOD)
			all = take_answer(link, &link->sent[i], &malformed);
	}
	if (all == COURSE_GOOD && mysql_more_results(link->conn))
		all = COURSE_MALFORMED;
	if (all == COURSE_MALFORMED)
		return lose_for(link, malformed, err);
	if (all == COURSE_TOO_LATE)
		return fail_in_time(link, "to a statement", err);
	if (all == COURSE_FAILED)
		return fail(link, err);
	forget_gathered(link);
	return 0;
}

int marialink_ask(struct marialink *link, const char *sql, const struct mariavalues *values,
	marialink_rows_fn *on_rows, void *ctx, struct err *err)
{
	int failed = marialink_send(link, sql, values, on_rows, ctx, 0, err);
	return failed ? failed : marialink_wait(link, err);
}

/*
 * In UTC.  A table without an index is not read again for each row of the other: MariaDB has to be
 * told, MySQL takes that for a comment.
 */
int marialink_stream(struct marialink *link, const char *sql, struct err *err)
{
	int failed = marialink_ask(link,
		"SET SESSION time_zone = '+00:00' /*M! , join_cache_level = 8 */", NULL, NULL, NULL,
		err);
	if (!failed)
		failed = marialink_send(link, sql, NULL, NULL, NULL, 0, err);
	if (failed)
		return failed;
	enum course sent = send_gathered(link);
	if (sent == COURSE_TOO_LATE)
		return fail_in_time(link, "to a statement", err);
	if (sent == COURSE_GOOD)
		link->stream = mysql_use_result(link->conn);
	if (!link->stream)
		return fail(link, err);
	forget_gathered(link);
	return 0;
}

int marialink_next_row(struct marialink *link, struct mariarows *rows, struct err *err)
{
	if (!link->stream)
		return 0;
	*rows = (struct mariarows){.result = link->stream};
	if (!WAITED(link, deadline_of(link), mysql_fetch_row_start(&rows->row, link->stream),
		    mysql_fetch_row_cont(&rows->row, link->stream, came)))
		return fail_in_time(link, "to a statement", err);
	if (!rows->row && mysql_errno(link->conn))
		return fail(link, err);
	if (rows->row) {
		rows->sizes = mysql_fetch_lengths(link->stream);
		return 1;
	}
	mysql_free_result(link->stream);
	link->stream = NULL;
	return 0;
}

void marialink_rollback(struct marialink *link)
{
	/* What was not sent yet the server never hears of. */
	forget_gathered(link);
	struct err err;
	if (link->conn && marialink_ask(link, "ROLLBACK", NULL, NULL, NULL, &err) != 0)
		marialink_close(link);
}
