#include "dice.h"

#include "base/random.h"

#include <math.h>
#include <string.h>

static struct random chance;

void dice_seed(uint64_t seed)
{
	const uint64_t bytes[2] = {seed * 2 + 1, 0x6d61696c70757368};
	random_init(&chance, (const uint8_t *)bytes);
	for (unsigned i = 0; i < 16; i++)
		random_draw(&chance);
}

unsigned dice_roll(unsigned sides)
{
	return (unsigned)(random_draw(&chance) >> 16) % sides;
}

bool dice_once_in(unsigned times)
{
	return dice_roll(times) == 0;
}

int64_t dice_between(int64_t least, int64_t most)
{
	return least + random_upto(&chance, most - least);
}

int64_t dice_wait_ms(int64_t mean_ms)
{
	double part = ((double)(random_draw(&chance) >> 11) + 1) / 9007199254740993.0;
	return (int64_t)(-log(part) * (double)mean_ms) + 1;
}

void dice_bytes(uint8_t ret[16])
{
	const uint64_t drawn[2] = {random_draw(&chance), random_draw(&chance)};
	memcpy(ret, drawn, sizeof(drawn));
}
