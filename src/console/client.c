#include "console/client.h"

#include "base/buf.h"
#include "base/mem.h"
#include "console/format.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define TIMEOUT_S 30L /* the longest answers, those to pushes, take half of that */
#define HEALTH_TIMEOUT_S 5L
#define ANSWER_MAX (64 * 1024 * 1024)
#define LINE_MAX_BYTES (1024 * 1024)
#define BASE "http://mailpushd"
#define SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)
#define NOT_ALLOWED                                                 \
	"not allowed to use %s: be root, or let control_users and " \
	"control_group of mailpush.conf name you"

#define NOT_MAILPUSHD                                                                           \
	"the answer is %s: another program or version than this mailpushctl's serves %s; name " \
	"another socket with "                                                                  \
	"--socket, or `systemctl restart mailpush` after an upgrade"

static const char *socket_path;
static CURL *curl;

void client_init(const char *socket)
{
	socket_path = socket;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	curl = curl_easy_init();
	if (!curl)
		abort(); /* out of memory */
}

bool client_use(const char *socket)
{
	bool is_other = strcmp(socket, socket_path) != 0;
	socket_path = socket;
	return is_other;
}

void client_fini(void)
{
	curl_easy_cleanup(curl);
	curl_global_cleanup();
}

char *client_escape(const char *text)
{
	char *escaped = curl_easy_escape(curl, text, 0);
	if (!escaped)
		abort(); /* out of memory */
	char *copy = mem_dup(escaped);
	curl_free(escaped);
	return copy;
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *ctx)
{
	struct buf *answer = ctx;
	if (answer->used + size * count > ANSWER_MAX)
		return 0;
	buf_append(answer, bytes, size * count);
	return size * count;
}

static size_t on_nothing(char *bytes, size_t size, size_t count, void *ctx)
{
	(void)bytes;
	(void)ctx;
	return size * count;
}

static void prepare(const char *url, long timeout_s)
{
	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, timeout_s);
}

/* It did not answer: does it work otherwise? */
static void explain_silence(struct err *err)
{
	long status = 0;
	prepare(BASE "/healthz", HEALTH_TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_nothing);
	if (curl_easy_perform(curl) == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200)
		err_set(err, -ETIMEDOUT,
			"mailpushd works, but did not answer this for %ld s: it waits for a "
			"database, and what was asked may still be done; `mailpushctl status` "
			"shows its alarms",
			TIMEOUT_S);
	else
		err_set(err, -ETIMEDOUT,
			"mailpushd hangs: it did not answer for %ld s; `systemctl restart "
			"mailpush`, and see `journalctl -u mailpush` for what it was doing",
			TIMEOUT_S);
}

/* Explains to a person why the connection itself failed. */
static enum client_exit explain_failure(CURLcode code, struct err *err)
{
	long system = 0;
	if (strlen(socket_path) > SOCKET_PATH_MAX) {
		err_set(err, -ENAMETOOLONG,
			"the path of the control socket is too long: a socket's has at most %zu "
			"bytes, this one %zu: %s",
			SOCKET_PATH_MAX, strlen(socket_path), socket_path);
		return CLIENT_FAILED;
	}
	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &system);
	if (code == CURLE_COULDNT_CONNECT && system == EACCES) {
		err_set(err, -EACCES, NOT_ALLOWED, socket_path);
		return CLIENT_NOT_ALLOWED;
	}
	if (code == CURLE_COULDNT_CONNECT) {
		err_set(err, -ECONNREFUSED,
			"mailpushd is not running (no program serves %s); start it with "
			"`systemctl start mailpush`, and see `journalctl -u mailpush` for why it "
			"stopped; if control_socket is set in mailpush.conf, name it with "
			"--socket",
			socket_path);
		return CLIENT_NOT_RUNNING;
	}
	if (code == CURLE_OPERATION_TIMEDOUT)
		explain_silence(err);
	else if (code == CURLE_WRITE_ERROR)
		err_set(err, -EMSGSIZE, NOT_MAILPUSHD, "too large", socket_path);
	else
		err_set(err, -EIO,
			"no answer from mailpushd at %s: %s; see `journalctl -u mailpush`",
			socket_path, curl_easy_strerror(code));
	return CLIENT_FAILED;
}

static enum client_exit explain_refusal(long status, const char *text, struct err *err)
{
	json_t *json = json_loads(text, 0, NULL);
	const char *error = json_string_value(json_object_get(json, "error"));
	char printable[ERR_TEXT_MAX];
	format_printable(error ? error : "mailpushd refused, and did not say why", printable,
		sizeof(printable));
	if (status == 403)
		err_set(err, -EACCES, NOT_ALLOWED, socket_path);
	else
		err_set(err, -EINVAL, "%s", printable);
	json_decref(json);
	return status == 403 ? CLIENT_NOT_ALLOWED : CLIENT_FAILED;
}

enum client_exit client_try(
	const char *method, const char *path, json_t *body, json_t **ret, struct err *err)
{
	mem_auto char *url = mem_printf(BASE "%s", path);
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	buf_auto struct buf answer;
	buf_init(&answer);
	prepare(url, TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
	if (text)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
	CURLcode code = curl_easy_perform(curl);
	free(text);
	json_decref(body);
	if (code != CURLE_OK)
		return explain_failure(code, err);
	long status = 0;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return explain_refusal(status, buf_text(&answer), err);
	json_t *json = json_loadb(buf_text(&answer), answer.used, 0, NULL);
	if (!json_is_object(json)) {
		err_set(err, -EPROTO, NOT_MAILPUSHD, "no JSON object", socket_path);
		json_decref(json);
		return CLIENT_FAILED;
	}
	*ret = json;
	return CLIENT_FINE;
}

enum client_exit client_ask(const char *method, const char *path, json_t *body, json_t **ret)
{
	struct err err;
	enum client_exit result = client_try(method, path, body, ret, &err);
	if (result)
		fprintf(stderr, "mailpushctl: %s\n", err.text);
	return result;
}

struct following {
	struct buf rest;
	void (*line)(const char *text);
};

static size_t on_more(char *bytes, size_t size, size_t count, void *ctx)
{
	struct following *following = ctx;
	struct buf *rest = &following->rest;
	long status = 0;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (rest->used + size * count > LINE_MAX_BYTES)
		return 0;
	buf_append(rest, bytes, size * count);
	if (status != 200)
		return size * count;
	char *end;
	while (rest->used && (end = memchr(rest->data, '\n', rest->used))) {
		*end = '\0';
		if (end != (char *)rest->data)
			following->line((const char *)rest->data);
		buf_consume(rest, (size_t)(end - (char *)rest->data) + 1);
	}
	return size * count;
}

enum client_exit client_follow(const char *path, void (*line)(const char *text))
{
	mem_auto char *url = mem_printf(BASE "%s", path);
	struct following following = {.line = line};
	buf_init(&following.rest);
	prepare(url, 0);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_more);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &following);
	CURLcode code = curl_easy_perform(curl);
	long status = 0;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	enum client_exit result = CLIENT_FINE;
	struct err err;
	if ((code != CURLE_OK && status == 0) || code == CURLE_WRITE_ERROR)
		result = explain_failure(code, &err);
	else if (status != 200)
		result = explain_refusal(status, buf_text(&following.rest), &err);
	else {
		err_set(&err, -EPIPE, "mailpushd has stopped");
		result = CLIENT_NOT_RUNNING;
	}
	fprintf(stderr, "mailpushctl: %s\n", err.text);
	buf_fini(&following.rest);
	return result;
}
