/*
 * mailpushctl - the administrator's tool: asks mailpushd over its control socket.
 *
 * ctl/
 *   main              commands and options
 *   show              the daemon's answers as text
 *   copy              registrations from one registry's database into another's
 *   pages             walks a list that comes page by page
 *   export            registrations as JSON lines, and all about a user
 *   import            registrations from elsewhere, in batches
 *   removal           deletes registrations by description, and everything of a user
 *   schema            the tables of a registry as SQL
 *   inspect           files of certificates and keys, without the daemon
 *   show_file         what inspect found, as text
 *
 * console/, for commands and doctor alike
 *   client            HTTP over the control socket, and what to do when the daemon is down
 *   member            members of the daemon's JSON
 *   table             text in columns, colours
 *   format            times, sizes and texts as people read them
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
 * doctor/, which examines the whole site
 *   doctor            what is read, and in which order it is judged
 *   doctor_cyrus      imapd.conf and cyrus.conf: do events come, and to mailpushd?
 *   cyrusconf         reads the services of cyrus.conf
 *   doctor_program    the program that Cyrus' notifyd runs
 *   doctor_imap       the running Cyrus: what it says of itself
 *   greeting          reads an IMAP greeting
 *   doctor_tls        can a phone connect with TLS?
 *   doctor_processes  processes of Cyrus that are older than the change of imapd.conf
 *   doctor_socket     the sockets between Cyrus and mailpushd
 *   doctor_files      the files that the daemon's user needs
 *   doctor_daemon     the daemon: what it says of itself
 *   doctor_apple      credentials, topic, the connection to Apple
 *   doctor_machine    clock and disks
 *   doctor_user       one user's phones
 *   doctor_print      prints the report
 *   report            what was found, why, and the remedy
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
#include "ctl/inspect.h"
#include "ctl/pages.h"
#include "ctl/removal.h"
#include "ctl/schema.h"
#include "ctl/show.h"
#include "ctl/show_file.h"
#include "doctor/doctor.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_SOCKET "/run/mailpush/control"

/* The options that a command takes, beside --json, --socket, --help and --version. */
enum {
	TAKES_FULL = 1 << 0,
	TAKES_USER = 1 << 1,
	TAKES_MAILBOX = 1 << 2,
	TAKES_LIMIT = 1 << 3,
	TAKES_FOLLOW = 1 << 4,
	TAKES_ALL = 1 << 5,
	TAKES_ONLINE = 1 << 6,
	TAKES_PASSPHRASE = 1 << 7,
	TAKES_CYRUS_CONF = 1 << 8,
	TAKES_FORGOTTEN = 1 << 9,
	TAKES_PROBLEMS = 1 << 10,
	TAKES_TOPIC = 1 << 11,
	TAKES_STATE = 1 << 12,
	TAKES_YES = 1 << 13,
	TAKES_FROM = 1 << 14,
	TAKES_COLUMNS = 1 << 15,
	TAKES_DRY_RUN = 1 << 16,
	TAKES_CONFIRMED = 1 << 17,
	TAKES_PASSWORD = 1 << 18,
	TAKES_FROM_PASSWORD = 1 << 19,
	TAKES_LAST = 1 << 20,
	TAKES_CONFIG = 1 << 21,
};

static struct {
	const char *socket;
	bool is_json;
	unsigned given; /* TAKES_* */
	const char *user;
	const char *mailbox;
	const char *passphrase_file;
	const char *config;
	const char *cyrus_conf;
	const char *topic;
	const char *state;
	const char *from;
	const char *columns;
	const char *password_file;
	const char *from_password_file;
	bool is_socket_given;
	long limit;
} options = {.socket = DEFAULT_SOCKET};

static enum client_exit usage_error(const char *format, const char *text)
{
	fputs("mailpushctl: ", stderr);
	fprintf(stderr, format, text);
	fputs("; `mailpushctl --help` lists the commands\n", stderr);
	return CLIENT_USAGE;
}

static void print_json(const json_t *json, bool is_line)
{
	json_dumpf(
		json, stdout, JSON_REAL_PRECISION(13) | (is_line ? JSON_COMPACT : JSON_INDENT(2)));
	putchar('\n');
}

/* Prints the answer as it came, or shows it. */
static enum client_exit ask_and_show(
	const char *method, const char *path, json_t *body, void (*show)(const json_t *answer))
{
	json_t *answer = NULL;
	enum client_exit result = client_ask(method, path, body, &answer);
	if (result)
		return result;
	if (options.is_json)
		print_json(answer, false);
	else
		show(answer);
	json_decref(answer);
	return CLIENT_FINE;
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

typedef void show_rows_fn(const json_t *rows, bool has_head);

static void print_or_show(void *ctx, const json_t *rows, bool is_first)
{
	show_rows_fn *const *show = ctx;
	size_t i;
	json_t *row;
	if (options.is_json)
		json_array_foreach((json_t *)rows, i, row) print_json(row, true);
	else
		(*show)(rows, is_first);
}

static enum client_exit list(const char *path, const char *key, show_rows_fn *show)
{
	mem_auto char *full = mem_printf("%s%s%s", path,
		!(options.given & TAKES_FULL) ? ""
			: strchr(path, '?')   ? "&"
					      : "?",
		options.given & TAKES_FULL ? "full=1" : "");
	return pages_walk(full, key, options.limit, print_or_show, &show);
}

static enum client_exit devices(char **arguments)
{
	(void)arguments;
	bool are_forgotten = options.given & TAKES_FORGOTTEN;
	const char *name = are_forgotten ? "forgotten" : "devices";
	mem_auto char *user = client_escape(options.user ? options.user : "");
	mem_auto char *path = mem_printf("/%s%s%s", name, options.user ? "?user=" : "", user);
	return are_forgotten ? list(path, name, show_forgotten) : list(path, name, show_devices);
}

static enum client_exit device_show(char **arguments)
{
	mem_auto char *key = client_escape(arguments[0]);
	mem_auto char *path =
		mem_printf("/devices/%s%s", key, options.given & TAKES_FULL ? "?full=1" : "");
	return ask_and_show("GET", path, NULL, show_device);
}

static void show_removed(const json_t *answer)
{
	(void)answer;
	puts("removed; the phone registers again when Mail connects, unless push is off there");
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
		return usage_error("%s", "a key excludes options");
	mem_auto char *key = client_escape(arguments[0]);
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

/* As ask_and_show; `is_well` judges the answer. */
static enum client_exit ask_and_judge(const char *path, json_t *body,
	void (*show)(const json_t *answer), bool (*is_fine)(const json_t *answer))
{
	json_t *answer = NULL;
	enum client_exit result = client_ask("POST", path, body, &answer);
	if (result)
		return result;
	if (options.is_json)
		print_json(answer, false);
	else
		show(answer);
	result = is_fine(answer) ? CLIENT_FINE : CLIENT_FAILED;
	json_decref(answer);
	return result;
}

static enum client_exit push(char **arguments)
{
	json_t *body = json_pack("{ss}", "user", arguments[0]);
	if (options.mailbox)
		json_object_set_new(body, "mailbox", json_string(options.mailbox));
	return ask_and_judge("/push", body, show_push, show_is_pushed);
}

static enum client_exit queue(char **arguments)
{
	(void)arguments;
	return list("/queue", "pushes", show_queue);
}

static void show_changed(const json_t *answer)
{
	const json_t *dropped = json_object_get(answer, "dropped");
	long long count = json_integer_value(dropped);
	if (dropped)
		printf("%lld push%s dropped\n", count, count == 1 ? "" : "es");
	else
		show_flushed(answer);
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

static void show_pruned(const json_t *answer)
{
	printf("registrations removed: %lld, phones nudged: %lld\n",
		(long long)json_integer_value(json_object_get(answer, "removed")),
		(long long)json_integer_value(json_object_get(answer, "nudged")));
	long long kept = json_integer_value(json_object_get(answer, "kept_back"));
	if (kept)
		printf("%lld more have expired and stay for now: a day removes only a share of "
		       "all\n",
			kept);
}

static enum client_exit prune(char **arguments)
{
	(void)arguments;
	return ask_and_show("POST", "/prune", NULL, show_pruned);
}

static enum client_exit cert_inspect(char **arguments)
{
	enum client_exit result = CLIENT_FINE;
	size_t i;
	json_t *file;
	json_t *answer = inspect_files(arguments, options.passphrase_file);
	json_array_foreach(answer, i, file)
	{
		const char *error = json_string_value(json_object_get(file, "error"));
		if (error || json_object_get(file, "why"))
			result = CLIENT_FAILED;
		if (error)
			fprintf(stderr, "mailpushctl: %s\n", error);
		else if (options.is_json)
			print_json(file, true);
		else
			show_file(file);
	}
	json_decref(answer);
	return result;
}

static enum client_exit cert_check(char **arguments)
{
	(void)arguments;
	json_t *body = json_pack("{sb}", "online", (options.given & TAKES_ONLINE) != 0);
	return ask_and_judge(
		"/credentials/check", body, show_credentials, show_are_credentials_fine);
}

static void show_log_level(const json_t *answer)
{
	char level[FORMAT_SIZE];
	const char *text = json_string_value(json_object_get(answer, "log_level"));
	format_printable(text ? text : "unknown", level, sizeof(level));
	printf("log level is %s until the next start or reload\n", level);
}

static enum client_exit log_level(char **arguments)
{
	json_t *body = json_pack("{ss}", "level", arguments[0]);
	return ask_and_show("POST", "/log-level", body, show_log_level);
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
	{{"doctor"}, 0, TAKES_USER | TAKES_CONFIG | TAKES_CYRUS_CONF | TAKES_PROBLEMS, doctor,
		"[--user U] [--problems]", "examine the whole site; each problem with its remedy"},
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
	{{"prune"}, 0, 0, prune, "", "remove expired registrations now"},
	{{"cert", "inspect"}, ONE_OR_MORE, TAKES_PASSPHRASE, cert_inspect, "FILE...",
		"examine files of certificates and keys"},
	{{"cert", "check"}, 0, TAKES_ONLINE, cert_check, "[--online]",
		"the configured credentials; --online: does Apple accept them?"},
	{{"config"}, 0, 0, config, "", "the settings in force and where they come from"},
	{{"schema"}, NONE_OR_ONE, TAKES_CONFIG, schema, "[KIND]",
		"the registry's tables as SQL, with the daemon's rights"},
	{{"log-level"}, 1, 0, log_level, "LEVEL", "error, warn, info or debug"},
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

static enum client_exit run(char **words, int count)
{
	const struct command *command = find_command(words, count);
	if (!command && count > 0 && !strcmp(words[0], "cert"))
		return usage_error("cert needs %s", "inspect or check");
	if (!command && count > 0 && !strcmp(words[0], "registry"))
		return usage_error("registry needs %s", "freeze or thaw");
	if (!command && count > 0 && !strcmp(words[0], "user"))
		return usage_error("user needs %s", "export or remove");
	if (!count)
		return usage_error("%s", "no command is given");
	if (!command)
		return usage_error("there is no command '%s'", words[0]);
	int taken = command->words[1] ? 2 : 1;
	int left = count - taken;
	int least = command->arguments;
	int most = command->arguments;
	if (command->arguments < 0) {
		least = command->arguments == ONE_OR_MORE ? 1 : 0;
		most = command->arguments == ONE_OR_MORE ? left : 1;
	}
	if (left < least)
		return usage_error("%s is missing", command->usage);
	if (left > most)
		return usage_error("unexpected argument '%s'", words[taken + most]);
	if (options.given & ~command->takes)
		return usage_error("%s does not take one of these options", command->words[0]);
	client_init(options.socket);
	enum client_exit result = command->run(words + taken);
	client_fini();
	return result;
}

static bool parse_limit(const char *text)
{
	char *end;
	options.limit = strtol(text, &end, 10);
	return end != text && !*end && options.limit > 0;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"all", no_argument, NULL, TAKES_ALL},
		{"columns", required_argument, NULL, 'n'},
		{"config", required_argument, NULL, 'c'},
		{"confirmed", no_argument, NULL, TAKES_CONFIRMED},
		{"cyrus-conf", required_argument, NULL, 'C'},
		{"dry-run", no_argument, NULL, TAKES_DRY_RUN},
		{"follow", no_argument, NULL, TAKES_FOLLOW},
		{"forgotten", no_argument, NULL, TAKES_FORGOTTEN},
		{"from", required_argument, NULL, 'r'},
		{"from-password-file", required_argument, NULL, 'W'},
		{"full", no_argument, NULL, TAKES_FULL},
		{"help", no_argument, NULL, 'h'},
		{"json", no_argument, NULL, 'j'},
		{"last", no_argument, NULL, TAKES_LAST},
		{"limit", required_argument, NULL, 'l'},
		{"mailbox", required_argument, NULL, 'm'},
		{"online", no_argument, NULL, TAKES_ONLINE},
		{"passphrase-file", required_argument, NULL, 'p'},
		{"password-file", required_argument, NULL, 'w'},
		{"problems", no_argument, NULL, TAKES_PROBLEMS},
		{"socket", required_argument, NULL, 's'},
		{"state", required_argument, NULL, 't'},
		{"topic", required_argument, NULL, 'T'},
		{"user", required_argument, NULL, 'u'},
		{"version", no_argument, NULL, 'V'},
		{"yes", no_argument, NULL, TAKES_YES},
		{NULL, 0, NULL, 0},
	};
	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_DFL);
	table_use_colours();
	int option;
	while ((option = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
		switch (option) {
		case TAKES_ALL:
		case TAKES_FOLLOW:
		case TAKES_FULL:
		case TAKES_LAST:
		case TAKES_FORGOTTEN:
		case TAKES_ONLINE:
		case TAKES_PROBLEMS:
		case TAKES_YES:
		case TAKES_DRY_RUN:
		case TAKES_CONFIRMED:
			options.given |= (unsigned)option;
			break;
		case 'c':
			options.given |= TAKES_CONFIG;
			options.config = optarg;
			break;
		case 'C':
			options.given |= TAKES_CYRUS_CONF;
			options.cyrus_conf = optarg;
			break;
		case 'h':
			print_usage(stdout);
			return CLIENT_FINE;
		case 'j':
			options.is_json = true;
			break;
		case 'l':
			options.given |= TAKES_LIMIT;
			if (!parse_limit(optarg))
				return (int)usage_error(
					"--limit '%s' is not a number above 0", optarg);
			break;
		case 'm':
			options.given |= TAKES_MAILBOX;
			options.mailbox = optarg;
			break;
		case 'p':
			options.given |= TAKES_PASSPHRASE;
			options.passphrase_file = optarg;
			break;
		case 'W':
			options.given |= TAKES_FROM_PASSWORD;
			options.from_password_file = optarg;
			break;
		case 'w':
			options.given |= TAKES_PASSWORD;
			options.password_file = optarg;
			break;
		case 's':
			options.socket = optarg;
			options.is_socket_given = true;
			break;
		case 'u':
			options.given |= TAKES_USER;
			options.user = optarg;
			break;
		case 'n':
			options.given |= TAKES_COLUMNS;
			options.columns = optarg;
			break;
		case 'r':
			options.given |= TAKES_FROM;
			options.from = optarg;
			break;
		case 't':
			options.given |= TAKES_STATE;
			options.state = optarg;
			break;
		case 'T':
			options.given |= TAKES_TOPIC;
			options.topic = optarg;
			break;
		case 'V':
			puts("mailpushctl " MAILPUSH_VERSION);
			return CLIENT_FINE;
		default:
			return CLIENT_USAGE;
		}
	}
	enum client_exit result = run(argv + optind, argc - optind);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "mailpushctl: cannot write the output: %s\n", strerror(errno));
		return CLIENT_FAILED;
	}
	return (int)result;
}
