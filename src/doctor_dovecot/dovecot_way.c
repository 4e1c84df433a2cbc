#include "doctor_dovecot/dovecot_way.h"

#include "base/mem.h"
#include "checkup/person.h"
#include "checkup/reach.h"
#include "checkup/samepath.h"
#include "config/setting.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define OF_NOBODY 65534
#define KEEP_SPOOL "/var/spool/mailpush" /* see mailpush-dovecot-keep(8) */
#define RELOAD "systemctl reload mailpush"
#define RESTART "systemctl restart mailpush"

/* Who connects. */
struct mail_user {
	char *name;
	struct person person; /* if not known, one with no rights but everybody's */
	bool is_known;	      /* else imap may work as each user */
};

static bool read_id(const char *text, id_t *ret)
{
	char *end = NULL;
	unsigned long number = strtoul(text, &end, 10);
	*ret = (id_t)number;
	return *text >= '0' && *text <= '9' && !*end && number < UINT32_MAX;
}

static void enter_group(struct person *person, const char *name, int place)
{
	id_t number = 0;
	const struct group *group = getgrnam(name);
	if (!group && !read_id(name, &number))
		return;
	gid_t gid = group ? group->gr_gid : (gid_t)number;
	if (place < PERSON_GROUPS_MAX)
		person->gids[place] = gid;
	if (place == person->gid_count && place < PERSON_GROUPS_MAX)
		person->gid_count++;
}

/* Of the groups of which the system calls a virtual user's owner a member, Dovecot sets none. */
static void find_groups(const struct doveconf *conf, struct person *person)
{
	mem_auto char *groups = mem_dup(conf->groups);
	char *place = NULL;
	person->gid_count = 1;
	enter_group(person, conf->group, 0);
	for (const char *name = strtok_r(groups, " ", &place); name;
		name = strtok_r(NULL, " ", &place))
		enter_group(person, name, person->gid_count);
}

static void find_user(const struct doveconf *conf, struct mail_user *ret)
{
	id_t uid;
	*ret = (struct mail_user){.name = mem_dup(conf->user)};
	bool is_number = read_id(ret->name, &uid);
	const struct passwd *passwd = is_number ? getpwuid((uid_t)uid) : getpwnam(ret->name);
	if (passwd) {
		free(ret->name);
		ret->name = mem_dup(passwd->pw_name);
	}
	ret->is_known = passwd || is_number;
	ret->person = (struct person){.name = ret->is_known ? ret->name : "nobody",
		.uid = passwd	    ? passwd->pw_uid
			: is_number ? uid
				    : OF_NOBODY,
		.gids = {passwd ? passwd->pw_gid : OF_NOBODY},
		.gid_count = 1};
	if (ret->is_known)
		find_groups(conf, &ret->person);
}

/* ---- the socket ---- */

static void put_setting(
	struct report *findings, const struct doveconf *conf, const char *key, const char *value)
{
	report_run(findings,
		doveconf_is_2_4(conf)
			? "printf '%s = %s\\n' >>%s && systemctl restart dovecot"
			: "printf 'plugin {\\n  %s = %s\\n}\\n' >>%s && systemctl restart dovecot",
		key, value, conf->path);
}

static bool judge_path(
	struct report *findings, const struct doveconf *conf, const struct config *config)
{
	if (samepath(conf->socket, config->dovecot_socket)) {
		report_add(findings, REPORT_OK, "mailpush_socket", "%s", conf->socket);
		return true;
	}
	report_add(findings, REPORT_FAIL, "mailpush_socket",
		"is %s in Dovecot, but dovecot_socket of mailpush.conf is %s", conf->socket,
		config->dovecot_socket);
	put_setting(findings, conf, "mailpush_socket", config->dovecot_socket);
	return false;
}

static void examine_socket(
	struct report *findings, const struct config *config, const struct mail_user *user)
{
	const char *path = config->dovecot_socket;
	struct stat status;
	mem_auto char *who = user->is_known ? mem_printf("Dovecot works as user %s", user->name)
					    : mem_dup("Dovecot may work as each user");
	if (!reach_folders(findings, path, who, &user->person) ||
		!reach_socket(findings, path, SOCK_STREAM, &status))
		return;
	if (person_may(&user->person, &status, PERSON_MAY_WRITE)) {
		report_add(
			findings, REPORT_OK, "permissions", "%s, who may write to %s", who, path);
		return;
	}
	report_add(findings, REPORT_FAIL, "permissions", "%s, who may not write to %s (mode %04o)",
		who, path, status.st_mode & 07777);
	report_run(findings, RESTART);
}

static const char *listed_users(const struct config *config)
{
	const struct config_setting *setting = setting_find(config, "dovecot_users");
	return setting ? setting->value : "";
}

static void judge_users(
	struct report *findings, const struct config *config, const struct mail_user *user)
{
	const char *listed = listed_users(config);
	if (!user->is_known && *user->name) {
		report_add(findings, REPORT_FAIL, "dovecot_users",
			"Dovecot's mail user is %s, who does not exist on this system", user->name);
	} else if (!user->is_known) {
		report_add(findings, REPORT_OK, "dovecot_users",
			"%s%s; as whom imap works is not in Dovecot's configuration (mail_uid): a "
			"process of another user %s",
			*listed ? listed : "nobody",
			*listed ? " may speak for all users" : " is listed",
			config->dovecot_system_users ? "speaks for that user alone"
						     : "is not allowed to say anything");
	} else if (peer_is_allowed(&config->dovecot_peers, user->person.uid)) {
		report_add(findings, REPORT_OK, "dovecot_users", "user %s may speak for all users",
			user->name);
	} else {
		report_add(findings, REPORT_FAIL, "dovecot_users",
			"Dovecot works as user %s, who is not listed, so mailpushd believes %s",
			user->name,
			config->dovecot_system_users ? "only what concerns a mail user of that name"
						     : "nothing of what it says");
		report_put(findings, config->path, "dovecot_users = { %s%s%s }", listed,
			*listed ? ", " : "", user->name);
		report_run(findings, RELOAD);
	}
}

/* Are mail users those of the system here, and there? */
static void judge_system_users(struct report *findings, const struct doveconf *conf,
	const struct config *config, const struct mail_user *user)
{
	if (conf->has_system_users && !config->dovecot_system_users) {
		report_add(findings, REPORT_WARN, "dovecot_system_users",
			"mail users of Dovecot are users of the system (userdb passwd), and imap "
			"works as them, but dovecot_system_users is no: mailpushd refuses what "
			"they say, so their phones cannot register");
		report_put(findings, config->path, "dovecot_system_users = yes");
		report_run(findings, RELOAD);
	} else if (config->dovecot_system_users && user->is_known &&
		peer_is_allowed(&config->dovecot_peers, user->person.uid)) {
		report_add(findings, REPORT_WARN, "dovecot_system_users",
			"is yes, but Dovecot works as user %s for all: any other user of the "
			"system can speak for a mail user of the same name",
			user->name);
		report_put(findings, config->path, "dovecot_system_users = no");
		report_run(findings, RELOAD);
	}
}

/* ---- the spool folder ---- */

/* Or its number; free it. */
static char *group_name(gid_t gid)
{
	const struct group *group = getgrgid(gid);
	return group ? mem_dup(group->gr_name) : mem_printf("%u", (unsigned)gid);
}

/* Setgid, it takes no folder from its caller. */
static bool is_spool_of_keep(const struct stat *spool)
{
	struct stat status;
	return !stat(KEEP_SPOOL, &status) && status.st_dev == spool->st_dev &&
		status.st_ino == spool->st_ino;
}

/* One user for all has too much for the program; Dovecot can let him write there himself. */
static void judge_group(struct report *findings, const struct doveconf *conf, const char *folder,
	const struct mail_user *user, const struct stat *spool)
{
	mem_auto char *group = group_name(spool->st_gid);
	bool keeps = is_spool_of_keep(spool);
	report_add(findings, keeps ? REPORT_WARN : REPORT_FAIL, "spool",
		"Dovecot works as user %s for all, who may not write into %s, and %s %s",
		user->name, folder, conf->keep,
		keeps ? "keeps about 1000 files for a user: what happens while mailpushd is away "
			"may be lost"
		      : "writes into " KEEP_SPOOL
			" alone: what happens while mailpushd is away is lost");
	report_run(findings,
		"printf 'mail_access_groups =%s%s\\n' >>%s && systemctl restart dovecot",
		conf->groups, group, conf->path);
}

/* Can the program that the plugin runs write there for others? */
static void judge_keep(struct report *findings, const struct doveconf *conf,
	const struct config *config, const struct mail_user *user, const struct stat *spool)
{
	const char *folder = config->spool_dir;
	struct stat keep;
	mem_auto char *group = group_name(spool->st_gid);
	if (stat(conf->keep, &keep)) {
		report_add(findings, errno == EACCES ? REPORT_WARN : REPORT_FAIL, "spool",
			"%s, which writes into %s for users who may not: %s; what happens while "
			"mailpushd is away is lost",
			conf->keep, folder, strerror(errno));
		report_run(findings, "apt-get install --reinstall dovecot-mailpush");
	} else if (!(keep.st_mode & S_ISGID) || keep.st_gid != spool->st_gid ||
		!(keep.st_mode & S_IXOTH)) {
		mem_auto char *of_keep = group_name(keep.st_gid);
		report_add(findings, REPORT_FAIL, "spool",
			"%s is not setgid %s (mode %04o, group %s), so it cannot write into %s: "
			"what "
			"happens while mailpushd is away is lost",
			conf->keep, group, keep.st_mode & 07777, of_keep, folder);
		report_run(findings, "chgrp %s %s && chmod 2755 %s", group, conf->keep, conf->keep);
	} else if (!(spool->st_mode & S_IWGRP) || !(spool->st_mode & S_IXGRP)) {
		report_add(findings, REPORT_FAIL, "spool",
			"the group of %s may not write into it (mode %04o), so %s cannot", folder,
			spool->st_mode & 07777, conf->keep);
		report_run(findings, "chmod 2770 %s", folder);
	} else if (user->is_known) {
		judge_group(findings, conf, folder, user, spool);
	} else if (!is_spool_of_keep(spool)) {
		report_add(findings, REPORT_FAIL, "spool",
			"%s, for users who may not write into %s, writes into " KEEP_SPOOL
			" alone: what happens while mailpushd is away is lost",
			conf->keep, folder);
		report_put(findings, config->path, "spool_dir = \"" KEEP_SPOOL "\"");
		report_run(findings, RESTART);
	} else {
		report_add(findings, REPORT_OK, "spool", "%s, by %s", folder, conf->keep);
	}
}

static void examine_spool(struct report *findings, const struct doveconf *conf,
	const struct config *config, const struct mail_user *user)
{
	struct stat status;
	const char *folder = config->spool_dir;
	if (!*folder) {
		report_add(findings, REPORT_WARN, "spool",
			"spool_dir is \"\": mailpushd never takes in what Dovecot's plugin keeps "
			"while it is away");
		report_put(findings, config->path, "spool_dir = \"%s\"", conf->spool);
		report_run(findings, RESTART);
	} else if (!samepath(folder, conf->spool)) {
		report_add(findings, REPORT_FAIL, "spool",
			"mailpush_spool is %s in Dovecot, but spool_dir of mailpush.conf is %s, so "
			"what happens while mailpushd is away is lost",
			conf->spool, folder);
		put_setting(findings, conf, "mailpush_spool", folder);
	} else if (stat(folder, &status)) {
		report_add(findings, errno == EACCES ? REPORT_WARN : REPORT_FAIL, "spool", "%s: %s",
			folder, strerror(errno));
		if (errno == ENOENT)
			report_run(findings, RESTART);
	} else if (user->is_known &&
		person_may(&user->person, &status, PERSON_MAY_ENTER | PERSON_MAY_WRITE)) {
		report_add(findings, REPORT_OK, "spool", "%s, by user %s", folder, user->name);
	} else {
		judge_keep(findings, conf, config, user, &status);
	}
}

void dovecot_way_examine(
	struct report *findings, const struct doveconf *conf, const struct config *config)
{
	struct mail_user user;
	find_user(conf, &user);
	if (judge_path(findings, conf, config))
		examine_socket(findings, config, &user);
	judge_users(findings, config, &user);
	judge_system_users(findings, conf, config, &user);
	/* Nothing keeps news for one who does not exist. */
	if (user.is_known || !*user.name)
		examine_spool(findings, conf, config, &user);
	free(user.name);
}
