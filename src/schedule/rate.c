#include "schedule/rate.h"

static int64_t burst(const struct rate *rate)
{
	int64_t thousandths = (int64_t)rate->per_second * RATE_BURST_MS;
	return thousandths < 1000 ? 1000 : thousandths;
}

static int64_t filled(const struct rate *rate, int64_t now_ms)
{
	int64_t full = burst(rate);
	int64_t passed_ms = now_ms - rate->filled_ms;
	if (passed_ms < 0)
		passed_ms = 0;
	/* Beyond what fills it from empty the product could overflow. */
	if (passed_ms > full / rate->per_second)
		return full;
	int64_t thousandths = rate->thousandths + passed_ms * rate->per_second;
	return thousandths > full ? full : thousandths;
}

void rate_init(struct rate *rate, unsigned per_second, int64_t now_ms)
{
	*rate = (struct rate){.per_second = per_second, .filled_ms = now_ms};
	rate->thousandths = burst(rate);
}

bool rate_take(struct rate *rate, int64_t now_ms)
{
	if (!rate->per_second)
		return true;
	rate->thousandths = filled(rate, now_ms);
	if (now_ms > rate->filled_ms)
		rate->filled_ms = now_ms;
	if (rate->thousandths < 1000)
		return false;
	rate->thousandths -= 1000;
	return true;
}

void rate_give_back(struct rate *rate)
{
	if (rate->per_second)
		rate->thousandths += 1000;
}

int64_t rate_wake_ms(const struct rate *rate, int64_t now_ms)
{
	if (!rate->per_second)
		return now_ms;
	int64_t missing = 1000 - filled(rate, now_ms);
	if (missing <= 0)
		return now_ms;
	return now_ms + (missing + rate->per_second - 1) / rate->per_second;
}
