#include "doctor/doctor.h"

#include "base/clock.h"
#include "base/mem.h"
#include "checkup/report.h"
#include "config/config_consistency.h"
#include "config/config_credential.h"
#include "config/config_file.h"
#include "config/input_files.h"
#include "console/client.h"
#include "console/member.h"
#include "doctor/cyrusconf.h"
#include "doctor/doctor_apple.h"
#include "doctor/doctor_cyrus.h"
#include "doctor/doctor_daemon.h"
#include "doctor/doctor_files.h"
#include "doctor/doctor_imap.h"
#include "doctor/doctor_machine.h"
#include "doctor/doctor_print.h"
#include "doctor/doctor_processes.h"
#include "doctor/doctor_program.h"
#include "doctor/doctor_socket.h"
#include "doctor/doctor_user.h"
#include "doctor_dovecot/dovecot_examine.h"
#include "event/user_site.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Of Debian's Cyrus. */
#define PROGRAMS "/usr/lib/cyrus/bin"
#define DEFAULT_CONFIG "/etc/mailpush/mailpush.conf"

struct doctor {
	const struct doctor_request *request;
	struct report of_user; /* printed first */
	struct report findings;
	bool is_shut_out; /* the daemon, or a file that it reads, refuses this user */
	char *config_path;
	struct config *config;	     /* NULL: it cannot be read */
	struct input_files *sources; /* NULL without config */
	char *services_path;
	struct cyrusconf *services; /* NULL: they cannot be read */
	enum client_exit asked;	    /* the outcome of the request for `in_force` */
	struct err asked_error;
	json_t *in_force; /* NULL: the daemon did not answer, as the next ones */
	json_t *status;
	json_t *credentials;
};

static void ask_for_config(struct doctor *doctor)
{
	doctor->asked = client_try("GET", "/config", NULL, &doctor->in_force, &doctor->asked_error);
}

static void find_config(struct doctor *doctor)
{
	const struct doctor_request *request = doctor->request;
	struct err err;
	ask_for_config(doctor);
	const char *file = json_string_value(json_object_get(doctor->in_force, "file"));
	doctor->config_path = mem_dup(request->config ? request->config
			: file			      ? file
						      : DEFAULT_CONFIG);
	int code = config_file_read(doctor->config_path, "--config", &doctor->config, &err);
	doctor->is_shut_out |= code == -EACCES;
	if (code == -EACCES)
		/* The remedy in that text is for the daemon's user. */
		report_add(&doctor->findings, REPORT_WARN, "mailpush.conf",
			"%.*s, so the mail server's configuration and processes, the sockets, "
			"files and disks were not examined: run mailpushctl doctor as root",
			(int)strcspn(err.text, ";"), err.text);
	else if (code)
		report_add(&doctor->findings, REPORT_FAIL, "mailpush.conf", "%s", err.text);
	else
		report_add(&doctor->findings, REPORT_OK, "mailpush.conf", "%s can be used",
			doctor->config_path);
}

/* At the socket that the configuration names, unless --socket was given. */
static void find_daemon(struct doctor *doctor)
{
	struct report *findings = &doctor->findings;
	if (doctor->config && !doctor->request->is_socket_given && !doctor->in_force) {
		if (!*doctor->config->control_socket) {
			report_add(findings, REPORT_WARN, "daemon",
				"control_socket is \"\", so mailpushd cannot be asked");
			return;
		}
		/* A daemon that hangs gets no second request. */
		if (client_use(doctor->config->control_socket))
			ask_for_config(doctor);
	}
	enum client_exit result = doctor->asked;
	struct err err = doctor->asked_error;
	if (!result)
		result = client_try("GET", "/status", NULL, &doctor->status, &err);
	if (result == CLIENT_NOT_ALLOWED) {
		doctor->is_shut_out = true;
		report_add(findings, REPORT_WARN, "daemon",
			"%s; its alarms, events and phones, and whether Apple accepts the "
			"credential were not examined: run mailpushctl doctor as root",
			err.text);
	} else if (result) {
		report_add(findings, REPORT_FAIL, "daemon", "%s", err.text);
		report_run(findings, "systemctl %s mailpush",
			result == CLIENT_NOT_RUNNING ? "start" : "restart");
	} else {
		doctor_daemon_judge_status(findings, doctor->status);
	}
}

static void read_services(struct doctor *doctor)
{
	const char *asked = doctor->request->cyrus_conf;
	const char *path = doctor->config->imapd_conf;
	buf_auto struct buf text;
	struct err err;
	buf_init(&text);
	doctor->services_path = asked
		? mem_dup(asked)
		: mem_printf("%.*s/cyrus.conf", (int)(strrchr(path, '/') - path), path);
	int status = input_files_read_text(doctor->services_path, &text, &err);
	if (!status)
		status = cyrusconf_parse(
			doctor->services_path, buf_text(&text), text.used, &doctor->services, &err);
	if (status)
		report_add(&doctor->findings, REPORT_WARN, "cyrus.conf",
			"%s, or give its path with --cyrus-conf; Cyrus' services are not examined",
			err.text);
}

static void examine_cyrus(struct doctor *doctor)
{
	struct report *findings = &doctor->findings;
	const struct config *config = doctor->config;
	const struct input_files *sources = doctor->sources;
	struct person person;
	if (!*config->imapd_conf)
		return;
	read_services(doctor);
	if (!sources->imapdconf) {
		const char *text = sources->imapdconf_error.text;
		if (sources->imapdconf_status == -EACCES)
			/* The remedy in that text is for the daemon's user. */
			report_add(findings, REPORT_WARN, "imapd.conf",
				"%.*s, so the mail server was not examined: run mailpushctl doctor "
				"as root",
				(int)strcspn(text, ";"), text);
		else
			report_add(findings, REPORT_FAIL, "imapd.conf", "%s", text);
		return;
	}
	const struct doctor_cyrus cyrus = {.path = config->imapd_conf,
		.conf = sources->imapdconf,
		.services_path = doctor->services_path,
		.services = doctor->services,
		.programs = PROGRAMS,
		.stream_socket = config->stream_socket,
		.notify_socket = config->notify_socket,
		.forward_socket = config->forward_socket,
		.site = config->site};
	doctor_cyrus_judge_events(findings, &cyrus);
	doctor_cyrus_judge_services(findings, &cyrus);
	doctor_cyrus_judge_site(findings, &cyrus);
	enum doctor_way way = doctor_cyrus_judge_way(findings, &cyrus);
	const char *user = doctor_cyrus_user(sources->imapdconf);
	const char *program = imapdconf_find(sources->imapdconf, "notify_external")->value;
	bool is_known = person_find(user, &person);
	if (is_known)
		doctor_socket_examine(findings, config, way, &person);
	else
		report_add(findings, REPORT_WARN, "permissions",
			"Cyrus would run as user %s, who does not exist on this system; set "
			"cyrus_user in imapd.conf",
			user);
	if (is_known && way == DOCTOR_NOTIFYD && program)
		doctor_program_examine(findings, &cyrus, program, &person);
	if (is_known)
		doctor_processes_examine(findings, config, sources, person.uid);
	if (doctor->services && doctor_imap_examine(findings, doctor->services))
		doctor_imap_examine_tls(findings, &cyrus);
}

static bool has_dovecot(const struct config *config)
{
	return *config->dovecot_socket || config_consistency_has_xaps(config);
}

/* Are alice of Cyrus and alice of Dovecot one? */
static void judge_dovecot_site(struct doctor *doctor)
{
	struct report *findings = &doctor->findings;
	const struct config *config = doctor->config;
	const struct input_files *sources = doctor->sources;
	if (!has_dovecot(config) || !sources->site)
		return;
	const char *site = input_files_dovecot_site(config, sources);
	if (*site)
		report_add(findings, REPORT_OK, "dovecot_site",
			"users of Dovecot are known as %s" USER_SITE_SEPARATOR "USER", site);
	else if (*config->imapd_conf)
		report_add(findings, REPORT_OK, "dovecot_site",
			"is not set: a user of Cyrus and a user of Dovecot who have the same name "
			"count as one; if they are two people, set it in mailpush.conf");
}

static void on_warning(void *ctx, const char *key, const char *text)
{
	report_add(ctx, REPORT_WARN, key, "%s", text);
}

static void examine_dovecot(struct doctor *doctor)
{
	struct report *findings = &doctor->findings;
	const struct config *config = doctor->config;
	const struct dovecot_to_examine site = {.config = config,
		.dovecot_conf = doctor->request->dovecot_conf,
		.topic = input_files_topic(config, doctor->sources, ""),
		.has_domains_alone = config_credential_all_have_domains(config)};
	if (!*config->imapd_conf)
		report_add(findings, REPORT_OK, "imapd.conf",
			"imapd_conf is \"\", so there is no Cyrus");
	if (*config->dovecot_socket)
		dovecot_examine(findings, &site);
	else if (!*config->imapd_conf)
		report_add(findings, REPORT_OK, "dovecot",
			"dovecot_socket is \"\", so Dovecot's events come by the plugin for xapsd "
			"alone, which is not examined");
}

static void examine_apple(struct doctor *doctor)
{
	struct report *findings = &doctor->findings;
	const struct config *config = doctor->config;
	struct err err;
	json_t *body = json_pack("{sb}", "online", 1);
	if (doctor->status &&
		client_try("POST", "/credentials/check", body, &doctor->credentials, &err))
		report_add(findings, REPORT_FAIL, "credential", "%s", err.text);
	else if (doctor->status)
		doctor_apple_judge_answer(findings, doctor->credentials,
			config ? config->imapd_conf : "/etc/imapd.conf");
	else
		json_decref(body);
	if (doctor->status || !config)
		return;
	doctor_apple_judge_files(findings, config, doctor->sources, clock_unix_ms());
	doctor_apple_reach(findings, config);
}

/* A trace that is off, or that cannot be read, is no fault of this user's. */
static void examine_trace(struct doctor *doctor, const char *user, const char *escaped)
{
	struct err err;
	json_t *answer = NULL;
	mem_auto char *path = mem_printf("/trace?user=%s", escaped);
	if (json_is_null(json_object_get(doctor->status, "trace")))
		return;
	if (client_try("GET", path, NULL, &answer, &err))
		report_add(&doctor->of_user, REPORT_WARN, "trace", "%s", err.text);
	else
		doctor_user_judge_trace(
			&doctor->of_user, user, json_object_get(answer, "entries"), doctor->status);
	json_decref(answer);
}

/* Of Dovecot, as the doors for its plugins do (daemon/parts.c); of Cyrus, what imapd.conf says. */
static struct doctor_user_topics topics_of(const struct doctor *doctor)
{
	const struct config *config = doctor->config;
	const struct input_files *sources = doctor->sources;
	struct doctor_user_topics topics = {
		.of_cyrus = member_text(doctor->status, "aps_topic"), .of_dovecot = ""};
	if (!config || !has_dovecot(config))
		return topics;
	int own = config_credential_of(config, doctor->request->user);
	const char *otherwise = *config->dovecot_socket ? "" : topics.of_cyrus;
	if (own < 0)
		topics.of_dovecot = input_files_topic(config, sources, otherwise);
	else if (sources->credentials[own])
		topics.of_dovecot = sources->credentials[own]->topic;
	return topics;
}

static void examine_user(struct doctor *doctor)
{
	struct report *findings = &doctor->of_user;
	const char *user = doctor->request->user;
	struct err err;
	json_t *answer = NULL;
	json_t *gone = NULL;
	if (!user)
		return;
	const struct doctor_user_topics topics = topics_of(doctor);
	if (!doctor->status) {
		report_add(findings, REPORT_WARN, "user",
			"the phones of %s are not known, as mailpushd did not answer", user);
		return;
	}
	mem_auto char *escaped = client_escape(user);
	mem_auto char *path = mem_printf("/devices?user=%s&limit=1000", escaped);
	mem_auto char *gone_path = mem_printf("/forgotten?user=%s", escaped);
	if (client_try("GET", path, NULL, &answer, &err) ||
		client_try("GET", gone_path, NULL, &gone, &err))
		report_add(findings, REPORT_FAIL, "user", "%s", err.text);
	else
		doctor_user_judge(findings, user, json_object_get(answer, "devices"),
			json_object_get(gone, "forgotten"), doctor->status, &topics);
	json_decref(answer);
	json_decref(gone);
	examine_trace(doctor, user, escaped);
}

/* What the daemon reads, this user may not, and the daemon does not tell of. */
static bool is_any_hidden(const struct doctor *doctor)
{
	const struct config *config = doctor->config;
	const struct input_files *sources = doctor->sources;
	if (sources->imapdconf_status == -EACCES)
		return true;
	if (doctor->status)
		return false;
	for (unsigned i = 0; i < sources->credential_count; i++)
		if (sources->credential_status[i] == -EACCES)
			return true;
	return *config->apns_ca_file && access(config->apns_ca_file, R_OK) && errno == EACCES;
}

static void doctor_fini(struct doctor *doctor)
{
	report_fini(&doctor->of_user);
	report_fini(&doctor->findings);
	free(doctor->config_path);
	free(doctor->services_path);
	cyrusconf_free(doctor->services);
	input_files_free(doctor->sources);
	config_file_free(doctor->config);
	json_decref(doctor->in_force);
	json_decref(doctor->status);
	json_decref(doctor->credentials);
}

static void print(const struct doctor *doctor)
{
	const struct report *const reports[] = {&doctor->of_user, &doctor->findings};
	const struct doctor_print how = {.is_json = doctor->request->is_json,
		.only_problems = doctor->request->only_problems};
	for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
		doctor_print_findings(reports[i], &how);
	doctor_print_count(reports, sizeof(reports) / sizeof(reports[0]), &how);
}

enum client_exit doctor_run(const struct doctor_request *request)
{
	__attribute__((cleanup(doctor_fini))) struct doctor doctor = {.request = request};
	find_config(&doctor);
	find_daemon(&doctor);
	if (doctor.config) {
		doctor.sources = input_files_read(doctor.config);
		doctor.is_shut_out |= is_any_hidden(&doctor);
		if (doctor.in_force && doctor.status)
			doctor_daemon_judge_files(&doctor.findings, doctor.status, doctor.in_force,
				doctor.config, doctor.sources);
		config_consistency_warn(
			doctor.config, doctor.sources, on_warning, &doctor.findings);
		examine_cyrus(&doctor);
		judge_dovecot_site(&doctor);
		examine_dovecot(&doctor);
	}
	examine_apple(&doctor);
	if (doctor.config) {
		doctor_files_examine(&doctor.findings, doctor.config);
		doctor_apple_judge_host(
			&doctor.findings, doctor.config_path, doctor.config->apns_host);
		doctor_machine_examine(&doctor.findings, doctor.config);
	}
	examine_user(&doctor);
	print(&doctor);
	if (report_has_failed(&doctor.of_user) || report_has_failed(&doctor.findings))
		return CLIENT_FAILED;
	return doctor.is_shut_out ? CLIENT_NOT_ALLOWED : CLIENT_FINE;
}
