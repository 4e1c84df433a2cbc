#include "doctor_dovecot/dovecot_plugins.h"

#include "base/buf.h"
#include "base/mem.h"
#include "doctor_dovecot/doveconf_text.h"
#include "doctor_dovecot/dovecot_abi.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define CHECK "mail_plugins"
#define NEWS "mailpush"
#define PHONES "imap_mailpush"
#define RESTART "systemctl restart dovecot"
/* Of Dovecot's own package, and needed by ours. */
#define OF_DOVECOT "lib15_notify_plugin.so"

/* ---- what is loaded ---- */

static bool lacks(const struct doveconf *conf, enum doveconf_protocol protocol, const char *name)
{
	return conf->is_offered[protocol] && !doveconf_text_has(conf->plugins[protocol], name);
}

/* A program whose changes are not pushed. */
static bool is_incomplete(const struct doveconf *conf, enum doveconf_protocol protocol)
{
	return lacks(conf, protocol, NEWS) || lacks(conf, protocol, "notify") ||
		(protocol == DOVECONF_IMAP && lacks(conf, protocol, PHONES));
}

static void add_name(struct buf *names, const char *name)
{
	buf_append_text(names, names->used ? ", " : "");
	buf_append_text(names, name);
}

/* A section at the end of the configuration, as the argument of printf. */
static void add_section(
	struct buf *text, const struct doveconf *conf, enum doveconf_protocol protocol)
{
	static const char *const wanted[] = {"notify", NEWS, PHONES};
	bool is_2_4 = doveconf_is_2_4(conf);
	buf_append_text(text, "protocol ");
	buf_append_text(text, doveconf_protocol_name(protocol));
	buf_append_text(
		text, is_2_4 ? " {\\n  mail_plugins {\\n" : " {\\n  mail_plugins = $mail_plugins");
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (!lacks(conf, protocol, wanted[i]) ||
			(wanted[i][0] == 'i' && protocol != DOVECONF_IMAP))
			continue;
		buf_append_text(text, is_2_4 ? "    " : " ");
		buf_append_text(text, wanted[i]);
		buf_append_text(text, is_2_4 ? " = yes\\n" : "");
	}
	buf_append_text(text, is_2_4 ? "  }\\n}\\n" : "\\n}\\n");
}

static void put_sections(struct report *findings, const struct doveconf *conf)
{
	buf_auto struct buf text;
	buf_init(&text);
	for (enum doveconf_protocol i = 0; i < DOVECONF_PROTOCOLS; i++)
		if (is_incomplete(conf, i))
			add_section(&text, conf, i);
	report_run(findings, "printf '%s' >>%s && " RESTART, buf_text(&text), conf->path);
}

/*
 * Which of the programs lack it; the finding is bad if new mail or registrations are concerned.
 * The first of them has the remedy of all: whoever runs one for each would add the sections again.
 */
static void judge_missing(struct report *findings, const struct doveconf *conf, const char *name,
	const char *meaning, bool *has_remedy)
{
	bool is_imap_only = !strcmp(name, PHONES);
	buf_auto struct buf names;
	buf_init(&names);
	enum report_level level = REPORT_WARN;
	enum doveconf_protocol end = is_imap_only ? DOVECONF_LMTP : DOVECONF_PROTOCOLS;
	for (enum doveconf_protocol i = DOVECONF_IMAP; i < end; i++) {
		if (!lacks(conf, i, name))
			continue;
		add_name(&names, doveconf_protocol_name(i));
		if (i == DOVECONF_IMAP || i == DOVECONF_LMTP)
			level = REPORT_FAIL;
	}
	if (!names.used)
		return;
	report_add(findings, level, CHECK, "lacks %s in %s, so %s%s", name, buf_text(&names),
		meaning, *has_remedy ? "; the command above mends this too" : "");
	if (!*has_remedy)
		put_sections(findings, conf);
	*has_remedy = true;
}

void dovecot_plugins_judge(struct report *findings, const struct doveconf *conf)
{
	const char *of_imap = conf->plugins[DOVECONF_IMAP];
	bool has_remedy = false;
	buf_auto struct buf complete;
	buf_init(&complete);
	for (enum doveconf_protocol i = 0; i < DOVECONF_PROTOCOLS; i++)
		if (conf->is_offered[i] && !is_incomplete(conf, i))
			add_name(&complete, doveconf_protocol_name(i));
	judge_missing(findings, conf, NEWS, "phones are not told of what it does to mailboxes",
		&has_remedy);
	judge_missing(findings, conf, "notify", "the plugin, which depends on it, cannot be loaded",
		&has_remedy);
	judge_missing(findings, conf, PHONES, "no phone can register", &has_remedy);
	if (complete.used)
		report_add(
			findings, REPORT_OK, CHECK, NEWS " is loaded by %s", buf_text(&complete));
	if (doveconf_text_has(of_imap, PHONES) && doveconf_text_has(of_imap, "xaps_imap"))
		report_add(findings, REPORT_WARN, CHECK,
			"imap loads xaps_imap of the plugin for xapsd as well, and both offer push "
			"to "
			"phones: remove xaps_imap and xaps_push_notification");
}

/* ---- the modules ---- */

static void judge_abi(
	struct report *findings, const char *path, const char *name, const char *of_dovecot)
{
	char abi[DOVECOT_ABI_SIZE];
	if (access(path, F_OK)) {
		report_add(findings, REPORT_FAIL, "module",
			"%s: %s, so Dovecot's processes that load %s end: install the plugins "
			"(docs/dovecot.md)",
			path, strerror(errno), name);
		report_run(findings, "apt-get install dovecot-mailpush");
	} else if (!dovecot_abi_read(path, abi)) {
		report_add(findings, errno == EACCES ? REPORT_WARN : REPORT_FAIL, "module",
			"%s: %s", path,
			errno == EBADMSG ? "is no module of Dovecot's" : strerror(errno));
	} else if (!*of_dovecot) {
		report_add(findings, REPORT_OK, "module", "%s is built for %s", path, abi);
	} else if (strcmp(abi, of_dovecot) != 0) {
		report_add(findings, REPORT_FAIL, "module",
			"%s is built for %s, but this Dovecot is %s and does not load it: build "
			"and "
			"install the package for this release",
			path, abi, of_dovecot);
		report_run(findings, "apt-get install --reinstall dovecot-mailpush");
	} else {
		report_add(findings, REPORT_OK, "module", "%s fits this Dovecot (%s)", path, abi);
	}
}

void dovecot_plugins_examine_modules(struct report *findings, const struct doveconf *conf)
{
	static const struct {
		const char *file;
		const char *name;
		bool is_of_2_4;
	} modules[] = {{"lib25_mailpush_plugin.so", NEWS, false},
		{"lib26_imap_mailpush_plugin.so", PHONES, false},
		{"settings/libmailpush_settings.so", "its settings", true}};
	char of_dovecot[DOVECOT_ABI_SIZE] = "";
	mem_auto char *own = mem_printf("%s/" OF_DOVECOT, conf->module_folder);
	if (!dovecot_abi_read(own, of_dovecot))
		report_add(findings, REPORT_WARN, "module",
			"%s: %s, so which modules fit this Dovecot is unknown", own,
			strerror(errno));
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		mem_auto char *path = mem_printf("%s/%s", conf->module_folder, modules[i].file);
		if (!modules[i].is_of_2_4 || doveconf_is_2_4(conf))
			judge_abi(findings, path, modules[i].name, of_dovecot);
	}
}
