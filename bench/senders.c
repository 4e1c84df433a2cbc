/*
 * bench_senders - writes events to mailpushd as Cyrus does: one socket an event, and the sender
 * waits until the event is taken (datagram) or acknowledged (dlist).
 *
 * Each of `processes` keeps `senders / processes` events under way.  One process that holds many
 * is the cheapest way to play many senders on a machine that the daemon shares; as many processes
 * as senders is what Cyrus is.  Every event is about another phone.  With --rate they come evenly
 * in time instead of one after the other's answer.
 */
#include "histogram.h"
#include "people.h"

#include "base/mem.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SENDERS_MAX 1024
#define ANSWER_MAX 512
#define MESSAGE_MAX (PEOPLE_EVENT_SIZE + 256)

struct options {
	bool is_dlist;
	const char *socket;
	uint32_t users;
	uint32_t first;
	uint32_t events;
	unsigned senders;
	unsigned processes;
	uint32_t rate;	  /* events a second of all processes together; 0: as fast as they go */
	uint32_t seconds; /* after that no more begin; 0: no limit */
};

/* What a process tells; in memory that all share. */
struct report {
	uint64_t taken;
	uint64_t refused; /* an answer that is not OK (), or none */
	uint64_t last_ns; /* Unix time of the last answer */
	struct histogram waited_us;
};

struct sender {
	int fd;
	uint64_t since_ns;
	size_t got;
	char answer[ANSWER_MAX];
};

struct run {
	const struct options *options;
	struct report *report;
	struct sockaddr_un address;
	uint32_t next; /* event; those of the processes interleave */
	uint64_t began_ns;
	int epoll;
	struct sender senders[SENDERS_MAX];
};

static void fail(const char *what)
{
	fprintf(stderr, "bench_senders: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec at;
	clock_gettime(clock, &at);
	return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static int open_socket(struct run *run, int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("socket");
	if (type == SOCK_STREAM &&
		connect(fd, (struct sockaddr *)&run->address, sizeof(run->address)))
		fail(run->address.sun_path);
	return fd;
}

static bool is_over(const struct run *run)
{
	uint32_t seconds = run->options->seconds;
	return seconds && now_ns(CLOCK_MONOTONIC) - run->began_ns > seconds * UINT64_C(1000000000);
}

/* Events that fell due while this process was held are sent at once afterwards. */
static void wait_for_turn(const struct run *run)
{
	uint64_t due_ns = run->began_ns + run->next * UINT64_C(1000000000) / run->options->rate;
	struct timespec due = {
		.tv_sec = (time_t)(due_ns / 1000000000u), .tv_nsec = (long)(due_ns % 1000000000u)};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
		;
}

/* The user of the next event of this process. */
static bool next_user(struct run *run, uint32_t *ret)
{
	const struct options *options = run->options;
	if (run->next >= options->events || is_over(run))
		return false;
	if (options->rate)
		wait_for_turn(run);
	*ret = people_shuffled(options->first + run->next, options->users);
	run->next += options->processes;
	return true;
}

static void record(struct run *run, uint64_t since_ns)
{
	histogram_record(&run->report->waited_us, (now_ns(CLOCK_MONOTONIC) - since_ns) / 1000);
}

static size_t write_datagram(uint32_t user, char *ret)
{
	static const char head[] = "external\0EVENT\0\0\0\0"
				   "0";
	memcpy(ret, head, sizeof(head));
	return sizeof(head) + people_event(user, ret + sizeof(head)) + 1;
}

static void send_datagrams(struct run *run)
{
	char message[MESSAGE_MAX];
	uint32_t user;
	while (next_user(run, &user)) {
		size_t size = write_datagram(user, message);
		int fd = open_socket(run, SOCK_DGRAM);
		uint64_t since_ns = now_ns(CLOCK_MONOTONIC);
		if (sendto(fd, message, size, 0, (struct sockaddr *)&run->address,
			    sizeof(run->address)) == (ssize_t)size)
			run->report->taken++;
		else
			run->report->refused++;
		record(run, since_ns);
		close(fd);
	}
}

static size_t write_request(uint32_t user, char *ret)
{
	char event[PEOPLE_EVENT_SIZE];
	size_t event_size = people_event(user, event);
	int head = snprintf(ret, MESSAGE_MAX,
		"NOTIFY %%(METHOD external CLASS EVENT PRIORITY NIL USER NIL MAILBOX NIL "
		"OPTIONS () MESSAGE {%zu+}\r\n",
		event_size);
	static const char tail[] = " FILEPATH NIL)\r\n";
	char *at = mempcpy(ret + head, event, event_size);
	at = mempcpy(at, tail, strlen(tail));
	return (size_t)(at - ret);
}

static bool begin_request(struct run *run, struct sender *sender)
{
	uint32_t user;
	if (!next_user(run, &user))
		return false;
	char message[MESSAGE_MAX];
	size_t size = write_request(user, message);
	sender->got = 0;
	sender->since_ns = now_ns(CLOCK_MONOTONIC);
	sender->fd = open_socket(run, SOCK_STREAM);
	if (send(sender->fd, message, size, MSG_NOSIGNAL) != (ssize_t)size)
		fail("send");
	struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = sender}};
	if (run->epoll >= 0 && epoll_ctl(run->epoll, EPOLL_CTL_ADD, sender->fd, &event))
		fail("epoll_ctl");
	return true;
}

/* Reads what there is of the answer; false when it has not ended yet. */
static bool read_answer(struct run *run, struct sender *sender)
{
	ssize_t n = read(sender->fd, sender->answer + sender->got, ANSWER_MAX - sender->got);
	if (n > 0)
		sender->got += (size_t)n;
	if (n > 0 && !memchr(sender->answer, '\n', sender->got) && sender->got < ANSWER_MAX)
		return false;
	record(run, sender->since_ns);
	static const char ok[] = "OK ()\r\n";
	if (sender->got == strlen(ok) && !memcmp(sender->answer, ok, sender->got))
		run->report->taken++;
	else
		run->report->refused++;
	close(sender->fd);
	return true;
}

static void send_requests_in_turn(struct run *run)
{
	run->epoll = -1;
	struct sender *sender = &run->senders[0];
	while (begin_request(run, sender))
		while (!read_answer(run, sender))
			;
}

static void send_requests_at_once(struct run *run, unsigned at_once)
{
	struct epoll_event events[64];
	run->epoll = epoll_create1(EPOLL_CLOEXEC);
	unsigned under_way = 0;
	while (under_way < at_once && begin_request(run, &run->senders[under_way]))
		under_way++;
	while (under_way) {
		int count = epoll_wait(run->epoll, events, 64, -1);
		for (int i = 0; i < count; i++) {
			struct sender *sender = events[i].data.ptr;
			if (read_answer(run, sender) && !begin_request(run, sender))
				under_way--;
		}
	}
	close(run->epoll);
}

static void run_process(const struct options *options, unsigned number, struct report *report)
{
	struct run *run = mem_alloc_zero(1, sizeof(*run));
	run->options = options;
	run->report = report;
	run->next = number;
	run->began_ns = now_ns(CLOCK_MONOTONIC);
	run->address.sun_family = AF_UNIX;
	if (strlen(options->socket) >= sizeof(run->address.sun_path)) {
		errno = ENAMETOOLONG;
		fail(options->socket);
	}
	strcpy(run->address.sun_path, options->socket);
	unsigned at_once = options->senders / options->processes;
	if (!options->is_dlist)
		send_datagrams(run);
	else if (at_once > 1)
		send_requests_at_once(run, at_once);
	else
		send_requests_in_turn(run);
	report->last_ns = now_ns(CLOCK_REALTIME);
	free(run);
}

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void print_report(
	const struct options *options, const struct report *reports, uint64_t began_ns)
{
	struct report all = {0};
	for (unsigned i = 0; i < options->processes; i++) {
		all.taken += reports[i].taken;
		all.refused += reports[i].refused;
		if (reports[i].last_ns > all.last_ns)
			all.last_ns = reports[i].last_ns;
		histogram_sum(&all.waited_us, &reports[i].waited_us);
	}
	struct rusage usage;
	getrusage(RUSAGE_CHILDREN, &usage);
	printf("{\"events\":%" PRIu64 ",\"taken\":%" PRIu64 ",\"refused\":%" PRIu64
	       ",\"began_unix_s\":%.6f,\"seconds\":%.6f,\"cpu_s\":%.6f,\"waited_us\":{"
	       "\"p50\":%" PRIu64 ",\"p90\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"p999\":%" PRIu64
	       ",\"max\":%" PRIu64 "}}\n",
		all.taken + all.refused, all.taken, all.refused, (double)began_ns / 1e9,
		(double)(all.last_ns - began_ns) / 1e9,
		seconds(usage.ru_utime) + seconds(usage.ru_stime),
		histogram_at(&all.waited_us, 0.5), histogram_at(&all.waited_us, 0.9),
		histogram_at(&all.waited_us, 0.99), histogram_at(&all.waited_us, 0.999),
		histogram_at(&all.waited_us, 1));
}

static int run_all(const struct options *options)
{
	size_t size = options->processes * sizeof(struct report);
	struct report *reports =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (reports == MAP_FAILED)
		fail("mmap");
	uint64_t began_ns = now_ns(CLOCK_REALTIME);
	for (unsigned i = 0; i < options->processes; i++) {
		pid_t pid = fork();
		if (pid < 0)
			fail("fork");
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			run_process(options, i, &reports[i]);
			_exit(0);
		}
	}
	int failed = 0;
	int status;
	while (wait(&status) > 0)
		failed |= status;
	print_report(options, reports, began_ns);
	munmap(reports, size);
	return failed ? 1 : 0;
}

static void usage(FILE *to)
{
	fputs("usage: bench_senders --datagram SOCKET | --dlist SOCKET --users N [--events N]\n"
	      "                     [--first N] [--senders N] [--processes N] [--rate N]\n"
	      "                     [--seconds N]\n"
	      "\n"
	      "  --users N      users of the registry (bench_fill --count)\n"
	      "  --events N     how many events, each to another user; default: as many as users\n"
	      "  --first N      where in the shuffled users to begin; default: 0\n"
	      "  --senders N    events under way at once; default: 1 by datagram, 64 by dlist\n"
	      "  --processes N  among how many processes they are divided; default: 1 with dlist,\n"
	      "                 one a sender with datagrams, which block\n"
	      "  --rate N       events a second, evenly in time; needs a process for each sender;\n"
	      "                 default: each sender goes on as soon as it may\n"
	      "  --seconds N    no event begins later than that, whatever --events says\n",
		to);
}

static bool is_valid(struct options *options)
{
	if (!options->senders)
		options->senders = options->is_dlist ? 64 : 1;
	if (!options->processes)
		options->processes = options->is_dlist ? 1 : options->senders;
	if (!options->events)
		options->events = options->users;
	return options->socket && options->users && options->users < 100000000 &&
		(uint64_t)options->first + options->events <= options->users &&
		options->senders <= SENDERS_MAX && options->processes <= options->senders &&
		options->senders % options->processes == 0 &&
		((options->is_dlist && !options->rate) || options->processes == options->senders);
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {{"datagram", required_argument, NULL, 'd'},
		{"dlist", required_argument, NULL, 's'}, {"users", required_argument, NULL, 'u'},
		{"events", required_argument, NULL, 'e'}, {"first", required_argument, NULL, 'f'},
		{"senders", required_argument, NULL, 'k'},
		{"processes", required_argument, NULL, 'p'}, {"rate", required_argument, NULL, 'r'},
		{"seconds", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	struct options options = {0};
	int option;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		uint32_t number = optarg ? (uint32_t)strtoul(optarg, NULL, 10) : 0;
		switch (option) {
		case 'd':
		case 's':
			options.is_dlist = option == 's';
			options.socket = optarg;
			break;
		case 'u':
			options.users = number;
			break;
		case 'e':
			options.events = number;
			break;
		case 'f':
			options.first = number;
			break;
		case 'k':
			options.senders = number;
			break;
		case 'p':
			options.processes = number;
			break;
		case 'r':
			options.rate = number;
			break;
		case 't':
			options.seconds = number;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (!is_valid(&options)) {
		usage(stderr);
		return 2;
	}
	return run_all(&options);
}
