#include "weather.h"

#include "apple.h"
#include "base/clock.h"
#include "dice.h"
#include "folder.h"
#include "judge/judge.h"
#include "life.h"
#include "sending.h"
#include "virtual.h"

#include <stddef.h>

#define SECOND CLOCK_SECOND_MS
#define MINUTE CLOCK_MINUTE_MS
#define HOUR CLOCK_HOUR_MS
#define DAY CLOCK_DAY_MS

#define DYING_COMMITS 20000 /* one in so many kills the daemon */
#define DYING_RARE_COMMITS 60
#define FAILING_COMMITS 1000
#define FAILING_RARE_COMMITS 30
#define REFUSING_COMMITS 1000

static bool is_clear;
static enum weather of_topic[APPLE_TOPICS];
static int64_t registry_hang_ms;
static int64_t disk_hang_ms;
static int64_t registry_broken_until_ms;

/* Mostly short, sometimes long, rarely days. */
static int64_t trouble_ms(void)
{
	if (dice_once_in(60))
		return dice_wait_ms(2 * DAY);
	if (dice_once_in(8))
		return dice_wait_ms(12 * HOUR);
	return dice_wait_ms(dice_once_in(3) ? HOUR : 3 * MINUTE);
}

static void change(void *ctx, uint64_t topic)
{
	(void)ctx;
	if (is_clear)
		return;
	bool is_fine = of_topic[topic] == WEATHER_FINE;
	of_topic[topic] = is_fine ? 1 + dice_roll(WEATHERS - 1) : WEATHER_FINE;
	sending_weather_changed((unsigned)topic);
	virtual_in(is_fine ? trouble_ms() : dice_wait_ms(4 * HOUR), change, NULL, topic);
}

static void hang(void *ctx, uint64_t number)
{
	(void)ctx;
	(void)number;
	if (is_clear)
		return;
	int64_t ms = dice_wait_ms(dice_once_in(4) ? 5 * MINUTE : 2 * SECOND);
	switch (dice_roll(3)) {
	case 0:
		registry_hang_ms = ms;
		break;
	case 1:
		disk_hang_ms = ms;
		break;
	default:
		/* The disk is read-only, or the file is locked. */
		registry_broken_until_ms = virtual_now_ms() + ms;
		judge_excuse(ms);
	}
	virtual_in(dice_wait_ms(2 * HOUR), hang, NULL, 0);
}

static void crash(void *ctx, uint64_t number)
{
	(void)ctx;
	(void)number;
	if (is_clear)
		return;
	if (dice_once_in(3))
		life_stop();
	else
		life_crash();
	/* Some rules take a day, so the daemon must run longer than that. */
	virtual_in(dice_wait_ms(dice_once_in(12) ? 2 * DAY : 3 * HOUR), crash, NULL, 0);
}

static void put_clock_right(void *ctx, uint64_t by_ms)
{
	(void)ctx;
	virtual_jump(-(int64_t)by_ms);
}

static void jump(void *ctx, uint64_t number)
{
	(void)ctx;
	(void)number;
	if (is_clear)
		return;
	int64_t most_ms = dice_once_in(3) ? 3 * DAY : dice_roll(2) ? 10 * MINUTE : 5 * SECOND;
	int64_t by_ms = dice_between(-most_ms, most_ms);
	virtual_jump(by_ms);
	virtual_in(dice_wait_ms(2 * HOUR), put_clock_right, NULL, (uint64_t)by_ms);
	virtual_in(dice_wait_ms(40 * HOUR), jump, NULL, 0);
}

static void trouble_token(void *ctx, uint64_t number)
{
	(void)ctx;
	(void)number;
	if (is_clear)
		return;
	apple_trouble_token();
	virtual_in(dice_wait_ms(HOUR), trouble_token, NULL, 0);
}

static void renew_credential(void *ctx, uint64_t number)
{
	(void)ctx;
	(void)number;
	if (is_clear)
		return;
	sending_renew_credential(dice_roll(APPLE_TOPICS));
	virtual_in(dice_wait_ms(30 * HOUR), renew_credential, NULL, 0);
}

static void spoil_folder(void *ctx, uint64_t number)
{
	(void)ctx;
	(void)number;
	if (is_clear)
		return;
	int64_t ms = dice_wait_ms(dice_once_in(4) ? 5 * MINUTE : 5 * SECOND);
	/* The next failure is decided after the same time. */
	judge_excuse(2 * ms + 20 * SECOND);
	folder_trouble(ms);
	folder_litter();
	virtual_in(dice_wait_ms(HOUR), spoil_folder, NULL, 0);
}

static void change_topic(void *ctx, uint64_t number)
{
	(void)ctx;
	(void)number;
	if (is_clear)
		return;
	life_change_topic();
	virtual_in(dice_wait_ms(100 * HOUR), change_topic, NULL, 0);
}

void weather_begin(void)
{
	is_clear = false;
	for (unsigned topic = 0; topic < APPLE_TOPICS; topic++) {
		of_topic[topic] = WEATHER_FINE;
		virtual_in(dice_wait_ms(4 * HOUR), change, NULL, topic);
	}
	virtual_in(dice_wait_ms(2 * HOUR), hang, NULL, 0);
	virtual_in(dice_wait_ms(4 * HOUR), crash, NULL, 0);
	virtual_in(dice_wait_ms(HOUR), spoil_folder, NULL, 0);
	virtual_in(dice_wait_ms(40 * HOUR), jump, NULL, 0);
	virtual_in(dice_wait_ms(HOUR), trouble_token, NULL, 0);
	virtual_in(dice_wait_ms(30 * HOUR), renew_credential, NULL, 0);
	virtual_in(dice_wait_ms(100 * HOUR), change_topic, NULL, 0);
}

void weather_clear(void)
{
	is_clear = true;
	for (unsigned topic = 0; topic < APPLE_TOPICS; topic++) {
		of_topic[topic] = WEATHER_FINE;
		sending_weather_changed(topic);
	}
	apple_forgive_tokens();
	folder_forgive();
	registry_hang_ms = 0;
	disk_hang_ms = 0;
	registry_broken_until_ms = 0;
}

bool weather_is_clear(void)
{
	return is_clear;
}

enum weather weather_of(unsigned topic)
{
	return of_topic[topic];
}

static int64_t take(int64_t *hang_ms, int64_t usual_ms)
{
	int64_t ms = *hang_ms ? *hang_ms : dice_between(1, usual_ms);
	*hang_ms = 0;
	return ms;
}

int64_t weather_registry_ms(void)
{
	return take(&registry_hang_ms, 5);
}

int64_t weather_disk_ms(void)
{
	return take(&disk_hang_ms, 20);
}

static bool fails(unsigned failing)
{
	return !is_clear && dice_once_in(failing);
}

enum weather_commit weather_registry_commit(bool is_rare)
{
	bool is_broken = virtual_now_ms() < registry_broken_until_ms;
	if (is_broken || fails(is_rare ? FAILING_RARE_COMMITS : FAILING_COMMITS))
		return 1 + dice_roll(WEATHER_BAD_JOB - 1);
	return fails(REFUSING_COMMITS) ? WEATHER_BAD_JOB : WEATHER_COMMITTED;
}

enum weather_commit weather_disk_commit(void)
{
	return fails(FAILING_COMMITS) ? 1 + dice_roll(WEATHER_UNANSWERED) : WEATHER_COMMITTED;
}

bool weather_dies_now(bool is_rare)
{
	return !is_clear && dice_once_in(is_rare ? DYING_RARE_COMMITS : DYING_COMMITS);
}
