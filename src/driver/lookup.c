#include "driver/lookup.h"

#include "base/mem.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

/* With the name of an interface behind it. */
#define ADDRESS_MAX 64

struct lookup {
	char *name;
	pthread_mutex_t lock;
	pthread_cond_t answered;

	/* Under lock. */
	bool is_answered;
	bool is_unwanted;
	int failed; /* of getaddrinfo */

	/* The owner's once it is answered. */
	char addresses[LOOKUP_ADDRESSES_MAX][ADDRESS_MAX];
	size_t count;
};

static void destroy(struct lookup *lookup)
{
	pthread_cond_destroy(&lookup->answered);
	pthread_mutex_destroy(&lookup->lock);
	free(lookup->name);
	free(lookup);
}

static void keep(struct lookup *lookup, const struct addrinfo *found)
{
	for (; found && lookup->count < LOOKUP_ADDRESSES_MAX; found = found->ai_next) {
		if (getnameinfo(found->ai_addr, found->ai_addrlen, lookup->addresses[lookup->count],
			    ADDRESS_MAX, NULL, 0, NI_NUMERICHOST) == 0)
			lookup->count++;
	}
}

static void answer(struct lookup *lookup, int failed)
{
	pthread_mutex_lock(&lookup->lock);
	lookup->failed = failed;
	lookup->is_answered = true;
	bool is_unwanted = lookup->is_unwanted;
	pthread_cond_signal(&lookup->answered);
	pthread_mutex_unlock(&lookup->lock);
	if (is_unwanted)
		destroy(lookup);
}

static void *run(void *arg)
{
	struct lookup *lookup = arg;
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	int failed = getaddrinfo(lookup->name, NULL, &hints, &found);
	if (!failed) {
		keep(lookup, found);
		freeaddrinfo(found);
	}
	answer(lookup, failed);
	return NULL;
}

/* Signals are the loop thread's. */
static int start_thread(struct lookup *lookup)
{
	pthread_t thread;
	sigset_t all;
	sigset_t before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&thread, NULL, run, lookup);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!failed)
		pthread_detach(thread);
	return failed;
}

struct lookup *lookup_new(const char *name)
{
	struct lookup *lookup = mem_alloc_zero(1, sizeof(*lookup));
	lookup->name = mem_dup(name);
	pthread_mutex_init(&lookup->lock, NULL);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&lookup->answered, &attributes);
	pthread_condattr_destroy(&attributes);
	if (start_thread(lookup) != 0)
		answer(lookup, EAI_AGAIN);
	return lookup;
}

bool lookup_is_answered(struct lookup *lookup)
{
	pthread_mutex_lock(&lookup->lock);
	bool is_answered = lookup->is_answered;
	pthread_mutex_unlock(&lookup->lock);
	return is_answered;
}

void lookup_free(struct lookup *lookup)
{
	if (!lookup)
		return;
	pthread_mutex_lock(&lookup->lock);
	lookup->is_unwanted = true;
	bool is_answered = lookup->is_answered;
	pthread_mutex_unlock(&lookup->lock);
	if (is_answered)
		destroy(lookup);
}

int lookup_wait(struct lookup *lookup, int64_t deadline_ms, struct err *err)
{
	const struct timespec until = {
		.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
	pthread_mutex_lock(&lookup->lock);
	int timed_out = 0;
	while (!lookup->is_answered && !timed_out)
		timed_out = pthread_cond_timedwait(&lookup->answered, &lookup->lock, &until);
	bool is_answered = lookup->is_answered;
	int failed = lookup->failed;
	pthread_mutex_unlock(&lookup->lock);
	if (!is_answered)
		return err_set(err, -ETIMEDOUT, "the resolver has not answered about '%s' in time",
			lookup->name);
	if (failed || lookup->count == 0)
		return err_set(err, -ENOENT, "cannot resolve '%s': %s", lookup->name,
			failed ? gai_strerror(failed) : "no address");
	return 0;
}

size_t lookup_count(const struct lookup *lookup)
{
	return lookup->count;
}

const char *lookup_address(const struct lookup *lookup, size_t n)
{
	return lookup->addresses[n];
}
