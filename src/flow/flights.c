#include "flow/flights.h"

#include "apns/payload.h"
#include "base/mem.h"

#include <string.h>

#define EXPIRATION_S (24 * 60 * 60) /* Apple keeps a push that long for a phone that is off */
#define POOL_MAX 4096

struct flights {
	struct flights_needs needs;
	struct flight *free;
	unsigned free_count;
};

struct flights *flights_new(const struct flights_needs *needs)
{
	struct flights *flights = mem_alloc_zero(1, sizeof(*flights));
	flights->needs = *needs;
	return flights;
}

void flights_free(struct flights *flights)
{
	while (flights && flights->free) {
		struct flight *flight = flights->free;
		flights->free = flight->next_free;
		free(flight);
	}
	free(flights);
}

static struct flight *take(struct flights *flights)
{
	struct flight *flight = flights->free;
	if (flight) {
		flights->free = flight->next_free;
		flights->free_count--;
		memset(&flight->push, 0, sizeof(flight->push));
		return flight;
	}
	return mem_alloc_zero(1, sizeof(*flight));
}

void flights_return(struct flights *flights, struct flight *flight)
{
	free(mem_steal(flight->large_payload));
	registry_job_fini(&flight->job);
	if (flights->free_count == POOL_MAX) {
		free(flight);
		return;
	}
	memset(&flight->job, 0, sizeof(flight->job));
	flight->next_free = flights->free;
	flights->free = flight;
	flights->free_count++;
}

/*
 * The plain payload refreshes INBOX.  One with `m` refreshes the mailboxes that it names, but only
 * a phone that knows which mailboxes are watched understands it.
 */
static bool is_plain(const struct push_target *target)
{
	return target->aps_version == 1 || !target->confirmed || target->inbox_only;
}

bool flights_launch(struct flights *flights, const struct push *scheduled)
{
	const struct push_target *target = scheduled->target;
	struct flight *flight = take(flights);
	flight->delivery = flights->needs.delivery;
	flight->scheduled = scheduled;
	flight->key = target->key;
	unsigned hash_count = is_plain(target) ? 0 : scheduled->hash_count;
	char payload[PAYLOAD_MAX];
	size_t size = payload_write(payload, target->account_id, scheduled->hashes, hash_count);
	char *at = flight->small_payload;
	if (size > FLIGHTS_SMALL_PAYLOAD)
		at = flight->large_payload = mem_alloc(size);
	memcpy(at, payload, size);

	flight->push.topic = target->topic;
	flight->push.token = target->token;
	memcpy(flight->push.apns_id, scheduled->apns_id, sizeof(flight->push.apns_id));
	flight->push.expiration_unix_s = scheduled->sent_unix_ms / 1000 + EXPIRATION_S;
	flight->push.payload = at;
	flight->push.payload_size = size;
	flight->push.sent_unix_ms = scheduled->sent_unix_ms;
	flight->push.attempts = scheduled->attempts;
	flight->push.ctx = flight;
	if (!sender_push(flights->needs.sender, &flight->push)) {
		queue_put_back(flights->needs.queue, &flight->key);
		flights_return(flights, flight);
		return false;
	}
	histogram_observe_us(&flights->needs.metrics->event_to_push[scheduled->urgency],
		(scheduled->sent_unix_ms - scheduled->first_unix_ms) * 1000);
	return true;
}
