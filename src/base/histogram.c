#include "base/histogram.h"

const int64_t histogram_bounds_us[HISTOGRAM_BUCKETS] = {100, 250, 500, 1000, 2500, 5000, 10000,
	25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000,
	60000000, 300000000, 1800000000};

static void add(_Atomic uint64_t *to, uint64_t n)
{
	atomic_store_explicit(
		to, atomic_load_explicit(to, memory_order_relaxed) + n, memory_order_relaxed);
}

void histogram_observe_us(struct histogram *histogram, int64_t us)
{
	size_t i = 0;
	while (i < HISTOGRAM_BUCKETS && us > histogram_bounds_us[i])
		i++;
	add(&histogram->counts[i], 1);
	add(&histogram->sum_us, us > 0 ? (uint64_t)us : 0);
}

static uint64_t count_in(const struct histogram *histogram, size_t bucket)
{
	return atomic_load_explicit(&histogram->counts[bucket], memory_order_relaxed);
}

void histogram_add_growth(
	struct histogram *to, const struct histogram *now, const struct histogram *before)
{
	for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++)
		add(&to->counts[i], count_in(now, i) - count_in(before, i));
	add(&to->sum_us,
		atomic_load_explicit(&now->sum_us, memory_order_relaxed) -
			atomic_load_explicit(&before->sum_us, memory_order_relaxed));
}

uint64_t histogram_count(const struct histogram *histogram)
{
	uint64_t count = 0;
	for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++)
		count += count_in(histogram, i);
	return count;
}

double histogram_sum_s(const struct histogram *histogram)
{
	return (double)atomic_load_explicit(&histogram->sum_us, memory_order_relaxed) / 1e6;
}

double histogram_quantile_s(const struct histogram *histogram, double part)
{
	double wanted = part * (double)histogram_count(histogram);
	double below = 0;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		double here = (double)count_in(histogram, i);
		double from = i ? (double)histogram_bounds_us[i - 1] : 0;
		double to = (double)histogram_bounds_us[i];
		if (here > 0 && below + here >= wanted)
			return (from + (to - from) * (wanted - below) / here) / 1e6;
		below += here;
	}
	return below < wanted ? (double)histogram_bounds_us[HISTOGRAM_BUCKETS - 1] / 1e6 : 0;
}
