/*
 * apns-sim - a stand-in for Apple's push service.
 *
 * A map, along the way of a push:
 *
 *	main.c		options; creates certificates, or serves until it is stopped
 *	certs.c		the certificates of a trial, and the topics that a certificate carries
 *	bearer.c	provider tokens: who a push is from, without a certificate
 *	tls.c		TLS as Apple sets it
 *	server.c	the listener and the turns of the loop
 *	server_state.h	what all connections share
 *	connection.c	one client: TLS, HTTP/2, and the fate of each of its streams
 *	stream.c	one push while it arrives and is answered
 *	behaviour.c	the faults that a test requested
 *	service.c	the answer of Apple's service: the checks in their order (pure)
 *	response.c	the answer in frames of HTTP/2
 *	stats.c		counts of what happened
 *	record.c	a record of what happened
 *	control.c	the socket for requests of a test
 *	command.c	what each of them means
 *
 * One thread, one loop.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/version.h"
#include "sim/bearer.h"
#include "sim/certs.h"
#include "sim/control.h"
#include "sim/server.h"
#include "sim/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DAYS_MAX 36500
#define EXIT_USAGE 2

enum mode { MODE_SERVE, MODE_INIT, MODE_ADD_CLIENT, MODE_ADD_KEY };

struct options {
	enum mode mode;
	const char *dir;
	struct certs_client client;
	const char *key_id;
	struct sockaddr_storage address;
	socklen_t address_size;
	const char *control;
	const char *output;
	const char *ready_file;
	struct server_settings server;
};

enum {
	OPTION_INIT = 256,
	OPTION_ADD_CLIENT,
	OPTION_ADD_KEY,
	OPTION_DIR,
	OPTION_TOPIC,
	OPTION_NAME,
	OPTION_DAYS,
	OPTION_SECONDS,
	OPTION_LISTEN,
	OPTION_CONTROL,
	OPTION_RECORD,
	OPTION_OUTPUT,
	OPTION_READY_FILE,
	OPTION_NO_CLIENT_AUTH,
	OPTION_HELP,
	OPTION_VERSION
};

static const struct option long_options[] = {
	{"init", required_argument, NULL, OPTION_INIT},
	{"add-client", required_argument, NULL, OPTION_ADD_CLIENT},
	{"add-key", required_argument, NULL, OPTION_ADD_KEY},
	{"dir", required_argument, NULL, OPTION_DIR},
	{"topic", required_argument, NULL, OPTION_TOPIC},
	{"name", required_argument, NULL, OPTION_NAME},
	{"days", required_argument, NULL, OPTION_DAYS},
	{"seconds", required_argument, NULL, OPTION_SECONDS},
	{"listen", required_argument, NULL, OPTION_LISTEN},
	{"control", required_argument, NULL, OPTION_CONTROL},
	{"record", required_argument, NULL, OPTION_RECORD},
	{"output", required_argument, NULL, OPTION_OUTPUT},
	{"ready-file", required_argument, NULL, OPTION_READY_FILE},
	{"no-client-auth", no_argument, NULL, OPTION_NO_CLIENT_AUTH},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{NULL, 0, NULL, 0},
};

static const char usage[] =
	"apns-sim --init DIR [--topic TOPIC] [--name CN] [--days N]\n"
	"apns-sim --add-client NAME --dir DIR [--topic TOPIC] [--name CN]\n"
	"         [--days N | --seconds FROM:TO]\n"
	"apns-sim --add-key ID --dir DIR\n"
	"apns-sim --dir DIR [--listen ADDRESS:PORT] [--control SOCKET]\n"
	"         [--record full|counts|none] [--output FILE] [--ready-file FILE]\n"
	"         [--no-client-auth]\n"
	"\n"
	"A stand-in for Apple's push service. --init creates an authority, a server's and a\n"
	"client's certificate in DIR; --dir serves with them. See apns-sim(1).\n";

static int parse_record(const char *text, enum record_mode *ret, struct err *err)
{
	if (!strcmp(text, "full"))
		*ret = RECORD_FULL;
	else if (!strcmp(text, "counts"))
		*ret = RECORD_COUNTS;
	else if (!strcmp(text, "none"))
		*ret = RECORD_NONE;
	else
		return err_set(err, -EINVAL, "--record is full, counts or none, not '%s'", text);
	return 0;
}

static int parse_days(const char *text, int *ret, struct err *err)
{
	char *end;
	errno = 0;
	long days = strtol(text, &end, 10);
	if (errno || end == text || *end || days < -DAYS_MAX || days > DAYS_MAX)
		return err_set(err, -EINVAL, "--days is a number of at most %d days, not '%s'",
			DAYS_MAX, text);
	*ret = (int)days;
	return 0;
}

static int parse_seconds(const char *text, struct certs_client *client, struct err *err)
{
	int from, to, size = 0;
	if (sscanf(text, "%d:%d%n", &from, &to, &size) != 2 || text[size] || from >= to)
		return err_set(
			err, -EINVAL, "--seconds is FROM:TO in seconds from now, not '%s'", text);
	client->has_seconds = true;
	client->begin_s = from;
	client->end_s = to;
	return 0;
}

static int check_client(const struct certs_client *client, struct err *err)
{
	size_t size = strlen(client->topic);
	/* The second topic is the first one and ".voip". */
	if (!size || size > SERVICE_TOPIC_MAX - 5)
		return err_set(
			err, -EINVAL, "--topic must have 1 to %d bytes", SERVICE_TOPIC_MAX - 5);
	if (client->name && (!client->name[0] || strlen(client->name) > 64))
		return err_set(err, -EINVAL, "--name must have 1 to 64 bytes");
	if (!client->file[0] || strchr(client->file, '/'))
		return err_set(err, -EINVAL, "--add-client takes a file's name without a folder");
	return 0;
}

/* ADDRESS:PORT, with brackets around an address that has colons itself. */
static int resolve(
	const char *text, struct sockaddr_storage *ret, socklen_t *ret_size, struct err *err)
{
	mem_auto char *host = mem_dup(text);
	char *port = strrchr(host, ':');
	if (!port)
		return err_set(err, -EINVAL, "--listen is ADDRESS:PORT, not '%s'", text);
	*port++ = '\0';
	char *name = host;
	size_t size = strlen(name);
	if (size > 1 && name[0] == '[' && name[size - 1] == ']') {
		name[size - 1] = '\0';
		name++;
	}
	struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *found;
	int r = getaddrinfo(name, port, &hints, &found);
	if (r)
		return err_set(err, -EINVAL, "--listen %s: %s", text, gai_strerror(r));
	memcpy(ret, found->ai_addr, found->ai_addrlen);
	*ret_size = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

/* Returns 1 when the program is done (--help, --version), 0 to go on. */
static int parse_options(int argc, char **argv, struct options *ret, struct err *err)
{
	struct options options = {
		.client = {.file = "client",
			.topic = CERTS_DEFAULT_TOPIC,
			.days = CERTS_DEFAULT_DAYS},
		.server = {.has_client_auth = true, .record_mode = RECORD_FULL},
	};
	const char *listen = "127.0.0.1:0";
	int option;
	int r = 0;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case OPTION_INIT:
			options.mode = MODE_INIT;
			options.dir = optarg;
			break;
		case OPTION_ADD_CLIENT:
			options.mode = MODE_ADD_CLIENT;
			options.client.file = optarg;
			break;
		case OPTION_ADD_KEY:
			options.mode = MODE_ADD_KEY;
			options.key_id = optarg;
			if (!bearer_is_id(optarg))
				r = err_set(err, -EINVAL,
					"--add-key takes %d capital letters and digits, not '%s'",
					BEARER_ID_SIZE, optarg);
			break;
		case OPTION_DIR:
			options.dir = optarg;
			break;
		case OPTION_TOPIC:
			options.client.topic = optarg;
			break;
		case OPTION_NAME:
			options.client.name = optarg;
			break;
		case OPTION_DAYS:
			r = parse_days(optarg, &options.client.days, err);
			break;
		case OPTION_SECONDS:
			r = parse_seconds(optarg, &options.client, err);
			break;
		case OPTION_LISTEN:
			listen = optarg;
			break;
		case OPTION_CONTROL:
			options.control = optarg;
			break;
		case OPTION_RECORD:
			r = parse_record(optarg, &options.server.record_mode, err);
			break;
		case OPTION_OUTPUT:
			options.output = optarg;
			break;
		case OPTION_READY_FILE:
			options.ready_file = optarg;
			break;
		case OPTION_NO_CLIENT_AUTH:
			options.server.has_client_auth = false;
			break;
		case OPTION_HELP:
			fputs(usage, stdout);
			return 1;
		case OPTION_VERSION:
			puts("apns-sim " MAILPUSH_VERSION);
			return 1;
		default:
			return err_set(err, -EINVAL, "see apns-sim --help");
		}
		if (r < 0)
			return r;
	}
	if (optind < argc)
		return err_set(
			err, -EINVAL, "'%s' is not an option; see apns-sim --help", argv[optind]);
	if (!options.dir)
		return err_set(err, -EINVAL, "--dir or --init is missing; see apns-sim --help");
	if ((r = check_client(&options.client, err)) < 0 ||
		(r = resolve(listen, &options.address, &options.address_size, err)) < 0)
		return r;
	*ret = options;
	return 0;
}

static int tell_ready(const struct server *server, const char *ready_file, struct err *err)
{
	char address[NI_MAXHOST + NI_MAXSERV];
	server_address_text(server, address, sizeof(address));
	if (!ready_file) {
		printf("listening on %s\n", address);
		fflush(stdout);
		return 0;
	}
	/* Renamed into place, so that a reader sees the whole line. */
	mem_auto char *temporary = mem_printf("%s.new", ready_file);
	FILE *file = fopen(temporary, "we");
	if (!file)
		return err_set(err, -errno, "cannot write '%s': %s", temporary, strerror(errno));
	fprintf(file, "listening on %s\n", address);
	if (fclose(file) || rename(temporary, ready_file))
		return err_set(err, -errno, "cannot write '%s': %s", ready_file, strerror(errno));
	return 0;
}

static void on_signal(uv_signal_t *signal, int number)
{
	(void)number;
	uv_stop(signal->loop);
}

static int run(struct options *options, uv_loop_t *loop, struct err *err)
{
	SSL_CTX *tls;
	int r = tls_new(options->dir, options->server.has_client_auth, &tls, err);
	if (r < 0)
		return r;

	struct server server;
	struct control *control = NULL;
	uv_signal_t ends[2];
	r = server_start(&server, loop, tls, &options->server, (struct sockaddr *)&options->address,
		options->address_size, err);
	if (r == 0 && options->control)
		r = control_start(&server, options->control, &control, err);
	for (size_t i = 0; i < 2; i++) {
		uv_signal_init(loop, &ends[i]);
		uv_signal_start(&ends[i], on_signal, i ? SIGINT : SIGTERM);
	}
	if (r == 0)
		r = tell_ready(&server, options->ready_file, err);
	if (r == 0)
		uv_run(loop, UV_RUN_DEFAULT);

	for (size_t i = 0; i < 2; i++)
		uv_close((uv_handle_t *)&ends[i], NULL);
	control_stop(control);
	server_stop(&server);
	uv_run(loop, UV_RUN_DEFAULT);
	server_fini(&server);
	return r;
}

static int serve(struct options *options, struct err *err)
{
	int fd = STDOUT_FILENO;
	if (options->output) {
		fd = open(options->output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		if (fd < 0)
			return err_set(err, -errno, "cannot write '%s': %s", options->output,
				strerror(errno));
	}
	options->server.record_fd = fd;
	options->server.dir = options->dir;
	signal(SIGPIPE, SIG_IGN);

	uv_loop_t loop;
	int r = uv_loop_init(&loop);
	if (r < 0) {
		err_set(err, r, "cannot set up the loop: %s", uv_strerror(r));
	} else {
		r = run(options, &loop, err);
		uv_loop_close(&loop);
	}
	if (options->output)
		close(fd);
	return r;
}

static int tell_failure(const struct err *err, int status)
{
	fprintf(stderr, "apns-sim: %s\n", err->text);
	return status;
}

int main(int argc, char **argv)
{
	struct err err;
	struct options options;
	int r = parse_options(argc, argv, &options, &err);
	if (r > 0)
		return 0;
	if (r < 0)
		return tell_failure(&err, EXIT_USAGE);
	switch (options.mode) {
	case MODE_INIT:
		r = certs_init(options.dir, &options.client, &err);
		break;
	case MODE_ADD_CLIENT:
		r = certs_add_client(options.dir, &options.client, &err);
		break;
	case MODE_ADD_KEY:
		r = certs_add_key(options.dir, options.key_id, &err);
		break;
	case MODE_SERVE:
		r = serve(&options, &err);
		break;
	}
	return r < 0 ? tell_failure(&err, EXIT_FAILURE) : 0;
}
