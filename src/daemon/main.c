/*
 * mailpushd - pushes news of changed mailboxes from Cyrus IMAP and Dovecot to Apple's push service.
 *
 * The map: every module, by folder in the order of the stages (a folder knows only those before
 * it), in a folder by the way of an event.  docs/architecture.md has the same in prose, what
 * happens to an event when a part fails, and the glossary; each folder's README.md says what
 * belongs there.
 *
 * platform/ - what each operating system does in its own way
 *   peercred        who is at the other end of a socket
 *   receive         many datagrams at once
 *   dgramlimit      how many of them may wait
 *   mhdwatch        when libmicrohttpd has something to do
 *   journal         systemd's journal
 *   threadname      what ps calls a thread
 *   processes       those of this machine, for doctor
 *   confine         how doctor runs a program that it doubts
 *   descriptors     how many are open
 *
 * base/ - below everything: memory, text, time, the log
 *   mem             memory, or the process ends
 *   err             the text of a failure, for a person
 *   buf             a growing run of bytes
 *   map             a hash table
 *   utf8            is it UTF-8, and does it change how text is shown?
 *   units           numbers and durations as people write them
 *   digest          MD5 and SHA-256, whatever openssl.cnf offers
 *   clock           the two clocks
 *   random          random numbers that a seed repeats
 *   backoff         how long to wait before the next attempt
 *   urltext         bytes in a URL: base64url and percent-encoding
 *   log             the log, written by a thread of its own
 *   ratelimit       limits the lines that others can cause
 *   alarm           conditions that last until their cause is removed
 *   histogram       how long something took, in buckets
 *
 * loop/ - what joins the loop, which never waits
 *   worker          a thread that does jobs in batches
 *   joblist         the jobs that wait for it
 *   http            an HTTP server
 *   host_header     whom a request thinks it asks
 *   network         addresses of clients
 *
 * alert/ - tells people of alarms by mail
 *   alarm_mail      from an alarm to a message that has left
 *   mail_diary      which alarms were mailed, and which are to be
 *   mail_text       the message
 *   mail_send       its way to the mail server
 *   remedy          what to do about an alarm
 *
 * event/ - the meaning of an event
 *   event           what happened, and to whose mailbox
 *   bounds          how much of names and registrations is taken
 *   flat            the flat JSON that Cyrus writes
 *   dovecot_event   the JSON of Dovecot's plugin
 *   field           a text of an event, and what is accepted of it
 *   mailbox         owner and folder of a name, in whatever form it is written
 *   mailbox_ids     where a mailbox was, by the id that it keeps
 *   utf7            names of mailboxes, decoded
 *   xaps_event      what Dovecot's plugin for xapsd says
 *   acl             who may read a mailbox
 *   groups          the members of groups that an ACL names
 *   user_site       the names of Dovecot's users where they are of a site of their own
 *   user_settings   what is set for single users
 *   imapdconf       the settings of Cyrus that change what its events mean
 *   relay           what follows from an event: register, urgent, deferred, delete, ignore
 *
 * intake/ - sockets and the spool folder: bytes become notifications
 *   datagram        notifysocket: /path
 *   stream          notifysocket: dlist:/path, acknowledged
 *   listener        its listening socket
 *   dlist           its requests, parsed
 *   answer          OK () or NO "reason"
 *   inherit         a listening socket that systemd passed in
 *   peer            is this process allowed to send events?
 *   notification    one notification, whichever socket it came through
 *   spool           takes in the files that mailpush-notify kept
 *   spooldisk       the half of spool that uses the disk
 *   spooldisk_memory  what spooldisk remembers of the folder
 *   spoolfile       the format of the files: the contract with mailpush-notify
 *   spool_retry     files that could not be taken, and when each is retried
 *   forward_client  gives a notification to the socket of another program
 *   notification_write writes a notification for the other kind of socket
 *
 * driver/ - what a database is asked and how it answers: the contract of all drivers
 *   ops             the functions that a driver implements
 *   registry_row    a registration as it is stored, and the trace that stays of it
 *   mailbox_place   the bytes by which a database looks a mailbox up
 *   malformed       what no mailpushd wrote is left out
 *   failure         what a failure of the database means for what is done next
 *   health          how the database is doing, for people
 *   password_file   the password for a database
 *   regular_file    is what its library is going to read a file?
 *   lookup          the addresses of its name, within a deadline
 *
 * sqlite/ - a registry in SQLite, and what both files of SQLite share
 *   sqlite          the driver
 *   schema          its tables
 *   statement       its statements
 *   sqlite_query    how a statement is bound, read and ended
 *   sqlite_find     its questions
 *   sqlite_write    its writes
 *   sqlite_change   its deletes and renames of accounts and folders
 *   tombstones      its memory of registrations that are gone
 *   sqlite_file     both files: opened, brought up to date, what is said of a failure
 *   inplace         are the files still where they were opened?
 *   walfile         would SQLite take the log that it finds?
 *   mapguard        a failing disk under a memory map is an error
 *
 * postgresql/ - a registry in PostgreSQL, over a connection that never waits without end
 *   postgresql      the driver
 *   postgresql_transaction  which statements go together
 *   postgresql_schema  its tables, and how older ones become today's
 *   postgresql_find    its questions
 *   postgresql_write   its writes
 *   postgresql_change  its deletes and renames of accounts and folders
 *   pglink          statements out, answers in; nothing waits without end
 *   pghosts         its hosts in turn, each by its addresses in turn
 *   pgurl           the server's url, taken apart into its hosts
 *   pgvalue         values in binary form
 *   pgstate         what a SQLSTATE means for what is done next
 *
 * mariadb/ - a registry in MariaDB, over a connection that never waits without end
 *   mariadb         the driver
 *   mariadb_transaction  which statements go together
 *   mariadb_schema  its tables, and how older ones become today's
 *   mariadb_find    its questions
 *   mariadb_write   its writes
 *   mariadb_change  its deletes and renames of accounts and folders
 *   mariadb_seen    when what a transaction has read was renewed
 *   marialink       statements out, answers in; nothing waits without end
 *   mariaurl        the server's url, taken apart and checked
 *   mariavalue      values as literals, columns of a row
 *   mariacode       what an error number means for what is done next
 *
 * database/ - the list of drivers
 *   database        from a url to its driver; what is said of a url
 *
 * registry/ - which phones subscribed to which mailboxes; a thread of its own
 *   registry        the thread: jobs in, results out
 *   registry_job    what can be asked, and what comes back
 *   batch           a batch in order, in one transaction
 *   rules           what all kinds of job share
 *   renewal         a phone registers
 *   news_match      who subscribed to a changed mailbox
 *   mailbox_change  mailboxes deleted or renamed
 *   token_change    what Apple's verdict on a token does
 *   tidy            registrations that are not renewed expire
 *   listing         questions of people
 *   result          what a job brings back, built row by row
 *   push_target     all that is needed to push to one registration
 *   suspended_users whose registrations wait for a sign of life
 *
 * schedule/ - when each registration is pushed to, and about which mailboxes
 *   schedule        what the decisions are
 *   schedule_entry  its entries, and how they move
 *   schedule_change news comes; a registration is renewed, stopped or gone
 *   schedule_flight pushes on their way to Apple
 *   schedule_load   takes in what the file held at the start
 *   schedule_suspend  news of suspended registrations
 *   topic_heaps     waiting registrations, by topic and due time
 *   heap            what they are made of
 *   news            the mailboxes that changed for one registration
 *   rate            max_push_rate
 *   slow_start      a start with pushes waiting begins with one
 *   job             one decision on its way to disk
 *
 * queue/ - the schedule's decisions kept across crashes; the only way to it
 *   queue           the folder's interface: lets the schedule decide, numbers, hands to the store
 *   store           the queue on disk; a thread of its own
 *   file            its SQLite file
 *   load            reads all of it
 *   phones          the last event and push of each registration
 *   queue_listing   questions of people
 *   salvage         a new file from what is readable of a damaged one
 *   damaged_file    sets the damaged one aside and puts the new one in its place
 *
 * credential/ - certificates and keys that identify us to Apple
 *   credential      a certificate or a signing key, loaded and checked
 *   pem             PEM files
 *   pkcs12          PKCS#12 files
 *   secret          files of secrets
 *   topics          the topics that a certificate is good for
 *   tls_identity    does OpenSSL accept it?
 *   jwt             a provider token
 *   logins          who may look at people's phones on the page
 *   provider        one token for all connections that use it
 *
 * apns/ - HTTP/2 to Apple, and what its answers mean
 *   sender          pushes in, answers out
 *   sender_types    the structs that it takes and gives
 *   credential_connections the connections of one credential, and its hold
 *   outage          notices when all pushes fail for a long time
 *   connection      one connection, until it is closed
 *   session         its HTTP/2
 *   dialer          its socket
 *   proxy           its tunnel
 *   tls             its TLS
 *   pool            memory for nghttp2
 *   payload         the body of a push
 *   answer          reads Apple's answer
 *   verdict         what an answer means, as a 410: settled, retried, forgotten, stopped, held
 *   explain         the same in words for administrators
 *
 * config/ - mailpush.conf
 *   config          its values
 *   config_file     reads and checks it
 *   conftext        its text, cleaned for libconfuse
 *   config_values   each kind of value
 *   config_credential credential sections
 *   config_group    group sections
 *   config_consistency checks that concern two keys together
 *   config_diff     which keys changed since the start
 *   setting         each value and its source
 *   listen          TCP addresses
 *   notify_socket   a socket as Cyrus names it
 *   proxy_setting   the proxy
 *   accounts        users and groups of the system
 *   process         the user and the standard files of the process
 *   input_files     imapd.conf and the credentials, read
 *
 * stats/ - counters and history
 *   metrics         counters
 *   history         the last hour and day, for charts
 *   failures        the last failures, for people
 *   topic_health    is a whole topic in trouble: no credential, the wrong host or certificate?
 *   observer        callbacks for those who follow events and answers
 *
 * trace/ - what happened with each user's phones in the last days, for mailpushctl trace
 *   trace           entries in, questions answered; a thread of its own
 *   trace_event     what the trace says of an event
 *   trace_entry     one thing that happened, and its bytes
 *   trace_share     how much of it one user may fill
 *   trace_job       what its thread does
 *   trace_ring      its file, of which the oldest part is overwritten
 *   trace_search    the entries of one user, found or erased
 *   trace_words     an entry in words
 *
 * arrival/ - the way of an event in
 *   arrivals        up to the acknowledgement
 *   arrival         one event on its way
 *   admission       is it malformed, to be ignored, or to be taken in?
 *   event_log       what the log says of an event
 *   overload        how much may wait on its way in
 *   dovecot_door    for whom counts what a process says at Dovecot's socket
 *   user_names      the names of uids, asked for off the loop
 *   origin          from which mail server an event is, also when it is parked
 *   registering     what a registration asks of the registry
 *   known_ids       is the mailbox known under another name?
 *   merge_key       which two changes are one
 *   merging         changes that wait for the registry become one
 *   parking         the registry is silent: events wait in the queue's file
 *   registry_outcome what follows from the registry's answer to an event
 *   forward         notifications for other programs
 *
 * xaps/ - the doors for Dovecot's plugin for xapsd
 *   xaps_http       its HTTP API
 *   xaps_request    its JSON
 *   xaps_socket     the older door, a unix socket
 *   xaps_line       its lines
 *   xaps_call       a request on its way, until it is answered
 *
 * flow/ - what joins the stages
 *   pipeline        the way of an event, joined; the simulation runs it too
 *   delivery        the way out, and what follows from Apple's answer
 *   flights         pushes given to the sender, until their verdicts
 *   topic_alarm     the alarms about troubles of topics
 *   probe           a push to a token of no phone
 *   credential_check does Apple take our credentials, though nothing is to be sent?
 *   check_times     when that is checked next
 *   keyring         the credentials in force
 *   expiry          housekeeping, once an hour
 *   registry_watch  whether the registry's thread fails, or does not answer
 *
 * monitor/ - what the daemon shows of itself
 *   services        the parts that it and admin read from and give orders to
 *   response        answers in JSON
 *   db_query        a question as a job of registry or queue
 *   db_totals       sizes and counts of the databases
 *   held_credential a credential on hold, in words for people
 *   silence         does an alarm mean that phones get no pushes?
 *   status          all that the daemon knows about itself
 *   prometheus      the same for Prometheus
 *   status_page     the same for a browser
 *   page_login      who may look at phones there, and a line about each look
 *   page_text       its text, made of page/
 *   event_stream    clients that follow the events
 *   trace_json      an entry of the trace
 *
 * admin/ - the control socket and the commands behind it
 *   control         the socket, and which request goes where
 *   request_params  what comes with a request
 *   deferred_request a request that waits for a database
 *   devices         list, show, export, prune
 *   forgotten       registrations that are gone, and why
 *   timeline        what happened with a user's phones
 *   registration_json a registration as one JSON object
 *   import          registrations that come from elsewhere
 *   registry_freeze nothing changes in the registry while it is copied
 *   removal         one or several by their keys, or everything of a user
 *   queue_commands  list, flush, drop
 *   alarm_test      tries alarm_mail and alarm_command
 *   obstacles       why pushes cannot go now
 *   test_push       a test push to a user's phones
 *   test_credentials a look at each credential
 *
 * daemon/ - the process
 *   main            options, and the user of the process
 *   life            start, run, stop
 *   parts           starts the parts in order, and stops them
 *   signals         SIGTERM, SIGINT, SIGHUP
 *   check           mailpushd -n
 *   reload          SIGHUP, and files that changed
 *   file_watch      notices changes of files
 *   group_refresh   who is in groups of the system
 *   socket_watch    are the sockets still there?
 *   clock_watch     was the clock set?
 *   backlog         the kernel's limit on waiting datagrams
 *   systemd         notifications to systemd
 *   systemd_status  the daemon in one sentence
 *
 * The other programs have maps of their own: ctl/main.c for mailpushctl (console/, show/,
 * transfer/, checkup/, doctor/ and doctor_dovecot/), notify/main.c for mailpush-notify, sim/main.c
 * for mailpush-apns-sim, dovecot/mailpush_plugin.c for Dovecot's plugins.
 */
#include "base/digest.h"
#include "base/version.h"
#include "config/config_file.h"
#include "config/process.h"
#include "daemon/check.h"
#include "daemon/life.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/mailpush/mailpush.conf"

static void print_usage(FILE *to)
{
	fputs("usage: mailpushd [-n] [-c file]\n"
	      "       mailpushd -h | --help | -V | --version\n"
	      "\n"
	      "  -c file  the configuration, " DEFAULT_CONFIG " if not given\n"
	      "  -n       check the configuration and what it names, then exit\n"
	      "  -h       this text\n"
	      "  -V       the version\n"
	      "\n"
	      "It stays in the foreground.  See mailpushd(8) and mailpush.conf(5).\n",
		to);
}

int main(int argc, char **argv)
{
	if (process_open_standard_files())
		return 1;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	static const struct option longs[] = {{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}};
	const char *path = DEFAULT_CONFIG;
	bool is_check = false;
	int option;
	while ((option = getopt_long(argc, argv, "c:nhV", longs, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'n':
			is_check = true;
			break;
		case 'h':
			print_usage(stdout);
			return 0;
		case 'V':
			puts("mailpushd " MAILPUSH_VERSION);
			return 0;
		default:
			print_usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "mailpushd: unexpected argument '%s'\n", argv[optind]);
		print_usage(stderr);
		return 2;
	}
	struct config *config = NULL;
	struct err err;
	if (digest_check(&err) || config_file_read(path, "-c", &config, &err)) {
		fprintf(stderr, "mailpushd: %s\n", err.text);
		return 1;
	}
	int status = 1;
	/* The check as well: what root can open, that user perhaps cannot. */
	if (process_become(config->user, &err))
		fprintf(stderr, "mailpushd: %s\n", err.text);
	else
		status = is_check ? check_run(path, config) : life_run(path, config);
	config_file_free(config);
	return status;
}
