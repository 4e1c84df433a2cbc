#include "trace/trace_share.h"

#include "base/map.h"
#include "base/mem.h"

#include <string.h>

#define BURST_MS (INT64_C(1) * TRACE_SHARE_BURST * TRACE_SHARE_EVERY_MS)

struct place {
	uint64_t who;	 /* a keyed hash; 0: nobody */
	int64_t paid_ms; /* monotonic: until then the entries kept so far use up the rate */
	int64_t seen_ms; /* when the first of `same` was kept */
	uint32_t same[TRACE_SHARE_REPEATS];
	uint32_t left_out;
	uint32_t next; /* of same, to be replaced */
};

struct trace_share {
	uint8_t seed[16];
	struct place places[TRACE_SHARE_USERS];
};

struct trace_share *trace_share_new(const uint8_t seed[16])
{
	struct trace_share *share = mem_alloc_zero(1, sizeof(*share));
	memcpy(share->seed, seed, sizeof(share->seed));
	return share;
}

void trace_share_free(struct trace_share *share)
{
	free(share);
}

static uint64_t hash_of(const struct trace_share *share, const void *who, size_t size)
{
	uint64_t hash = map_hash(share->seed, who, size);
	return hash ? hash : 1;
}

static const struct place *find(const struct trace_share *share, const void *who, size_t size)
{
	uint64_t hash = hash_of(share, who, size);
	const struct place *place = &share->places[hash % TRACE_SHARE_USERS];
	return place->who == hash ? place : NULL;
}

bool trace_share_knows(const struct trace_share *share, const void *who, size_t size)
{
	return find(share, who, size);
}

uint32_t trace_share_left_out(const struct trace_share *share, const void *who, size_t size)
{
	const struct place *place = find(share, who, size);
	return place ? place->left_out : 0;
}

void trace_share_forget(struct trace_share *share, const void *who, size_t size)
{
	const struct place *place = find(share, who, size);
	if (place)
		share->places[place - share->places] = (struct place){0};
}

static bool is_repeated(struct place *place, uint32_t sameness, int64_t now_ms)
{
	if (now_ms - place->seen_ms > TRACE_SHARE_REPEAT_MS)
		memset(place->same, 0, sizeof(place->same));
	for (int i = 0; i < TRACE_SHARE_REPEATS; i++)
		if (place->same[i] == sameness)
			return true;
	return false;
}

static void remember(struct place *place, uint32_t sameness, int64_t now_ms)
{
	static const uint32_t none[TRACE_SHARE_REPEATS];
	if (!memcmp(place->same, none, sizeof(none)))
		place->seen_ms = now_ms;
	place->same[place->next++ % TRACE_SHARE_REPEATS] = sameness;
}

bool trace_share_take(struct trace_share *share, const void *who, size_t size,
	enum trace_weight weight, uint32_t sameness, int64_t now_ms, uint32_t *ret_left_out)
{
	static const int64_t limits_ms[TRACE_WEIGHTS] = {[TRACE_MINOR] = BURST_MS / 2,
		[TRACE_ORDINARY] = BURST_MS / 4 * 3,
		[TRACE_MAJOR] = BURST_MS};
	uint64_t hash = hash_of(share, who, size);
	struct place *place = &share->places[hash % TRACE_SHARE_USERS];
	if (place->who != hash)
		*place = (struct place){.who = hash, .paid_ms = now_ms};
	if (place->paid_ms < now_ms)
		place->paid_ms = now_ms;
	if ((sameness && is_repeated(place, sameness, now_ms)) ||
		place->paid_ms + TRACE_SHARE_EVERY_MS - now_ms > limits_ms[weight]) {
		place->left_out++;
		return false;
	}
	place->paid_ms += TRACE_SHARE_EVERY_MS;
	if (sameness)
		remember(place, sameness, now_ms);
	else
		memset(place->same, 0, sizeof(place->same));
	*ret_left_out = place->left_out;
	place->left_out = 0;
	return true;
}
