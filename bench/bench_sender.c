/*
 * bench_sender - how fast the sender alone is, and what a push costs it.
 *
 * Pushes to distinct tokens go to a service that runs already, with the real src/apns and nothing
 * before it; what is printed is the rate and the CPU time of this process, from the first push to
 * the last answer.  The connection is made before the clock starts.
 */
#include "apns/sender.h"
#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define FLYING_MAX 8192
#define TOKEN_DIGITS 64
#define HASHES_MAX PAYLOAD_HASHES_MAX

struct flight {
	struct flight *next;
	struct sender_push push;
	char token[TOKEN_DIGITS + 1];
};

static struct {
	const char *host, *ca, *certificate, *key;
	unsigned long port, pushes, connections, hashes;
	int is_json;

	uv_loop_t loop;
	struct sender *sender;
	char *topic;
	char payload[PAYLOAD_MAX];
	size_t payload_size;
	struct flight flights[FLYING_MAX];
	struct flight *idle;

	uint64_t given, answered, told;
	int64_t begin_ms, end_ms;
	struct rusage begin, end;
} bench = {.host = "127.0.0.1", .port = 2197, .pushes = 1000000, .connections = 1};

static void give(struct flight *flight)
{
	struct sender_push *push = &flight->push;
	char digits[17];
	snprintf(digits, sizeof(digits), "%016" PRIx64, bench.given);
	memcpy(flight->token + TOKEN_DIGITS - 16, digits, 16);
	memcpy(push->apns_id, &bench.given, sizeof(bench.given));
	push->topic = bench.topic;
	push->token = flight->token;
	push->payload = bench.payload;
	push->payload_size = bench.payload_size;
	push->expiration_unix_s = clock_unix_ms() / 1000 + 24 * 60 * 60;
	push->ctx = flight;
	bench.given++;
	sender_push(bench.sender, push);
}

static void fill(void)
{
	size_t room;
	while (bench.given < bench.pushes && bench.idle &&
		(room = sender_room(bench.sender, bench.topic)) > 0) {
		if (bench.begin_ms == 0) {
			bench.begin_ms = clock_monotonic_ms();
			getrusage(RUSAGE_SELF, &bench.begin);
		}
		while (room-- > 0 && bench.given < bench.pushes && bench.idle) {
			struct flight *flight = bench.idle;
			bench.idle = flight->next;
			give(flight);
		}
	}
}

static void on_stopped(void *ctx)
{
	(void)ctx;
	sender_free(bench.sender);
}

static void on_answered(void *ctx, struct sender_push *push, const struct apns_answer *answer,
	const struct verdict *verdict)
{
	struct flight *flight = push->ctx;
	(void)ctx;
	(void)verdict;
	bench.told += answer->ending == APNS_ANSWERED && answer->status == 200;
	flight->next = bench.idle;
	bench.idle = flight;
	if (++bench.answered == bench.pushes) {
		bench.end_ms = clock_monotonic_ms();
		getrusage(RUSAGE_SELF, &bench.end);
		sender_stop(bench.sender, 1000, on_stopped, NULL);
	}
}

static void on_room(void *ctx, const char *topic)
{
	(void)ctx;
	(void)topic;
	fill();
}

static void on_state(void *ctx, const struct credential *credential, const char *text)
{
	(void)ctx;
	(void)credential;
	if (text) {
		fprintf(stderr, "bench_sender: %s\n", text);
		exit(1);
	}
}

static double cpu_us(const struct timeval *begin, const struct timeval *end)
{
	return (double)(end->tv_sec - begin->tv_sec) * 1e6 +
		(double)(end->tv_usec - begin->tv_usec);
}

static void print_result(void)
{
	double pushes = (double)bench.pushes;
	double seconds = (double)(bench.end_ms - bench.begin_ms) / 1000;
	double user = cpu_us(&bench.begin.ru_utime, &bench.end.ru_utime) / pushes;
	double system = cpu_us(&bench.begin.ru_stime, &bench.end.ru_stime) / pushes;
	const char *format = bench.is_json
		? "{\"pushes\": %lu, \"told\": %" PRIu64
		  ", \"seconds\": %.3f, \"pushes_per_second\": %.0f, \"cpu_us_per_push\": "
		  "%.3f, \"user_us_per_push\": %.3f, \"system_us_per_push\": %.3f, "
		  "\"max_rss_kb\": %ld}\n"
		: "%lu pushes, %" PRIu64
		  " told, in %.3f s: %.0f pushes/s; CPU a push %.2f us (user %.2f, system "
		  "%.2f); at most %ld kB\n";
	printf(format, bench.pushes, bench.told, seconds, pushes / seconds, user + system, user,
		system, bench.end.ru_maxrss);
}

static void usage(void)
{
	fprintf(stderr,
		"usage: bench_sender --ca FILE --certificate FILE --key FILE [--host HOST] "
		"[--port PORT]\n"
		"       [--pushes N] [--connections N] [--hashes N] [--json]\n");
	exit(2);
}

static unsigned long number(const char *text, unsigned long max)
{
	char *end;
	errno = 0;
	unsigned long n = strtoul(text, &end, 10);
	if (errno || *end || end == text || n > max)
		usage();
	return n;
}

static void read_arguments(int argc, char **argv)
{
	static const struct option options[] = {
		{"host", required_argument, NULL, 'h'},
		{"port", required_argument, NULL, 'p'},
		{"ca", required_argument, NULL, 'a'},
		{"certificate", required_argument, NULL, 'c'},
		{"key", required_argument, NULL, 'k'},
		{"pushes", required_argument, NULL, 'n'},
		{"connections", required_argument, NULL, 'C'},
		{"hashes", required_argument, NULL, 'm'},
		{"json", no_argument, NULL, 'j'},
		{NULL, 0, NULL, 0},
	};
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 'h':
			bench.host = optarg;
			break;
		case 'p':
			bench.port = number(optarg, UINT16_MAX);
			break;
		case 'a':
			bench.ca = optarg;
			break;
		case 'c':
			bench.certificate = optarg;
			break;
		case 'k':
			bench.key = optarg;
			break;
		case 'n':
			bench.pushes = number(optarg, 1000000000);
			break;
		case 'C':
			bench.connections = number(optarg, 64);
			break;
		case 'm':
			bench.hashes = number(optarg, HASHES_MAX);
			break;
		case 'j':
			bench.is_json = 1;
			break;
		default:
			usage();
		}
	}
	if (optind != argc || !bench.ca || !bench.certificate || !bench.key || !bench.pushes ||
		!bench.connections)
		usage();
}

static void prepare_flights(void)
{
	static const char hashes[HASHES_MAX][MAILBOX_HASH_SIZE];
	char(*filled)[MAILBOX_HASH_SIZE] = mem_alloc(sizeof(hashes));
	for (unsigned i = 0; i < HASHES_MAX; i++)
		snprintf(filled[i], sizeof(filled[i]), "%032x", i);
	bench.payload_size = payload_write(bench.payload, "01234567-89AB-CDEF-0123-456789ABCDEF",
		(const char(*)[MAILBOX_HASH_SIZE])filled, (unsigned)bench.hashes);
	free(filled);
	for (size_t i = 0; i < FLYING_MAX; i++) {
		struct flight *flight = &bench.flights[i];
		memset(flight->token, 'a', TOKEN_DIGITS);
		flight->next = bench.idle;
		bench.idle = flight;
	}
}

int main(int argc, char **argv)
{
	struct err err;
	struct credential *credential;
	struct sender_settings settings;
	const struct sender_callbacks callbacks = {on_answered, on_room, on_state};

	read_arguments(argc, argv);
	const struct credential_files files = {
		.name = "bench", .certificate = bench.certificate, .key = bench.key};
	sender_settings_init(&settings);
	settings.host = bench.host;
	settings.port = (uint16_t)bench.port;
	settings.ca_file = bench.ca;
	settings.connections = (unsigned)bench.connections;
	uv_loop_init(&bench.loop);
	if (credential_load(&files, &credential, &err) < 0 ||
		sender_new(&bench.loop, &settings, &callbacks, NULL, &bench.sender, &err) < 0) {
		fprintf(stderr, "bench_sender: %s\n", err.text);
		return 1;
	}
	bench.topic = mem_dup(credential->topic);
	sender_set_credentials(bench.sender, &credential, 1);
	prepare_flights();
	fill();
	uv_run(&bench.loop, UV_RUN_DEFAULT);
	uv_loop_close(&bench.loop);
	free(bench.topic);
	print_result();
	return bench.told == bench.pushes ? 0 : 1;
}
