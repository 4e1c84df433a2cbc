/* What the doctor says of what it was told; test_doctor.py has it look by itself. */
#include "base/clock.h"
#include "base/mem.h"
#include "checkup/report.h"
#include "doctor/doctor_apple.h"
#include "doctor/doctor_cyrus.h"
#include "doctor/doctor_daemon.h"
#include "doctor/doctor_imap.h"
#include "doctor/doctor_machine.h"
#include "doctor/doctor_socket.h"
#include "doctor/doctor_user.h"
#include "doctor/greeting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TOPIC "com.apple.mobilemail.push.com.example"

static const char good[] = "event_notifier: external\n"
			   "event_groups: message flags mailbox applepushservice\n"
			   "notifysocket: dlist:/run/mailpush/cyrus\n"
			   "servername: mail.example.com\n"
			   "aps_topic: " TOPIC "\n";

struct ward {
	struct report findings;
	struct imapdconf *conf;
	struct cyrusconf *services;
	struct doctor_cyrus cyrus;
};

static void ward_init(struct ward *ward, const char *imapd, const char *services)
{
	struct err err;
	*ward = (struct ward){0};
	assert_int_equal(imapdconf_parse("/etc/imapd.conf", imapd, strlen(imapd), NULL, NULL,
				 &ward->conf, &err),
		0);
	assert_int_equal(cyrusconf_parse("/etc/cyrus.conf", services, strlen(services),
				 &ward->services, &err),
		0);
	ward->cyrus = (struct doctor_cyrus){.path = "/etc/imapd.conf",
		.conf = ward->conf,
		.services_path = "/etc/cyrus.conf",
		.services = ward->services,
		.programs = "/nowhere",
		.stream_socket = "/run/mailpush/cyrus",
		.notify_socket = "/run/mailpush/notify",
		.forward_socket = "",
		.site = ""};
}

static void ward_fini(struct ward *ward)
{
	report_fini(&ward->findings);
	imapdconf_free(ward->conf);
	cyrusconf_free(ward->services);
}

/* The first that is not ok; NULL: none. */
static const struct finding *ill(const struct report *findings)
{
	for (size_t i = 0; i < findings->count; i++)
		if (findings->list[i].level != REPORT_OK)
			return &findings->list[i];
	return NULL;
}

static void a_line_for_one_service_is_reported(void **state)
{
	(void)state;
	struct ward ward;
	char text[sizeof(good) + 64];
	snprintf(text, sizeof(text), "%slmtp_event_groups: quota\n", good);
	ward_init(&ward, text, "");
	doctor_cyrus_judge_events(&ward.findings, &ward.cyrus);
	const struct finding *finding = ill(&ward.findings);
	assert_non_null(finding);
	assert_int_equal(finding->level, REPORT_WARN);
	assert_non_null(strstr(finding->why, "lmtp_event_groups in /etc/imapd.conf:6"));
	ward_fini(&ward);
}

static void a_good_imapd_conf_has_nothing_wrong(void **state)
{
	(void)state;
	struct ward ward;
	ward_init(&ward, good, "");
	doctor_cyrus_judge_events(&ward.findings, &ward.cyrus);
	doctor_cyrus_judge_services(&ward.findings, &ward.cyrus);
	doctor_cyrus_judge_site(&ward.findings, &ward.cyrus);
	assert_int_equal(doctor_cyrus_judge_way(&ward.findings, &ward.cyrus), DOCTOR_DLIST);
	assert_null(ill(&ward.findings));
	assert_false(report_has_failed(&ward.findings));
	ward_fini(&ward);
}

static void groups_keep_what_else_stands_there(void **state)
{
	(void)state;
	struct ward ward;
	ward_init(&ward, "event_notifier: x\nevent_groups: quota  calendar\tmessage\n", "");
	doctor_cyrus_judge_events(&ward.findings, &ward.cyrus);
	const struct finding *finding = ill(&ward.findings);
	assert_string_equal(finding->check, "event_groups");
	assert_string_equal(
		finding->line, "event_groups: message flags mailbox applepushservice calendar");
	assert_string_equal(finding->file, "/etc/imapd.conf");
	/* applepushservice, quota, mailbox, flags */
	assert_int_equal(ward.findings.count, 5);
	ward_fini(&ward);
	/* Of what no Cyrus starts with is kept what was meant. */
	ward_init(&ward, "event_notifier: x\nevent_groups: Quota,calendar bogus\n", "");
	doctor_cyrus_judge_events(&ward.findings, &ward.cyrus);
	finding = ill(&ward.findings);
	assert_non_null(strstr(finding->why, "has 'Quota,calendar', which is not a group"));
	assert_string_equal(
		finding->line, "event_groups: message flags mailbox applepushservice calendar");
	assert_int_equal(ward.findings.count, 2);
	ward_fini(&ward);
}

static void ways_differ(void **state)
{
	(void)state;
	static const char notifyd[] =
		"SERVICES {\n notify cmd=\"notifyd\" listen=\"/run/cyrus/notify\" proto=\"udp\"\n}";
	static const struct {
		const char *imapd;
		const char *services;
		enum doctor_way way;
		enum report_level level;
	} rows[] = {
		{"notifysocket: dlist:/run/mailpush/cyrus\n", "", DOCTOR_DLIST, REPORT_OK},
		{"notifysocket: /run/mailpush/notify\n", "", DOCTOR_DATAGRAM, REPORT_OK},
		{"notifysocket: dlist:/run/mailpush/notify\n", "", DOCTOR_NO_WAY, REPORT_FAIL},
		{"notifysocket: /run/mailpush/cyrus\n", "", DOCTOR_NO_WAY, REPORT_FAIL},
		{"configdirectory: /var/lib/cyrus\n", "", DOCTOR_NO_WAY, REPORT_FAIL},
		{"", "", DOCTOR_NO_WAY, REPORT_FAIL},
		{"notifysocket: /run/cyrus/notify\nevent_notifier: external\n"
		 "notify_external: /usr/sbin/mailpush-notify\n",
			notifyd, DOCTOR_NOTIFYD, REPORT_OK},
		{"notifysocket: /run/cyrus/notify\nevent_notifier: any\n"
		 "notify_external: /usr/sbin/mailpush-notify\n",
			notifyd, DOCTOR_NOTIFYD, REPORT_FAIL},
		{"notifysocket: /run/cyrus/notify\nevent_notifier: mailto\n"
		 "notify_external: /usr/sbin/mailpush-notify\n",
			notifyd, DOCTOR_NOTIFYD, REPORT_FAIL},
		{"notifysocket: /run/cyrus/notify\nevent_notifier: any\n"
		 "notify_external: /usr/sbin/mailpush-notify\n",
			"SERVICES {\n n cmd=\"/x/notifyd -m external\" listen=/run/cyrus/notify\n}",
			DOCTOR_NOTIFYD, REPORT_OK},
		{"notifysocket: /run/cyrus/notify\nevent_notifier: external\n", notifyd,
			DOCTOR_NOTIFYD, REPORT_FAIL},
		{"notifysocket: /run/mailpush/notify\n",
			"SERVICES {\n n cmd=\"notifyd\" listen=\"/run/mailpush/notify\"\n}",
			DOCTOR_NO_WAY, REPORT_FAIL},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ward ward;
		ward_init(&ward, rows[i].imapd, rows[i].services);
		assert_int_equal(doctor_cyrus_judge_way(&ward.findings, &ward.cyrus), rows[i].way);
		assert_int_equal(ward.findings.count, 1);
		assert_int_equal(ward.findings.list[0].level, rows[i].level);
		ward_fini(&ward);
	}
}

static void the_host_s_name_makes_a_fragile_site(void **state)
{
	(void)state;
	struct ward ward;
	ward_init(&ward, "", "");
	doctor_cyrus_judge_site(&ward.findings, &ward.cyrus);
	assert_non_null(strstr(ward.findings.list[0].why, "is the host's name"));
	ward.cyrus.site = "here";
	doctor_cyrus_judge_site(&ward.findings, &ward.cyrus);
	assert_string_equal(ward.findings.list[1].why, "here, by mailpush.conf");
	assert_string_equal(doctor_cyrus_user(ward.conf), "cyrus");
	ward_fini(&ward);
}

static void services_are_read_as_cyrus_reads_them(void **state)
{
	(void)state;
	static const char text[] = "# SERVICES {\nSTART {\n imap cmd=\"no\"\n}\nservices {\n"
				   "  #off cmd=\"imapd\"\n"
				   "  imap\tcmd=\"imapd -U 30\" listen=\"imap\" prefork=0\n"
				   "  imaps cmd=\"/usr/lib/imapd -s\" listen=\"[::1]:993\"\n"
				   "  n cmd=\"notifyd -mexternal\" listen=/run/n proto=udp\n"
				   "}\nEVENTS {\n x cmd=\"y\"\n}\n";
	struct ward ward;
	char value[16];
	ward_init(&ward, "", text);
	const struct cyrusconf_service *services = ward.services->services;
	assert_int_equal(ward.services->count, 3);
	assert_string_equal(services[0].name, "imap");
	assert_string_equal(services[0].cmd, "imapd -U 30");
	assert_string_equal(services[0].listen, "imap");
	assert_int_equal(services[0].line, 7);
	assert_true(cyrusconf_runs(&services[1], "imapd"));
	assert_false(cyrusconf_runs(&services[1], "mapd"));
	assert_true(cyrusconf_option(&services[0], "-U", value, sizeof(value)));
	assert_string_equal(value, "30");
	assert_true(cyrusconf_option(&services[2], "-m", value, sizeof(value)));
	assert_string_equal(value, "external");
	assert_false(cyrusconf_option(&services[2], "-C", value, sizeof(value)));
	assert_string_equal(services[2].proto, "udp");
	ward_fini(&ward);
}

static void a_service_needs_its_program_if_cyrus_is_here(void **state)
{
	(void)state;
	static const char text[] = "SERVICES {\n imap cmd=\"sh -s\"\n pop3 cmd=\"pop3d -U 30\"\n"
				   " nntp cmd=/nowhere/nntpd\n}\n";
	static const struct {
		const char *programs;
		const char *missing[2];
	} rows[] = {
		{"/bin",
			{"service pop3 (/etc/cyrus.conf:3) runs /bin/pop3d, which",
				"service nntp (/etc/cyrus.conf:4) runs /nowhere/nntpd, which"}},
		{"/nowhere", {NULL}},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ward ward;
		size_t count = 0;
		ward_init(&ward, good, text);
		ward.cyrus.programs = rows[i].programs;
		doctor_cyrus_judge_services(&ward.findings, &ward.cyrus);
		for (; count < 2 && rows[i].missing[count]; count++) {
			assert_true(count < ward.findings.count);
			assert_int_equal(ward.findings.list[count].level, REPORT_FAIL);
			assert_string_equal(ward.findings.list[count].check, "cyrus.conf");
			assert_non_null(
				strstr(ward.findings.list[count].why, rows[i].missing[count]));
		}
		assert_int_equal(ward.findings.count, count);
		ward_fini(&ward);
	}
}

static void an_address_to_call_is_made_of_a_service(void **state)
{
	(void)state;
	static const struct {
		const char *cmd;
		const char *listen;
		const char *url; /* NULL: none */
		unsigned port;
		bool is_local;
	} rows[] = {
		{"imapd", "127.0.0.1:11143", "imap://127.0.0.1:11143/", 11143, true},
		{"imapd -s", "[::1]:993", "imaps://[::1]:993/", 993, true},
		{"imapd -s", "localhost:imaps", "imaps://localhost:993/", 993, true},
		{"imapd", "imap", "imap://localhost:143/", 143, false},
		{"imapd -U 30 -s", "mail.example.com:imaps", "imaps://mail.example.com:993/", 993,
			false},
		{"imapd", "1143", "imap://localhost:1143/", 1143, false},
		{"imapd", "*:1143", "imap://localhost:1143/", 1143, false},
		{"imapd", "0.0.0.0:1143", "imap://localhost:1143/", 1143, false},
		{"imapd", "[::]:1143", "imap://localhost:1143/", 1143, false},
		{"imapd", "/run/imap", NULL, 0, false},
		{"imapd", "host:no-such-service", NULL, 0, false},
		{"imapd", "", NULL, 0, false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct cyrusconf_service service = {
			.cmd = (char *)rows[i].cmd, .listen = (char *)rows[i].listen};
		struct doctor_imap_place place;
		assert_int_equal(doctor_imap_place(&service, &place), rows[i].url != NULL);
		if (!rows[i].url)
			continue;
		assert_string_equal(place.url, rows[i].url);
		assert_int_equal(place.port, rows[i].port);
		assert_int_equal(place.is_local, rows[i].is_local);
	}
}

static void greetings_tell_whether_a_hole_is_closed(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum greeting_hole hole;
	} rows[] = {
		{"* OK x Cyrus IMAP 3.6.1-Debian-3.6.1-4+deb12u5 server ready", GREETING_CLOSED},
		{"* OK x Cyrus IMAP 3.6.1-Debian-3.6.1-4+deb12u4 server ready", GREETING_OPEN},
		{"* OK x Cyrus IMAP 3.6.1-Debian-3.6.1-4 server ready", GREETING_UNKNOWN},
		{"* OK x Cyrus IMAP 3.6.8 server ready", GREETING_OPEN},
		{"* OK x Cyrus IMAP 3.8.6 server ready", GREETING_OPEN},
		{"* OK x Cyrus IMAP 3.8.7 server ready", GREETING_CLOSED},
		{"* OK x Cyrus IMAP 3.10.2-Debian-3.10.2-1 ready", GREETING_UNKNOWN},
		{"* OK x Cyrus IMAP 3.10.2-Debian-3.10.2-1+deb13u2 ready", GREETING_CLOSED},
		{"* OK x Cyrus IMAP 3.10.2-Debian-3.10.2-1+deb13u1 ready", GREETING_OPEN},
		{"* OK x Cyrus IMAP 3.12.4-Debian-3.12.4-1 ready", GREETING_CLOSED},
		{"* OK x Cyrus IMAP 3.12.4-Debian-3.12.4-1+deb14u1 ready", GREETING_CLOSED},
		{"* OK x Cyrus IMAP 3.12.3 server ready", GREETING_CLOSED},
		/* The update of Debian counts only if the version of Cyrus is not enough. */
		{"* OK x Cyrus IMAP 3.10.3-Debian-3.10.3-1+deb13u1 ready", GREETING_CLOSED},
		{"* OK x Cyrus IMAP 3.10.3-0+deb13u1 ready", GREETING_CLOSED},
		{"* OK x Cyrus IMAP 3.8.7-Debian-3.8.7-1+deb12u1 ready", GREETING_CLOSED},
		{"* OK x Cyrus IMAP 3.6.8-Debian-3.6.8-1+deb12u1 ready", GREETING_OPEN},
		{"* OK x Cyrus IMAP 3.10.3-Debian-3.10.3-1~deb13u1 ready", GREETING_CLOSED},
		{"* OK x Cyrus IMAP 3.10.2-Debian-3.10.2-1~deb13u1 ready", GREETING_UNKNOWN},
		{"* OK x Cyrus IMAP 3.12.4-Debian-3.12.4-1~bpo13+1 ready", GREETING_CLOSED},
		{"* OK x Cyrus IMAP 3.10.2-Debian-3.10.2-1+deb13u2~bpo12+1 ready", GREETING_CLOSED},
		{"* OK x Cyrus IMAP 3.13.6 server ready", GREETING_OPEN},
		{"* OK x Cyrus IMAP 3.14.0 server ready", GREETING_CLOSED},
		{"* OK x Cyrus IMAP 4.0.0 server ready", GREETING_CLOSED},
		{"* OK x Cyrus IMAP 2.5.1 server ready", GREETING_OPEN},
		{"* OK x Cyrus IMAP 3.-8.7 server ready", GREETING_UNKNOWN},
		{"* OK x Cyrus IMAP 3.8 server ready", GREETING_UNKNOWN},
		{"* OK x Cyrus IMAP 123456.8.9 server ready", GREETING_UNKNOWN},
		{"* OK x server ready", GREETING_UNKNOWN},
		{"", GREETING_UNKNOWN},
	};
	struct report findings = {0};
	struct greeting greeting;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		greeting_parse(rows[i].text, &greeting);
		assert_int_equal(greeting_hole(&greeting), rows[i].hole);
		doctor_cyrus_judge_greeting(&findings, &greeting);
		assert_int_equal(findings.list[findings.count - 1].level,
			rows[i].hole == GREETING_OPEN ? REPORT_WARN : REPORT_OK);
	}
	assert_true(report_has_failed(&findings)); /* no push is offered */
	report_fini(&findings);
}

static void limits_of_the_machine_are_judged(void **state)
{
	(void)state;
	static const struct {
		uint64_t bytes;
		uint64_t inodes;
		uint64_t inodes_total;
		enum report_level level;
	} rows[] = {{1, 1, 1, REPORT_FAIL}, {16 * 1024 * 1024, 5000, 9999, REPORT_WARN},
		{1ULL << 32, 0, 9999, REPORT_FAIL}, {1ULL << 32, 999, 9999, REPORT_WARN},
		{1ULL << 32, 0, 0, REPORT_OK}, {1ULL << 32, 5000, 9999, REPORT_OK}};
	struct report findings = {0};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		doctor_machine_judge_space(&findings, "/x", rows[i].bytes, 1ULL << 40,
			rows[i].inodes, rows[i].inodes_total);
		assert_int_equal(findings.list[i].level, rows[i].level);
	}
	report_fini(&findings);
	doctor_machine_judge_clock(&findings, true);
	doctor_machine_judge_clock(&findings, false);
	doctor_socket_judge_queue(&findings, 511);
	doctor_socket_judge_queue(&findings, 512);
	assert_int_equal(findings.list[0].level, REPORT_OK);
	assert_int_equal(findings.list[1].level, REPORT_WARN);
	assert_int_equal(findings.list[2].level, REPORT_WARN);
	assert_string_equal(findings.list[2].line, "net.unix.max_dgram_qlen = 512");
	assert_int_equal(findings.list[3].level, REPORT_OK);
	report_fini(&findings);
}

static void a_topic_must_be_mail_s_and_a_credential_s(void **state)
{
	(void)state;
	static const char *const topics[] = {TOPIC};
	static const struct {
		const char *topic;
		size_t count;
		bool is_complete;
		enum report_level level;
	} rows[] = {{TOPIC, 1, true, REPORT_OK}, {"", 1, true, REPORT_FAIL},
		{"", 0, true, REPORT_FAIL}, {"com.example", 1, true, REPORT_FAIL},
		{TOPIC ".other", 1, true, REPORT_FAIL}, {TOPIC ".other", 1, false, REPORT_OK},
		{TOPIC ".other", 0, true, REPORT_FAIL}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct report findings = {0};
		doctor_apple_judge_topic(&findings, "/etc/imapd.conf", rows[i].topic, topics,
			rows[i].count, rows[i].is_complete);
		assert_int_equal(findings.list[0].level, rows[i].level);
		bool has_remedy = rows[i].level == REPORT_FAIL && rows[i].count > 0;
		assert_int_equal(findings.list[0].line != NULL, has_remedy);
		if (has_remedy)
			assert_string_equal(findings.list[0].line, "aps_topic: " TOPIC);
		report_fini(&findings);
	}
}

static const struct doctor_user_topics no_topics = {"", ""};

static json_t *status_of(const char *alarms, int up_s, int events)
{
	char text[512];
	snprintf(text, sizeof(text),
		"{\"version\":\"1\",\"started\":1000,\"now\":%d,\"alarms\":%s,"
		"\"events\":{\"total\":%d},\"counters\":{\"rejected\":0},"
		"\"aps_topic\":\"" TOPIC "\",\"credentials\":[{\"in_force\":true,\"topic\":\"" TOPIC
		"\"}]}",
		1000 + up_s, alarms, events);
	json_t *json = json_loads(text, 0, NULL);
	assert_non_null(json);
	return json;
}

static void a_daemon_that_hears_nothing_is_odd_after_a_while(void **state)
{
	(void)state;
	static const struct {
		const char *alarms;
		int up_s;
		int events;
		enum report_level worst;
	} rows[] = {
		{"[]", 60, 0, REPORT_OK},
		{"[]", 3600, 0, REPORT_WARN},
		{"[]", 3600, 1, REPORT_OK},
		{"[{\"name\":\"registry\",\"text\":\"t\",\"since\":1}]", 60, 1, REPORT_FAIL},
		{"[{\"name\":\"credential-expiry:x\",\"text\":\"t\",\"since\":1}]", 60, 1,
			REPORT_WARN},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct report findings = {0};
		json_t *status = status_of(rows[i].alarms, rows[i].up_s, rows[i].events);
		doctor_daemon_judge_status(&findings, status);
		const struct finding *finding = ill(&findings);
		assert_int_equal(finding ? finding->level : REPORT_OK, rows[i].worst);
		json_decref(status);
		report_fini(&findings);
	}
}

static void what_was_refused_at_a_socket_may_be_malformed(void **state)
{
	(void)state;
	struct report findings = {0};
	json_t *status = status_of("[]", 60, 1);
	json_object_set_new(status, "counters",
		json_pack("{si,s{si,si,si}}", "rejected", 3, "rejected_by", "not_allowed", 1,
			"malformed", 2, "incomplete", 0));
	doctor_daemon_judge_status(&findings, status);
	const struct finding *finding = ill(&findings);
	assert_non_null(finding);
	assert_string_equal(finding->why,
		"rejected at a socket since the start: 3; 1 from senders who are not allowed "
		"(allowed_users, of Dovecot dovecot_users or xaps_clients), 2 malformed, 0 that "
		"did not come in whole; see the log");
	json_decref(status);
	report_fini(&findings);
}

static void stopped_devices_are_odd(void **state)
{
	(void)state;
	for (int stopped = 0; stopped < 2; stopped++) {
		struct report findings = {0};
		json_t *status = status_of("[]", 60, 1);
		json_object_set_new(status, "registrations",
			json_pack("{si,si}", "total", 7, "stopped", stopped));
		doctor_daemon_judge_status(&findings, status);
		const struct finding *finding = ill(&findings);
		assert_int_equal(
			finding ? finding->level : REPORT_OK, stopped ? REPORT_WARN : REPORT_OK);
		if (finding)
			assert_non_null(strstr(finding->why, "1 of 7 are stopped"));
		json_decref(status);
		report_fini(&findings);
	}
}

static void a_forgotten_device_is_said_instead_of_none(void **state)
{
	(void)state;
	static const char one[] =
		"[{\"token\":\"aabb...\",\"forgotten\":0,\"why\":\"apple\",\"status\":410,"
		"\"reason\":\"Unregistered\",\"meaning\":\"gone\",\"registered_again\":false}]";
	static const char back[] =
		"[{\"token\":\"aabb...\",\"forgotten\":0,\"why\":\"removed\",\"status\":null,"
		"\"reason\":null,\"meaning\":\"gone\",\"registered_again\":true}]";
	static const struct {
		const char *forgotten;
		const char *why;
	} rows[] = {
		{one,
			"aabb... is no longer registered; it was forgotten 2 h ago: Apple "
			"answered "
			"410 "
			"Unregistered: "
			"gone; open Mail"},
		{back, "alice has no registered device"},
		{"[]", "alice has no registered device"},
	};
	json_t *status = json_pack("{si}", "now", 7200);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct report findings = {0};
		json_t *forgotten = json_loads(rows[i].forgotten, 0, NULL);
		assert_non_null(forgotten);
		doctor_user_judge(&findings, "alice", NULL, forgotten, status, &no_topics);
		assert_int_equal(findings.count, 1);
		assert_int_equal(findings.list[0].level, REPORT_FAIL);
		assert_non_null(strstr(findings.list[0].why, rows[i].why));
		json_decref(forgotten);
		report_fini(&findings);
	}
	json_decref(status);
}

static void the_last_event_and_the_last_push_are_reported_from_the_trace(void **state)
{
	(void)state;
	json_t *entries = json_pack("[{ss,si,ss,sn},{ss,si,ss,ss,ss},{ss,si,ss,ss}]", "kind",
		"event", "time", 5, "text", "MessageNew in INBOX", "meaning", "kind", "push",
		"time", 6, "text", "Apple accepted it", "meaning", "look at the phone", "apns_id",
		"1-2", "kind", "forgotten", "time", 7, "text", "gone", "meaning", "m");
	json_t *status = json_pack("{si}", "now", 66);
	struct report findings = {0};
	assert_non_null(entries);
	doctor_user_judge_trace(&findings, "alice", entries, status);
	assert_int_equal(findings.count, 3);
	assert_string_equal(findings.list[0].why, "the last event, 1 min ago: MessageNew in INBOX");
	assert_string_equal(findings.list[1].why,
		"the last push, 1 min ago, apns-id 1-2: Apple accepted it; look at the phone");
	assert_string_equal(
		findings.list[2].why, "`mailpushctl trace alice` tells what happened before");
	assert_null(ill(&findings));
	report_fini(&findings);
	doctor_user_judge_trace(&findings, "alice", NULL, status);
	assert_int_equal(findings.count, 0);
	json_decref(entries);
	json_decref(status);
}

static const struct finding *finding_of(const struct report *findings, const char *check)
{
	for (size_t i = 0; i < findings->count; i++)
		if (!strcmp(findings->list[i].check, check))
			return &findings->list[i];
	return NULL;
}

static void the_topic_that_phones_of_the_user_are_given_now_counts(void **state)
{
	(void)state;
	static const struct {
		struct doctor_user_topics now;
		bool is_good;
	} rows[] = {
		{{TOPIC, ""}, true},
		{{"", TOPIC}, true},
		{{TOPIC, TOPIC ".x"}, true},
		{{TOPIC ".x", TOPIC}, true},
		{{"", ""}, true},
		{{TOPIC ".x", ""}, false},
		{{"", TOPIC ".x"}, false},
	};
	json_t *status = status_of("[]", 60, 1);
	json_t *devices = json_loads(
		"[{\"user\":\"alice\",\"state\":\"active\",\"topic\":\"" TOPIC "\"}]", 0, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct report findings = {0};
		doctor_user_judge(&findings, "alice", devices, NULL, status, &rows[i].now);
		const struct finding *topic = finding_of(&findings, "topic");
		assert_int_equal(topic == NULL, rows[i].is_good);
		if (topic)
			assert_non_null(strstr(topic->why, "are now given " TOPIC ".x: open Mail"));
		report_fini(&findings);
	}
	json_decref(devices);
	json_decref(status);
}

static void no_answer_is_not_called_one(void **state)
{
	(void)state;
	json_t *status = status_of("[]", 60, 1);
	json_t *devices = json_loads("[{\"user\":\"alice\",\"state\":\"active\",\"topic\":\"" TOPIC
				     "\",\"last_push\":"
				     "{\"time\":null,\"status\":0,\"reason\":\"\",\"meaning\":"
				     "\"Apple did not answer\"}}]",
		0, NULL);
	struct report findings = {0};
	doctor_user_judge(&findings, "alice", devices, NULL, status, &no_topics);
	assert_string_equal(finding_of(&findings, "push")->why,
		"the last one that Apple accepted was never; Apple did not answer");
	assert_null(strstr(finding_of(&findings, "event")->why, "Cyrus"));
	report_fini(&findings);
	json_decref(devices);
	json_decref(status);
}

static void a_user_s_devices_are_judged(void **state)
{
	(void)state;
	static const struct doctor_user_topics topics = {TOPIC, ""};
	static const struct {
		const char *device;
		const char *check; /* of the first that is not ok; NULL: none */
		enum report_level level;
		const char *why; /* it says this too; NULL: any */
	} rows[] = {
		{"", NULL, REPORT_OK},
		{"\"state\":\"stopped\",\"stopped_reason\":\"Why\"", "device", REPORT_FAIL},
		{"\"state\":\"suspended\"", "device", REPORT_FAIL},
		{"\"state\":\"superseded\"", "device", REPORT_WARN},
		{"\"renewed\":-700000", "device", REPORT_WARN},
		{"\"mailboxes\":[]", "mailboxes", REPORT_FAIL},
		{"\"topic\":\"" TOPIC ".x\"", "topic", REPORT_FAIL},
		{"\"last_event\":null", "event", REPORT_WARN, "none is on record"},
		/* A crash may have taken the record of one that left. */
		{"\"last_push\":null", "push", REPORT_WARN, "none is on record"},
		{"\"last_push\":{\"time\":null,\"status\":503,\"reason\":\"x\",\"meaning\":\"m\"}",
			"push", REPORT_FAIL},
	};
	json_t *status = status_of("[]", 60, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[1024];
		snprintf(text, sizeof(text),
			"[{\"user\":\"a;b\",\"token\":\"t\",\"state\":\"active\",\"renewed\":1000,"
			"\"mailboxes\":[\"INBOX\"],\"topic\":\"" TOPIC
			"\",\"last_event\":1000,\"last_push\":{\"time\":1000,\"status\":200,"
			"\"reason\":\"\",\"meaning\":\"\"}%s%s}]",
			*rows[i].device ? "," : "", rows[i].device);
		json_t *devices = json_loads(text, 0, NULL);
		struct report findings = {0};
		assert_non_null(devices);
		doctor_user_judge(&findings, "a;b", devices, NULL, status, &topics);
		const struct finding *finding = ill(&findings);
		assert_int_equal(finding != NULL, rows[i].check != NULL);
		if (finding) {
			assert_string_equal(finding->check, rows[i].check);
			assert_int_equal(finding->level, rows[i].level);
			if (rows[i].why)
				assert_non_null(strstr(finding->why, rows[i].why));
			/* Not for a shell. */
			assert_null(finding->run);
		}
		json_decref(devices);
		report_fini(&findings);
	}
	json_decref(status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_imapd_conf_has_nothing_wrong),
		cmocka_unit_test(a_line_for_one_service_is_reported),
		cmocka_unit_test(groups_keep_what_else_stands_there),
		cmocka_unit_test(ways_differ),
		cmocka_unit_test(the_host_s_name_makes_a_fragile_site),
		cmocka_unit_test(services_are_read_as_cyrus_reads_them),
		cmocka_unit_test(a_service_needs_its_program_if_cyrus_is_here),
		cmocka_unit_test(an_address_to_call_is_made_of_a_service),
		cmocka_unit_test(greetings_tell_whether_a_hole_is_closed),
		cmocka_unit_test(limits_of_the_machine_are_judged),
		cmocka_unit_test(a_topic_must_be_mail_s_and_a_credential_s),
		cmocka_unit_test(a_daemon_that_hears_nothing_is_odd_after_a_while),
		cmocka_unit_test(what_was_refused_at_a_socket_may_be_malformed),
		cmocka_unit_test(stopped_devices_are_odd),
		cmocka_unit_test(a_forgotten_device_is_said_instead_of_none),
		cmocka_unit_test(the_topic_that_phones_of_the_user_are_given_now_counts),
		cmocka_unit_test(no_answer_is_not_called_one),
		cmocka_unit_test(a_user_s_devices_are_judged),
		cmocka_unit_test(the_last_event_and_the_last_push_are_reported_from_the_trace),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
