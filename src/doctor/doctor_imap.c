#include "doctor/doctor_imap.h"

#include "base/buf.h"
#include "base/mem.h"
#include "doctor/greeting.h"

#include <curl/curl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_S 5L
#define ANSWER_MAX (64 * 1024)
#define TLS_WHY_SIZE 128
#define IMAP_PORT 143
#define IMAPS_PORT 993

enum tls { AT_ONCE, BY_STARTTLS };

static unsigned port_of(const char *name)
{
	unsigned number;
	char rest;
	if (sscanf(name, "%5u%c", &number, &rest) == 1)
		return number;
	/* A small system may have no list of services. */
	if (!strcmp(name, "imap"))
		return IMAP_PORT;
	if (!strcmp(name, "imaps"))
		return IMAPS_PORT;
	const struct servent *service = getservbyname(name, "tcp");
	return service ? ntohs((uint16_t)service->s_port) : 0;
}

/* Does it speak TLS from the first byte on? */
static bool is_tls(const struct cyrusconf_service *service)
{
	return strstr(service->cmd, " -s") != NULL;
}

bool doctor_imap_place(const struct cyrusconf_service *service, struct doctor_imap_place *ret)
{
	const char *listen = service->listen;
	const char *colon = strrchr(listen, ':');
	int size = colon ? (int)(colon - listen) : 0;
	unsigned port = port_of(colon ? colon + 1 : listen);
	bool is_any = !size || !strncmp(listen, "*:", 2) || !strncmp(listen, "0.0.0.0:", 8) ||
		!strncmp(listen, "[::]:", 5);
	if (*listen == '/' || !port || size > 255)
		return false;
	snprintf(ret->url, sizeof(ret->url), "%s://%.*s:%u/", is_tls(service) ? "imaps" : "imap",
		is_any ? 9 : size, is_any ? "localhost" : listen, port);
	ret->port = port;
	ret->is_local = !is_any &&
		(!strncmp(listen, "127.", 4) || !strncmp(listen, "[::1]:", 6) ||
			!strncmp(listen, "localhost:", 10));
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

/* NULL: TLS works there; otherwise the reason (static). */
static const char *try_tls(const char *url, enum tls tls)
{
	buf_auto struct buf said;
	buf_init(&said);
	CURLcode code =
		listen_to(url, tls == BY_STARTTLS ? CURLUSESSL_ALL : CURLUSESSL_NONE, &said);
	return code == CURLE_OK ? NULL : curl_easy_strerror(code);
}

bool doctor_imap_examine(struct report *findings, const struct cyrusconf *services)
{
	for (unsigned i = 0; i < services->count; i++) {
		const struct cyrusconf_service *service = &services->services[i];
		struct doctor_imap_place place;
		if (!cyrusconf_runs(service, "imapd") || !doctor_imap_place(service, &place))
			continue;
		struct greeting greeting;
		buf_auto struct buf said;
		buf_init(&said);
		CURLcode code = listen_to(place.url, CURLUSESSL_NONE, &said);
		if (!said.used) {
			report_add(findings, REPORT_FAIL, "imap", "Cyrus does not answer at %s: %s",
				place.url, curl_easy_strerror(code));
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

/* The result of trying one way to connect. */
struct way {
	bool is_there;	/* cyrus.conf has such a service */
	bool is_usable; /* TLS was spoken there */
	bool is_found;	/* see is_found() */
	struct doctor_imap_place place;
	char why[TLS_WHY_SIZE]; /* it is not usable */
};

/* Is this where a phone comes to by itself, or where something in front of Cyrus may lead it? */
static bool is_found(const struct doctor_imap_place *place, enum tls tls)
{
	return place->port == (tls == AT_ONCE ? IMAPS_PORT : IMAP_PORT) || place->is_local;
}

/* The first that phones find, or else the first that can be used, or else the last. */
static void try_services(const struct cyrusconf *services, enum tls tls, struct way *ret)
{
	*ret = (struct way){0};
	for (unsigned i = 0; i < services->count; i++) {
		const struct cyrusconf_service *service = &services->services[i];
		struct way way = {.is_there = true};
		bool is_wanted = is_tls(service) == (tls == AT_ONCE);
		if (!cyrusconf_runs(service, "imapd") || !is_wanted ||
			!doctor_imap_place(service, &way.place))
			continue;
		way.is_found = is_found(&way.place, tls);
		if (ret->is_usable && !way.is_found)
			continue;
		const char *why = try_tls(way.place.url, tls);
		way.is_usable = !why;
		snprintf(way.why, sizeof(way.why), "%s", why ? why : "");
		if (way.is_usable || !ret->is_usable)
			*ret = way;
		if (ret->is_usable && ret->is_found)
			return;
	}
}

/* As the first imapd of cyrus.conf is run. */
static void put_service(struct report *report, const struct doctor_cyrus *cyrus)
{
	for (unsigned i = 0; i < cyrus->services->count; i++) {
		const struct cyrusconf_service *service = &cyrus->services->services[i];
		if (!cyrusconf_runs(service, "imapd"))
			continue;
		report_put(report, cyrus->services_path, "imaps cmd=\"%s -s\" listen=\"imaps\"",
			service->cmd);
		break;
	}
	report_run(report, "systemctl restart cyrus-imapd");
}

void doctor_imap_examine_tls(struct report *report, const struct doctor_cyrus *cyrus)
{
	struct way at_once;
	struct way upgraded;
	try_services(cyrus->services, AT_ONCE, &at_once);
	if (at_once.is_usable && at_once.is_found) {
		report_add(report, REPORT_OK, "tls", "phones can connect with TLS at %s%s",
			at_once.place.url,
			at_once.place.is_local ? ", through what stands in front of Cyrus" : "");
		return;
	}
	if (at_once.is_usable) {
		report_add(report, REPORT_WARN, "tls",
			"phones can connect with TLS at %s, but not at port 993 (imaps), which "
			"they "
			"use unless their account says otherwise",
			at_once.place.url);
		put_service(report, cyrus);
		return;
	}
	try_services(cyrus->services, BY_STARTTLS, &upgraded);
	enum report_level level = upgraded.is_usable ? REPORT_WARN : REPORT_FAIL;
	mem_auto char *rest = upgraded.is_usable
		? mem_printf("phones can use TLS only by STARTTLS at %s, if their account is "
			     "configured for it",
			  upgraded.place.url)
		: mem_dup("STARTTLS is not offered either (from 3.10 on it needs allowstarttls in "
			  "imapd.conf), so no phone can connect with TLS, unless a proxy is in "
			  "front of Cyrus");
	if (at_once.is_there) {
		report_add(report, level, "tls",
			"Cyrus does not speak TLS at %s: %s; check tls_server_cert and "
			"tls_server_key in imapd.conf, and whether Cyrus was restarted; %s",
			at_once.place.url, at_once.why, rest);
		report_run(report, "systemctl restart cyrus-imapd");
	} else {
		report_add(report, level, "tls",
			"cyrus.conf has no service imapd -s for port 993 (imaps), which Debian "
			"comments out; %s",
			rest);
		put_service(report, cyrus);
	}
}
