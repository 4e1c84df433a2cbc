/*
 * histogram - how long something took, counted in buckets.
 *
 * One thread observes, any thread may read meanwhile: plain loads and stores, no lock and no
 * allocation.  A reader may see a count before its sum, which does not matter to a monitor.
 */
#ifndef MAILPUSH_BASE_HISTOGRAM_H
#define MAILPUSH_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BUCKETS 20

/* Upper bounds, in microseconds; above the last there is one more bucket. */
extern const int64_t histogram_bounds_us[HISTOGRAM_BUCKETS];

struct histogram {
	_Atomic uint64_t counts[HISTOGRAM_BUCKETS + 1];
	_Atomic uint64_t sum_us;
};

/* Negative times (a clock that jumped) count as 0. */
void histogram_observe_us(struct histogram *histogram, int64_t us);

/* Adds to `to` the growth of `now` since `before`, an earlier copy of it. */
void histogram_add_growth(
	struct histogram *to, const struct histogram *now, const struct histogram *before);

uint64_t histogram_count(const struct histogram *histogram);
double histogram_sum_s(const struct histogram *histogram);
/*
 * The time in seconds below which the given part (0 to 1) of all lies, estimated within its bucket;
 * 0 when there are none.
 */
double histogram_quantile_s(const struct histogram *histogram, double part);

#endif
