/*
 * histogram - how long things took, to within 3 %, in little memory.
 *
 * Plain data: may lie in memory that processes share, and be added up.
 */
#ifndef MAILPUSH_BENCH_HISTOGRAM_H
#define MAILPUSH_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 32u /* to each doubling */
#define HISTOGRAM_BUCKETS (40u * HISTOGRAM_STEPS)

struct histogram {
	uint64_t count;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_record(struct histogram *histogram, uint64_t value);
void histogram_sum(struct histogram *into, const struct histogram *from);
/* The value that `part` (0 to 1) of all do not exceed; 0 when there are none. */
uint64_t histogram_at(const struct histogram *histogram, double part);

#endif
