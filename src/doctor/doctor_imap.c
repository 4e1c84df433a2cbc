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

/* One place where TLS was tried. */
struct way {
	bool is_there;	/* cyrus.conf has such a service */
	bool is_usable; /* TLS was spoken there */
	struct doctor_imap_place place;
	char why[TLS_WHY_SIZE]; /* it is not usable */
};

/* Of each the first that can be used, or else the last. */
struct ways {
	struct way found; /* phones come there, see is_found() */
	struct way other;
};

/* Is this where a phone comes to by itself, or where something in front of Cyrus may lead it? */
static bool is_found(const struct doctor_imap_place *place, enum tls tls)
{
	return place->port == (tls == AT_ONCE ? IMAPS_PORT : IMAP_PORT) || place->is_local;
}

static void try_services(const struct cyrusconf *services, enum tls tls, struct ways *ret)
{
	*ret = (struct ways){0};
	for (unsigned i = 0; i < services->count && !ret->found.is_usable; i++) {
		const struct cyrusconf_service *service = &services->services[i];
		struct doctor_imap_place place;
		bool is_wanted = is_tls(service) == (tls == AT_ONCE);
		if (!cyrusconf_runs(service, "imapd") || !is_wanted ||
			!doctor_imap_place(service, &place))
			continue;
		struct way *way = is_found(&place, tls) ? &ret->found : &ret->other;
		if (way->is_usable)
			continue;
		const char *why = try_tls(place.url, tls);
		*way = (struct way){.is_there = true, .is_usable = !why, .place = place};
		snprintf(way->why, sizeof(way->why), "%s", why ? why : "");
	}
}

/* What a phone can use that does not find TLS by itself; free it. */
static char *say_rest(
	const struct doctor_cyrus *cyrus, const struct way *other, bool *ret_is_usable)
{
	*ret_is_usable = true;
	if (other->is_usable)
		return mem_printf("phones can use TLS only at %s, if their account is configured "
				  "for it",
			other->place.url);
	struct ways upgraded;
	try_services(cyrus->services, BY_STARTTLS, &upgraded);
	const struct way *way = upgraded.found.is_usable ? &upgraded.found : &upgraded.other;
	if (way->is_usable)
		return mem_printf("phones can use TLS only by STARTTLS at %s, if their account is "
				  "configured for it",
			way->place.url);
	*ret_is_usable = false;
	return mem_dup("STARTTLS is not offered either (from 3.10 on it needs allowstarttls in "
		       "imapd.conf), so no phone can connect with TLS, unless a proxy is in front "
		       "of Cyrus");
}

/* As the first imapd of cyrus.conf is run. */
static void put_service(struct report *report, const struct doctor_cyrus *cyrus)
{
	for (unsigned i = 0; i < cyrus->services->count; i++) {
		const struct cyrusconf_service *service = &cyrus->services->services[i];
		if (!cyrusconf_runs(service, "imapd"))
			continue;
		report_put(report, cyrus->services_path, "imaps cmd=\"%s%s\" listen=\"imaps\"",
			service->cmd, is_tls(service) ? "" : " -s");
		break;
	}
	report_run(report, "systemctl restart cyrus-imapd");
}

void doctor_imap_examine_tls(struct report *report, const struct doctor_cyrus *cyrus)
{
	struct ways at_once;
	try_services(cyrus->services, AT_ONCE, &at_once);
	const struct way *found = &at_once.found;
	const struct way *other = &at_once.other;
	if (found->is_usable) {
		report_add(report, REPORT_OK, "tls", "phones can connect with TLS at %s%s",
			found->place.url,
			found->place.is_local ? ", through what stands in front of Cyrus" : "");
		return;
	}
	bool is_usable;
	mem_auto char *rest = say_rest(cyrus, other, &is_usable);
	enum report_level level = is_usable ? REPORT_WARN : REPORT_FAIL;
	const struct way *broken = found->is_there ? found : other;
	if (broken->is_there && !broken->is_usable) {
		report_add(report, level, "tls",
			"Cyrus does not speak TLS at %s: %s; check tls_server_cert and "
			"tls_server_key in imapd.conf, and whether Cyrus was restarted; %s",
			broken->place.url, broken->why, rest);
		report_run(report, "systemctl restart cyrus-imapd");
	} else {
		report_add(report, level, "tls",
			"cyrus.conf has no service imapd -s for port 993 (imaps), which Debian "
			"comments out; %s",
			rest);
		put_service(report, cyrus);
	}
}
