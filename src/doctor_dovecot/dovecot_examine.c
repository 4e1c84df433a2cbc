#include "doctor_dovecot/dovecot_examine.h"

#include "doctor_dovecot/doveconf.h"
#include "doctor_dovecot/dovecot_plugins.h"
#include "doctor_dovecot/dovecot_processes.h"
#include "doctor_dovecot/dovecot_way.h"

#include <errno.h>
#include <unistd.h>

static void judge_topic(struct report *findings, const struct dovecot_to_examine *site)
{
	if (*site->topic)
		report_add(findings, REPORT_OK, "topic", "%s", site->topic);
	else if (site->has_domains_alone)
		report_add(findings, REPORT_OK, "topic",
			"that of the credential that lists the user's domain");
	else
		report_add(findings, REPORT_FAIL, "topic",
			"there is none, as mailpush.conf has no certificate and no key with a "
			"topic, "
			"so Dovecot does not offer push to phones: see `mailpushctl cert --help`");
}

void dovecot_examine(struct report *findings, const struct dovecot_to_examine *site)
{
	struct err err;
	struct doveconf *conf = NULL;
	judge_topic(findings, site);
	int code = doveconf_read(
		site->dovecot_conf ? site->dovecot_conf : DOVECONF_DEFAULT, &conf, &err);
	if (code == -ENOENT) {
		report_add(findings, REPORT_WARN, "dovecot",
			"%s, so there is no Dovecot on this machine, but dovecot_socket is set: "
			"Dovecot can use it only from here",
			err.text);
	} else if (code == -EPERM || (code && geteuid() != 0)) {
		report_add(findings, REPORT_WARN, "dovecot", "%s; Dovecot was not examined%s",
			err.text, code == -EPERM ? "" : ": run mailpushctl doctor as root");
	} else if (code) {
		report_add(findings, REPORT_FAIL, "dovecot",
			"%s; Dovecot was not examined, and may not start: correct that, or give "
			"the path of its configuration with --dovecot-conf",
			err.text);
	} else {
		report_add(findings, REPORT_OK, "dovecot", "Dovecot %s, %s", conf->version,
			conf->path);
		dovecot_plugins_judge(findings, conf);
		dovecot_plugins_examine_modules(findings, conf);
		dovecot_way_examine(findings, conf, site->config);
		dovecot_processes_examine(findings, conf->path);
	}
	doveconf_free(conf);
}
