#include "doctor/doctor_imap.h"

#include "base/buf.h"
#include "doctor/doctor_cyrus.h"
#include "doctor/greeting.h"

#include <curl/curl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_S 5L
#define ANSWER_MAX (64 * 1024)

static unsigned port_of(const char *name)
{
	unsigned number;
	char rest;
	if (sscanf(name, "%5u%c", &number, &rest) == 1)
		return number;
	/* A small system may have no list of services. */
	if (!strcmp(name, "imap"))
		return 143;
	if (!strcmp(name, "imaps"))
		return 993;
	const struct servent *service = getservbyname(name, "tcp");
	return service ? ntohs((uint16_t)service->s_port) : 0;
}

bool doctor_imap_is_tls(const struct cyrusconf_service *service)
{
	return strstr(service->cmd, " -s") != NULL;
}

bool doctor_imap_url(const struct cyrusconf_service *service, char ret[DOCTOR_IMAP_URL_SIZE])
{
	const char *listen = service->listen;
	const char *colon = strrchr(listen, ':');
	int size = colon ? (int)(colon - listen) : 0;
	unsigned port = port_of(colon ? colon + 1 : listen);
	bool is_any = !size || !strncmp(listen, "*:", 2) || !strncmp(listen, "0.0.0.0:", 8) ||
		!strncmp(listen, "[::]:", 5);
	if (*listen == '/' || !port || size > 255)
		return false;
	snprintf(ret, DOCTOR_IMAP_URL_SIZE, "%s://%.*s:%u/",
		doctor_imap_is_tls(service) ? "imaps" : "imap", is_any ? 9 : size,
		is_any ? "localhost" : listen, port);
	return true;
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *ctx)
{
	struct buf *said = ctx;
	if (said->used + size * count > ANSWER_MAX)
		return 0;
	buf_append(said, bytes, size * count);
	return size * count;
}

/* It does not log in: it needs only the greeting and the capabilities. */
static CURLcode listen_to(const char *url, long use_ssl, struct buf *said)
{
	CURL *curl = curl_easy_init();
	if (!curl)
		abort(); /* out of memory */
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, ANSWER_S);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "NOOP");
	curl_easy_setopt(curl, CURLOPT_USE_SSL, use_ssl);
	/* The certificate is not verified: nothing secret is sent. */
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_bytes);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, said);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, said);
	CURLcode code = curl_easy_perform(curl);
	curl_easy_cleanup(curl);
	return code;
}

const char *doctor_imap_try_tls(const char *url, enum doctor_imap_tls tls)
{
	buf_auto struct buf said;
	buf_init(&said);
	CURLcode code = listen_to(
		url, tls == DOCTOR_IMAP_STARTTLS ? CURLUSESSL_ALL : CURLUSESSL_NONE, &said);
	return code == CURLE_OK ? NULL : curl_easy_strerror(code);
}

bool doctor_imap_examine(struct report *findings, const struct cyrusconf *services)
{
	char url[DOCTOR_IMAP_URL_SIZE];
	for (unsigned i = 0; i < services->count; i++) {
		const struct cyrusconf_service *service = &services->services[i];
		if (!cyrusconf_runs(service, "imapd") || !doctor_imap_url(service, url))
			continue;
		struct greeting greeting;
		buf_auto struct buf said;
		buf_init(&said);
		CURLcode code = listen_to(url, CURLUSESSL_NONE, &said);
		if (!said.used) {
			report_add(findings, REPORT_FAIL, "imap", "Cyrus does not answer at %s: %s",
				url, curl_easy_strerror(code));
			report_run(findings, "systemctl start cyrus-imapd");
			return false;
		}
		greeting_parse(buf_text(&said), &greeting);
		doctor_cyrus_judge_greeting(findings, &greeting);
		return true;
	}
	report_add(findings, REPORT_WARN, "imap",
		"cyrus.conf has no imapd to ask whether it offers push");
	return false;
}
