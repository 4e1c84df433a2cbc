#include "doctor/doctor_tls.h"

#include "base/mem.h"
#include "doctor/doctor_imap.h"

#include <stdio.h>
#include <string.h>

#define CHECK "tls"
#define WHY_SIZE 128

/* The result of trying one way to connect. */
struct way {
	bool is_there;	/* cyrus.conf has such a service */
	bool is_usable; /* TLS was spoken there */
	char url[DOCTOR_IMAP_URL_SIZE];
	char why[WHY_SIZE]; /* it is not usable */
};

/* The first that can be used, or else the last. */
static void try_services(
	const struct cyrusconf *services, enum doctor_imap_tls tls, struct way *ret)
{
	*ret = (struct way){0};
	for (unsigned i = 0; i < services->count && !ret->is_usable; i++) {
		const struct cyrusconf_service *service = &services->services[i];
		char url[DOCTOR_IMAP_URL_SIZE];
		bool is_wanted = doctor_imap_is_tls(service) == (tls == DOCTOR_IMAP_AT_ONCE);
		if (!cyrusconf_runs(service, "imapd") || !is_wanted ||
			!doctor_imap_url(service, url))
			continue;
		ret->is_there = true;
		snprintf(ret->url, sizeof(ret->url), "%s", url);
		const char *why = doctor_imap_try_tls(url, tls);
		ret->is_usable = !why;
		snprintf(ret->why, sizeof(ret->why), "%s", why ? why : "");
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

void doctor_tls_examine(struct report *report, const struct doctor_cyrus *cyrus)
{
	struct way at_once;
	struct way upgraded;
	try_services(cyrus->services, DOCTOR_IMAP_AT_ONCE, &at_once);
	if (at_once.is_usable) {
		report_add(
			report, REPORT_OK, CHECK, "phones can connect with TLS at %s", at_once.url);
		return;
	}
	try_services(cyrus->services, DOCTOR_IMAP_STARTTLS, &upgraded);
	enum report_level level = upgraded.is_usable ? REPORT_WARN : REPORT_FAIL;
	mem_auto char *rest = upgraded.is_usable
		? mem_printf("phones can use TLS only by STARTTLS at %s, if their account is "
			     "configured for it",
			  upgraded.url)
		: mem_dup("STARTTLS is not offered either (from 3.10 on it needs allowstarttls in "
			  "imapd.conf), so no phone can connect with TLS, unless a proxy is in "
			  "front of Cyrus");
	if (at_once.is_there) {
		report_add(report, level, CHECK,
			"Cyrus does not speak TLS at %s: %s; check tls_server_cert and "
			"tls_server_key in imapd.conf, and whether Cyrus was restarted; %s",
			at_once.url, at_once.why, rest);
		report_run(report, "systemctl restart cyrus-imapd");
	} else {
		report_add(report, level, CHECK,
			"cyrus.conf has no service imapd -s for port 993 (imaps), which Debian "
			"comments out; %s",
			rest);
		put_service(report, cyrus);
	}
}
