#include "ctl/usage.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *first;
	const char *second;
	const char *text;
} examples[] = {
	{"alarm", "test", "mailpushctl alarm test"},
	{"cert", "check", "mailpushctl cert check --online"},
	{"cert", "inspect", "mailpushctl cert inspect /etc/mailpush/certificate.pem"},
	{"config", NULL, "mailpushctl config"},
	{"copy", NULL,
		"mailpushctl copy sqlite:/var/lib/mailpush/registry.sqlite "
		"postgresql://mailpush@db1/mailpush"},
	{"devices", NULL, "mailpushctl devices --user alice"},
	{"devices", "list", "mailpushctl devices list --limit 20"},
	{"devices", "remove", "mailpushctl devices remove --user alice --state stopped --yes"},
	{"devices", "show", "mailpushctl devices show 3f2a9c"},
	{"doctor", NULL, "mailpushctl doctor --user alice"},
	{"events", NULL, "mailpushctl events --follow"},
	{"export", NULL, "mailpushctl export > registrations"},
	{"import", NULL,
		"mailpushctl import --from xapsd --topic com.apple.mail.XServer.… "
		"/var/lib/xapsd/database.json"},
	{"log-level", NULL, "mailpushctl log-level debug"},
	{"prune", NULL, "mailpushctl prune"},
	{"push", NULL, "mailpushctl push alice --mailbox Archive"},
	{"queue", NULL, "mailpushctl queue --limit 20"},
	{"queue", "drop", "mailpushctl queue drop --user alice"},
	{"queue", "flush", "mailpushctl queue flush --user alice"},
	{"queue", "list", "mailpushctl queue list --limit 20"},
	{"registry", "freeze", "mailpushctl registry freeze"},
	{"registry", "thaw", "mailpushctl registry thaw"},
	{"schema", NULL, "mailpushctl schema postgresql"},
	{"status", NULL, "mailpushctl status"},
	{"top", NULL, "mailpushctl top"},
	{"trace", NULL, "mailpushctl trace alice --since 2h"},
	{"user", "export", "mailpushctl user export alice > alice.json"},
	{"user", "remove", "mailpushctl user remove alice --yes"},
};

/* What a command needs, in plain words. */
static const struct {
	const char *first;
	const char *second;
	const char *needs[2];
} arguments[] = {
	{"cert", "inspect", {"the file to examine"}},
	{"complete", NULL, {"'users' or 'keys'", "the beginning of the word to complete"}},
	{"copy", NULL, {"the registry to copy from", "the registry to copy to"}},
	{"devices", "show", {"the key of a registration"}},
	{"import", NULL, {"the file to import"}},
	{"log-level", NULL, {"the level"}},
	{"push", NULL, {"the user"}},
	{"trace", NULL, {"the user"}},
	{"user", "export", {"the user"}},
	{"user", "remove", {"the user"}},
};

static const struct {
	const char *name;
	const char *argument; /* NULL: none */
	const char *help;
} options[] = {
	{"all", NULL, "of all users"},
	{"columns", "KEY=NAME,…", "names of the columns of a database"},
	{"config", "FILE", "instead of /etc/mailpush/mailpush.conf"},
	{"confirmed", NULL, "the phones are taken for known to the mail server"},
	{"cyrus-conf", "FILE", "instead of Cyrus' own cyrus.conf"},
	{"dovecot-conf", "FILE", "instead of /etc/dovecot/dovecot.conf"},
	{"dry-run", NULL, "say what would be done, and do nothing"},
	{"follow", NULL, "go on until interrupted"},
	{"forgotten", NULL, "those that are gone, and why"},
	{"from", "KIND", "export, xapsd or sql"},
	{"from-password-file", "FILE", "of the database that is read"},
	{"full", NULL, "device tokens and keys whole"},
	{"last", NULL, "the last copy, while the registry is frozen"},
	{"limit", "N", "at most so many"},
	{"mailbox", "M", "of this mailbox; the one that the push names"},
	{"online", NULL, "ask Apple"},
	{"passphrase-file", "FILE", "the passphrase of a key or a PKCS#12 file"},
	{"password-file", "FILE", "of the database"},
	{"problems", NULL, "only what is not well"},
	{"since", "TIME", "of the last 30min, 2h or 3d"},
	{"state", "STATE", "active, superseded, suspended or stopped"},
	{"topic", "TOPIC", "of registrations"},
	{"user", "U", "of this user; a whole name, as the mail server has it"},
	{"yes", NULL, "do it"},
};

const char *usage_example(const char *first, const char *second)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		if (!strcmp(examples[i].first, first) &&
			(second && examples[i].second ? !strcmp(examples[i].second, second)
						      : second == examples[i].second))
			return examples[i].text;
	}
	return NULL;
}

const char *usage_argument(const char *first, const char *second, unsigned number)
{
	for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++)
		if (!strcmp(arguments[i].first, first) &&
			(!arguments[i].second || (second && !strcmp(arguments[i].second, second))))
			return arguments[i].needs[number];
	return NULL;
}

const char *usage_option(const char *name, const char **ret_argument)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(options[i].name, name) != 0)
			continue;
		*ret_argument = options[i].argument;
		return options[i].help;
	}
	return NULL;
}

enum client_exit usage_fail(const char *format, const char *text)
{
	fputs("mailpushctl: ", stderr);
	fprintf(stderr, format, text);
	fputs("; `mailpushctl --help` lists the commands\n", stderr);
	return CLIENT_USAGE;
}
