/*
 * mailpushctl - the administrator's tool: asks mailpushd over its control socket.
 *
 * ctl/
 *   main              commands
 *   options           what the command line says beside the command
 *   copy              registrations from one registry's database into another's
 *   usage             options and an example for each command's --help
 *   keys              registrations by the beginning of their keys, and completion for shells
 *   top               the state, shown again every two seconds
 *   lists             registrations and pending pushes, as tables or JSON lines
 *   pages             walks a list that comes page by page
 *   export            registrations as JSON lines, and all about a user
 *   import            registrations from elsewhere, in batches
 *   timeline          what happened with a user's phones
 *   removal           deletes registrations by description, and everything of a user
 *   schema            the tables of a registry as SQL
 *   inspect           files of certificates and keys, without the daemon
 *   show_file         what inspect found, as text
 *
 * show/, the daemon's answers as text
 *   show_status       its state
 *   show_device       registrations
 *   show              all others
 *   show_time         times, against the clock
 *
 * console/, for commands and doctor alike
 *   client            HTTP over the control socket, and what to do when the daemon is down
 *   member            members of the daemon's JSON
 *   table             text in columns, colours
 *   print             text from outside, on a terminal
 *   format            times, sizes and texts as people read them
 *   unknown_user      says that nothing is known of a user
 *
 * transfer/, registrations on the move
 *   registry_copy     from one registry to another, page by page
 *   copy_page         such a page, and what the other registry has of it
 *   source            the kinds of sources
 *   source_lines      what export wrote
 *   source_xapsd      xapsd's database.json
 *   source_sql        the tables of a script, in a database that is asked by
 *   sql               what an SQL server must do
 *   sql_sqlite        an SQLite file
 *   sql_postgresql    a PostgreSQL server
 *   sql_mariadb       a MariaDB or MySQL server
 *   time_text         times as other programs write them
 *
 * checkup/, for all parts of doctor
 *   report            what was found, why, and the remedy
 *   person            a user of the system, and what he may do with a file
 *   program           runs another program, within bounds
 *   reach             can a user come to a socket, and does mailpushd listen there?
 *   samepath          do two paths name one file?
 *   mailserver        the processes of a running mail server, and since when
 *
 * doctor/, which examines the whole site
 *   doctor            what is read, and in which order it is judged
 *   doctor_cyrus      imapd.conf and cyrus.conf: do events come, and to mailpushd?
 *   cyrusconf         reads the services of cyrus.conf
 *   doctor_program    the program that Cyrus' notifyd runs
 *   doctor_imap       the running Cyrus: what it says of itself, and whether TLS works
 *   greeting          reads an IMAP greeting
 *   doctor_processes  processes of Cyrus that are older than the change of imapd.conf
 *   doctor_socket     the sockets between Cyrus and mailpushd
 *   doctor_files      the files that the daemon's user needs
 *   doctor_daemon     the daemon: what it says of itself
 *   doctor_apple      credentials, topic, the connection to Apple
 *   doctor_machine    clock and disks
 *   doctor_user       one user's phones
 *   doctor_print      prints the report
 *
 * doctor_dovecot/, its part for Dovecot
 *   dovecot_examine   what is examined, and in which order
 *   doveconf          asks Dovecot's own programs for its configuration
 *   doveconf_text     what they print
 *   dovecot_plugins   is the plugin loaded, and does its module fit this Dovecot?
 *   dovecot_abi       for which Dovecot a module is built
 *   dovecot_way       sockets, users and the spool folder between Dovecot and mailpushd
 *   dovecot_processes has Dovecot read its configuration since it was changed?
 *
 * With --json an answer is printed as it came; lists are one object a line.
 */
#include "base/mem.h"
#include "base/version.h"
#include "console/client.h"
#include "console/format.h"
#include "console/table.h"
#include "ctl/copy.h"
#include "ctl/export.h"
#include "ctl/import.h"
#include "ctl/keys.h"
#include "ctl/lists.h"
#include "ctl/options.h"
#include "ctl/removal.h"
#include "ctl/schema.h"
#include "ctl/show_file.h"
#include "ctl/timeline.h"
#include "ctl/top.h"
#include "ctl/usage.h"
#include "doctor/doctor.h"
#include "show/show.h"
#include "show/show_device.h"
#include "show/show_status.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static struct options options;

/* Prints the answer as it came, or shows it; `is_fine` judges it, or is NULL. */
static enum client_exit ask_and_judge(const char *method, const char *path, json_t *body,
	void (*show)(const json_t *answer), bool (*is_fine)(const json_t *answer))
{
	json_t *answer = NULL;
	enum client_exit result = client_ask(method, path, body, &answer);
	if (result)
		return result;
	if (options.is_json)
		show_json(answer, false);
	else
		show(answer);
	if (is_fine && !is_fine(answer))
		result = CLIENT_FAILED;
	json_decref(answer);
	return result;
}

static enum client_exit ask_and_show(
	const char *method, const char *path, json_t *body, void (*show)(const json_t *answer))
{
	return ask_and_judge(method, path, body, show, NULL);
}

static enum client_exit status(char **arguments)
{
	(void)arguments;
	return ask_and_show("GET", "/status", NULL, show_status);
}

static enum client_exit config(char **arguments)
{
	(void)arguments;
	return ask_and_show("GET", "/config", NULL, show_config);
}

static struct lists_request list_asked(void)
{
	return (struct lists_request){.user = options.user,
		.limit = options.limit,
		.is_full = (options.given & TAKES_FULL) != 0,
		.are_forgotten = (options.given & TAKES_FORGOTTEN) != 0,
		.is_json = options.is_json};
}

static enum client_exit devices(char **arguments)
{
	(void)arguments;
	const struct lists_request request = list_asked();
	return lists_devices(&request);
}

static enum client_exit device_show(char **arguments)
{
	mem_auto char *whole = NULL;
	enum client_exit result = keys_find(arguments[0], &whole);
	if (result)
		return result;
	mem_auto char *key = client_escape(whole);
	mem_auto char *path =
		mem_printf("/devices/%s%s", key, options.given & TAKES_FULL ? "?full=1" : "");
	return ask_and_show("GET", path, NULL, show_device);
}

static struct removal_request removal_asked(const char *user)
{
	return (struct removal_request){.user = user,
		.topic = options.topic,
		.state = options.state,
		.is_meant = (options.given & TAKES_YES) != 0,
		.is_json = options.is_json};
}

static enum client_exit device_remove(char **arguments)
{
	if (!arguments[0]) {
		const struct removal_request request = removal_asked(options.user);
		return removal_devices(&request);
	}
	if (options.given)
		return usage_fail("%s", "a key excludes options");
	mem_auto char *whole = NULL;
	enum client_exit result = keys_find(arguments[0], &whole);
	if (result)
		return result;
	mem_auto char *key = client_escape(whole);
	mem_auto char *path = mem_printf("/devices/%s", key);
	return ask_and_show("DELETE", path, NULL, show_removed);
}

static enum client_exit export_all(char **arguments)
{
	(void)arguments;
	return export_run(options.user);
}

static enum client_exit import_file(char **arguments)
{
	const struct import_request request = {.from = options.from,
		.place = arguments[0],
		.topic = options.topic,
		.columns = options.columns,
		.password_file = options.password_file,
		.is_dry_run = (options.given & TAKES_DRY_RUN) != 0,
		.keeps_confirmed = (options.given & TAKES_CONFIRMED) != 0,
		.is_json = options.is_json};
	return import_run(&request);
}

static enum client_exit copy_registry(char **arguments)
{
	const struct copy_request request = {.from = arguments[0],
		.to = arguments[1],
		.config = options.config,
		.from_password_file = options.from_password_file,
		.password_file = options.password_file,
		.is_last = (options.given & TAKES_LAST) != 0,
		.is_dry_run = (options.given & TAKES_DRY_RUN) != 0,
		.is_json = options.is_json,
		.is_socket_given = options.is_socket_given};
	return copy_run(&request);
}

static enum client_exit registry_freeze(char **arguments)
{
	(void)arguments;
	return copy_freeze(options.is_json);
}

static enum client_exit registry_thaw(char **arguments)
{
	(void)arguments;
	return copy_thaw(options.is_json);
}

static enum client_exit user_export(char **arguments)
{
	return export_user(arguments[0]);
}

static enum client_exit user_remove(char **arguments)
{
	const struct removal_request request = removal_asked(arguments[0]);
	return removal_user(&request);
}

static enum client_exit push(char **arguments)
{
	json_t *body = json_pack("{ss}", "user", arguments[0]);
	if (options.mailbox)
		json_object_set_new(body, "mailbox", json_string(options.mailbox));
	return ask_and_judge("POST", "/push", body, show_push, show_is_pushed);
}

static enum client_exit queue(char **arguments)
{
	(void)arguments;
	const struct lists_request request = list_asked();
	return lists_queue(&request);
}

static enum client_exit change_queue(const char *path)
{
	json_t *body = json_object();
	if (options.user)
		json_object_set_new(body, "user", json_string(options.user));
	if (options.given & TAKES_ALL)
		json_object_set_new(body, "all", json_true());
	return ask_and_show("POST", path, body, show_changed);
}

static enum client_exit queue_flush(char **arguments)
{
	(void)arguments;
	return change_queue("/queue/flush");
}

static enum client_exit queue_drop(char **arguments)
{
	(void)arguments;
	if (!(options.given & TAKES_ALL) == !options.user) {
		fputs("mailpushctl: dropped pushes are never sent: give either --user or --all\n",
			stderr);
		return CLIENT_USAGE;
	}
	return change_queue("/queue/drop");
}

static void on_line(const char *text)
{
	if (options.is_json) {
		puts(text);
		fflush(stdout);
		return;
	}
	json_t *event = json_loads(text, 0, NULL);
	if (event)
		show_event(event);
	json_decref(event);
}

static enum client_exit events(char **arguments)
{
	(void)arguments;
	if (!(options.given & TAKES_FOLLOW)) {
		fputs("mailpushctl: past events are not kept: give --follow to see new ones; "
		      "`mailpushctl status` counts the past ones\n",
			stderr);
		return CLIENT_USAGE;
	}
	return client_follow("/events", on_line);
}

static enum client_exit trace(char **arguments)
{
	const struct timeline_request request = {.user = arguments[0],
		.since = options.since,
		.mailbox = options.mailbox,
		.is_followed = (options.given & TAKES_FOLLOW) != 0,
		.is_json = options.is_json};
	return timeline_run(&request);
}

static enum client_exit prune(char **arguments)
{
	(void)arguments;
	return ask_and_show("POST", "/prune", NULL, show_pruned);
}

static enum client_exit cert_inspect(char **arguments)
{
	return show_file_run(arguments, options.passphrase_file, options.is_json);
}

static enum client_exit cert_check(char **arguments)
{
	(void)arguments;
	json_t *body = json_pack("{sb}", "online", (options.given & TAKES_ONLINE) != 0);
	return ask_and_judge(
		"POST", "/credentials/check", body, show_credentials, show_are_credentials_fine);
}

static enum client_exit alarm_test(char **arguments)
{
	(void)arguments;
	return ask_and_judge("POST", "/alarm/test", NULL, show_alarm_test, show_is_alarm_test_fine);
}

static enum client_exit log_level(char **arguments)
{
	json_t *body = json_pack("{ss}", "level", arguments[0]);
	return ask_and_show("POST", "/log-level", body, show_log_level);
}

static enum client_exit top(char **arguments)
{
	(void)arguments;
	return top_run(options.limit);
}

static enum client_exit complete(char **arguments)
{
	return keys_complete(arguments[0], arguments[1]);
}

static enum client_exit schema(char **arguments)
{
	return schema_print(arguments[0], options.config);
}

static enum client_exit doctor(char **arguments)
{
	(void)arguments;
	const struct doctor_request request = {.config = options.config,
		.cyrus_conf = options.cyrus_conf,
		.dovecot_conf = options.dovecot_conf,
		.user = options.user,
		.is_socket_given = options.is_socket_given,
		.is_json = options.is_json,
		.only_problems = (options.given & TAKES_PROBLEMS) != 0};
	return doctor_run(&request);
}

#define ONE_OR_MORE (-1)
#define NONE_OR_ONE (-2)

static const struct command {
	const char *words[2]; /* the second may be NULL */
	int arguments;	      /* how many follow; ONE_OR_MORE, NONE_OR_ONE */
	unsigned takes;
	enum client_exit (*run)(char **arguments);
	const char *usage; /* NULL: another name for the one below */
	const char *help;
} commands[] = {
	{{"status"}, 0, 0, status, "", "state of the daemon, and its alarms"},
	{{"top"}, 0, TAKES_LIMIT, top, "", "the same every two seconds, with rates and failures"},
	{{"doctor"}, 0,
		TAKES_USER | TAKES_CONFIG | TAKES_CYRUS_CONF | TAKES_DOVECOT_CONF | TAKES_PROBLEMS,
		doctor, "[--user U] [--problems]",
		"examine the whole site; each problem with its remedy"},
	{{"devices", "show"}, 1, TAKES_FULL, device_show, "KEY", "one registration"},
	{{"devices", "remove"}, NONE_OR_ONE, TAKES_USER | TAKES_TOPIC | TAKES_STATE | TAKES_YES,
		device_remove, "KEY", "delete a registration"},
	{{"devices", "remove"}, NONE_OR_ONE, TAKES_USER | TAKES_TOPIC | TAKES_STATE | TAKES_YES,
		device_remove, "--user U ... --yes",
		"delete those of a user, a --topic, a --state"},
	{{"devices", "list"}, 0, TAKES_FULL | TAKES_USER | TAKES_LIMIT | TAKES_FORGOTTEN, devices,
		NULL, NULL},
	{{"devices"}, 0, TAKES_FULL | TAKES_USER | TAKES_LIMIT | TAKES_FORGOTTEN, devices,
		"[--user U]", "registrations, their last pushes and Apple's answers"},
	{{"devices"}, 0, TAKES_FULL | TAKES_USER | TAKES_LIMIT | TAKES_FORGOTTEN, devices,
		"--forgotten [--user U]", "registrations forgotten in the last 30 days, and why"},
	{{"export"}, 0, TAKES_USER, export_all, "[--user U]", "all registrations as JSON lines"},
	{{"import"}, 1,
		TAKES_FROM | TAKES_TOPIC | TAKES_COLUMNS | TAKES_DRY_RUN | TAKES_CONFIRMED |
			TAKES_PASSWORD,
		import_file, "[--from xapsd|sql] FILE", "import registrations from elsewhere"},
	{{"registry", "freeze"}, 0, 0, registry_freeze, "",
		"events are parked, the registry stands still"},
	{{"registry", "thaw"}, 0, 0, registry_thaw, "", "it goes on"},
	{{"copy"}, 2,
		TAKES_LAST | TAKES_DRY_RUN | TAKES_CONFIG | TAKES_PASSWORD | TAKES_FROM_PASSWORD,
		copy_registry, "[--last] FROM TO", "copy one registry into another"},
	{{"user", "export"}, 1, 0, user_export, "U", "all data of a user, as JSON"},
	{{"user", "remove"}, 1, TAKES_YES, user_remove, "U --yes", "delete all data of a user"},
	{{"push"}, 1, TAKES_MAILBOX, push, "USER [--mailbox M]",
		"a test push to all devices of a user"},
	{{"queue", "flush"}, 0, TAKES_USER, queue_flush, "[--user U]",
		"send deferred and retried pushes now"},
	{{"queue", "drop"}, 0, TAKES_USER | TAKES_ALL, queue_drop, "--user U | --all",
		"discard pending pushes"},
	{{"queue", "list"}, 0, TAKES_FULL | TAKES_LIMIT, queue, NULL, NULL},
	{{"queue"}, 0, TAKES_FULL | TAKES_LIMIT, queue, "", "pending pushes"},
	{{"events"}, 0, TAKES_FOLLOW, events, "--follow", "events and pushes as they happen"},
	{{"trace"}, 1, TAKES_SINCE | TAKES_MAILBOX | TAKES_FOLLOW, trace, "USER [--since 2h]",
		"what happened with the phones of a user, and what it means"},
	{{"prune"}, 0, 0, prune, "", "remove expired registrations now"},
	{{"alarm", "test"}, 0, 0, alarm_test, "", "try alarm_mail and alarm_command"},
	{{"cert", "inspect"}, ONE_OR_MORE, TAKES_PASSPHRASE, cert_inspect, "FILE...",
		"examine files of certificates and keys"},
	{{"cert", "check"}, 0, TAKES_ONLINE, cert_check, "[--online]",
		"the configured credentials; --online: does Apple accept them?"},
	{{"config"}, 0, 0, config, "", "the settings in force and where they come from"},
	{{"schema"}, NONE_OR_ONE, TAKES_CONFIG, schema, "[KIND]",
		"the registry's tables as SQL, with the daemon's rights"},
	{{"log-level"}, 1, 0, log_level, "LEVEL", "error, warn, info or debug"},
	{{"complete"}, 2, 0, complete, NULL, NULL}, /* for shells */
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_usage(FILE *to)
{
	fputs("usage: mailpushctl [--json] [--socket path] command\n\n", to);
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct command *command = &commands[i];
		if (!command->usage)
			continue;
		mem_auto char *line =
			mem_printf("%s%s%s %s", command->words[0], command->words[1] ? " " : "",
				command->words[1] ? command->words[1] : "", command->usage);
		fprintf(to, "  %-30s %s\n", line, command->help);
	}
	fputs("\nSee mailpushctl(8).\n", to);
}

static const struct command *find_command(char **words, int count)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct command *command = &commands[i];
		if (count > 0 && !strcmp(command->words[0], words[0]) &&
			(!command->words[1] || (count > 1 && !strcmp(command->words[1], words[1]))))
			return command;
	}
	return NULL;
}

/* A group of commands, such as "cert", shows all of them. */
static bool is_asked_for(const struct command *command, char **words, int count)
{
	if (!command->usage || strcmp(command->words[0], words[0]) != 0)
		return false;
	const struct command *found = find_command(words, count);
	return !found ||
		(found->words[1] && command->words[1] ? !strcmp(found->words[1], command->words[1])
						      : found->words[1] == command->words[1]);
}

static enum client_exit print_help(char **words, int count)
{
	bool is_known = false;
	unsigned takes = 0;
	const char *example = NULL;
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct command *command = &commands[i];
		if (!is_asked_for(command, words, count))
			continue;
		const char *second = command->words[1];
		printf("%s mailpushctl %s%s%s%s%s\n       %s\n",
			is_known ? "      " : "usage:", command->words[0], second ? " " : "",
			second ? second : "", *command->usage ? " " : "", command->usage,
			command->help);
		is_known = true;
		takes |= command->takes;
		if (!example)
			example = usage_example(command->words[0], second);
	}
	if (!is_known)
		return usage_fail("there is no command '%s'", words[0]);
	if (takes) {
		puts("\noptions:");
		options_print(takes);
	}
	if (example)
		printf("\nexample:\n  %s\n", example);
	return CLIENT_FINE;
}

/* `given`: how many arguments there are. */
static enum client_exit complain_of_missing(const struct command *command, unsigned given)
{
	const char *first = command->words[0];
	const char *second = command->words[1];
	const char *usage = command->usage;
	mem_auto char *text = mem_printf("%s is missing%s%s%s%s%s%s",
		usage_argument(first, second, given), usage ? "; usage: mailpushctl " : "",
		usage ? first : "", usage && second ? " " : "", usage && second ? second : "",
		usage ? " " : "", usage ? usage : "");
	return usage_fail("%s", text);
}

static enum client_exit run(char **words, int count)
{
	if (options.is_help_wanted && count)
		return print_help(words, count);
	if (options.is_help_wanted) {
		print_usage(stdout);
		return CLIENT_FINE;
	}
	const struct command *command = find_command(words, count);
	if (!command && count > 0 && !strcmp(words[0], "cert"))
		return usage_fail("cert needs %s", "inspect or check");
	if (!command && count > 0 && !strcmp(words[0], "registry"))
		return usage_fail("registry needs %s", "freeze or thaw");
	if (!command && count > 0 && !strcmp(words[0], "user"))
		return usage_fail("user needs %s", "export or remove");
	if (!command && count > 0 && !strcmp(words[0], "alarm"))
		return usage_fail("alarm needs %s", "test");
	if (!count)
		return usage_fail("%s", "no command is given");
	if (!command)
		return usage_fail("there is no command '%s'", words[0]);
	int taken = command->words[1] ? 2 : 1;
	int left = count - taken;
	int least = command->arguments;
	int most = command->arguments;
	if (command->arguments < 0) {
		least = command->arguments == ONE_OR_MORE ? 1 : 0;
		most = command->arguments == ONE_OR_MORE ? left : 1;
	}
	if (left < least)
		return complain_of_missing(command, (unsigned)left);
	if (left > most)
		return usage_fail("unexpected argument '%s'", words[taken + most]);
	if (options.given & ~command->takes)
		return usage_fail("%s does not take one of these options", command->words[0]);
	if (options.user && strpbrk(options.user, "*?"))
		return usage_fail("--user '%s': give one whole name, as patterns are not known",
			options.user);
	client_init(options.socket);
	enum client_exit result = command->run(words + taken);
	client_fini();
	return result;
}

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_DFL);
	table_use_colours();
	enum client_exit result = options_read(argc, argv, &options);
	if (result)
		return (int)result;
	if (options.is_version_wanted) {
		puts("mailpushctl " MAILPUSH_VERSION);
		return CLIENT_FINE;
	}
	result = run(options.words, options.count);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "mailpushctl: cannot write the output: %s\n", strerror(errno));
		return CLIENT_FAILED;
	}
	return (int)result;
}
