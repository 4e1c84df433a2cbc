#include "alert/mail_send.h"

#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_MS 5000
#define ANSWER_SIZE 200

struct mail_send {
	uv_loop_t *loop;
	char *url;
	char *address;
	uv_work_t work;
	bool is_busy;
	bool is_freed;
	atomic_bool is_given_up;
	struct buf message;
	size_t read; /* of the message */
	char *path;
	struct buf record;
	char failure[CURL_ERROR_SIZE + ANSWER_SIZE + 32]; /* "": none */
	char answer[ANSWER_SIZE];			  /* the last line that refuses */
	char disk_failure[ERR_TEXT_MAX];
	mail_send_done_fn *done;
	void *ctx;
};

struct mail_send *mail_send_new(const struct mail_send_settings *settings)
{
	struct mail_send *send = mem_alloc_zero(1, sizeof(*send));
	bool is_address = strchr(settings->host, ':');
	curl_global_init(CURL_GLOBAL_DEFAULT);
	send->loop = settings->loop;
	send->url = mem_printf("smtp://%s%s%s:%u", is_address ? "[" : "", settings->host,
		is_address ? "]" : "", settings->port);
	send->address = mem_printf("<%s>", settings->address);
	return send;
}

static void free_now(struct mail_send *send)
{
	buf_fini(&send->message);
	buf_fini(&send->record);
	free(send->url);
	free(send->address);
	free(send->path);
	free(send);
	curl_global_cleanup();
}

void mail_send_free(struct mail_send *send)
{
	if (!send)
		return;
	send->is_freed = true;
	atomic_store(&send->is_given_up, true);
	if (!send->is_busy)
		free_now(send);
}

bool mail_send_is_busy(const struct mail_send *send)
{
	return send->is_busy;
}

static size_t on_read(char *to, size_t size, size_t count, void *ctx)
{
	struct mail_send *send = ctx;
	size_t left = send->message.used - send->read;
	size_t n = size * count < left ? size * count : left;
	if (n)
		memcpy(to, send->message.data + send->read, n);
	send->read += n;
	return n;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct mail_send *send = ctx;
	(void)a, (void)b, (void)c, (void)d;
	return atomic_load(&send->is_given_up);
}

static size_t on_answer(char *bytes, size_t size, size_t count, void *ctx)
{
	(void)bytes, (void)ctx;
	return size * count;
}

static size_t on_line(char *bytes, size_t size, size_t count, void *ctx)
{
	struct mail_send *send = ctx;
	size_t n = size * count;
	if (n && (*bytes == '4' || *bytes == '5')) {
		snprintf(send->answer, sizeof(send->answer), "%.*s", (int)n, bytes);
		send->answer[strcspn(send->answer, "\r\n")] = '\0';
	}
	return n;
}

/* libcurl says no more than the number of a refusal. */
static void add_answer(struct mail_send *send)
{
	size_t used = strlen(send->failure);
	mem_auto char *number = mem_printf("%.3s", send->answer);
	if (*number && strstr(send->failure, number))
		snprintf(send->failure + used, sizeof(send->failure) - used,
			" (the server says: %s)", send->answer);
}

static CURLcode talk(struct mail_send *send, CURL *curl, struct curl_slist *to)
{
	curl_easy_setopt(curl, CURLOPT_URL, send->url);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)MAIL_SEND_MS);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, send->failure);
	curl_easy_setopt(curl, CURLOPT_MAIL_FROM, send->address);
	curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to);
	curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(curl, CURLOPT_READDATA, send);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_line);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, send);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, send);
	return curl_easy_perform(curl);
}

static int write_all(int fd, const struct buf *bytes)
{
	size_t written = 0;
	while (written < bytes->used) {
		ssize_t n = write(fd, bytes->data + written, bytes->used - written);
		if (n < 0)
			return -errno;
		written += (size_t)n;
	}
	return 0;
}

static void replace_file(struct mail_send *send)
{
	mem_auto char *fresh = mem_printf("%s.new", send->path);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int failed = fd < 0 ? -errno : write_all(fd, &send->record);
	if (fd >= 0 && close(fd) && !failed)
		failed = -errno;
	if (!failed && rename(fresh, send->path))
		failed = -errno;
	if (failed)
		snprintf(send->disk_failure, sizeof(send->disk_failure), "%s", strerror(-failed));
}

static void on_work(uv_work_t *work)
{
	struct mail_send *send = work->data;
	CURL *curl = curl_easy_init();
	struct curl_slist *to = curl_slist_append(NULL, send->address);
	if (!curl || !to)
		abort(); /* out of memory */
	CURLcode code = talk(send, curl, to);
	if (code && !*send->failure)
		snprintf(send->failure, sizeof(send->failure), "%s", curl_easy_strerror(code));
	if (code)
		add_answer(send);
	else
		*send->failure = '\0';
	curl_slist_free_all(to);
	curl_easy_cleanup(curl);
	if (!code && send->path)
		replace_file(send);
}

static void on_worked(uv_work_t *work, int cancelled)
{
	struct mail_send *send = work->data;
	(void)cancelled;
	send->is_busy = false;
	if (send->is_freed) {
		free_now(send);
		return;
	}
	if (*send->disk_failure)
		log_seldom(LOG_LEVEL_WARN, "alarm", "the record of mailed alarms cannot be written",
			"",
			"cannot write which alarms were mailed; after a restart they may be mailed "
			"again",
			log_text("file", send->path), log_text("why", send->disk_failure));
	send->done(send->ctx, *send->failure ? send->failure : NULL);
}

void mail_send_start(struct mail_send *send, struct buf *message, const char *path,
	struct buf *record, mail_send_done_fn *done, void *ctx)
{
	assert(!send->is_busy);
	buf_fini(&send->message);
	send->message = *message;
	buf_init(message);
	send->read = 0;
	free(send->path);
	send->path = path ? mem_dup(path) : NULL;
	buf_fini(&send->record);
	if (record) {
		send->record = *record;
		buf_init(record);
	}
	*send->failure = *send->answer = *send->disk_failure = '\0';
	send->done = done;
	send->ctx = ctx;
	send->is_busy = true;
	send->work.data = send;
	uv_queue_work(send->loop, &send->work, on_work, on_worked);
}
