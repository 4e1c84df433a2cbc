#include "histogram.h"

static unsigned bucket_of(uint64_t value)
{
	if (value < HISTOGRAM_STEPS)
		return (unsigned)value;
	unsigned doublings = 63 - (unsigned)__builtin_clzll(value / HISTOGRAM_STEPS);
	unsigned bucket = doublings * HISTOGRAM_STEPS + (unsigned)(value >> doublings);
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The smallest value that falls into the bucket. */
static uint64_t value_of(unsigned bucket)
{
	if (bucket < HISTOGRAM_STEPS)
		return bucket;
	unsigned doublings = bucket / HISTOGRAM_STEPS - 1;
	return (uint64_t)(bucket - doublings * HISTOGRAM_STEPS) << doublings;
}

void histogram_record(struct histogram *histogram, uint64_t value)
{
	histogram->buckets[bucket_of(value)]++;
	histogram->count++;
}

void histogram_sum(struct histogram *into, const struct histogram *from)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->buckets[i] += from->buckets[i];
	into->count += from->count;
}

uint64_t histogram_at(const struct histogram *histogram, double part)
{
	double wanted = part * (double)histogram->count;
	uint64_t seen = 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS && histogram->count; i++) {
		seen += histogram->buckets[i];
		if ((double)seen >= wanted && histogram->buckets[i])
			return value_of(i);
	}
	return 0;
}
