/*
 * simulate - the daemon runs for months in seconds, and nothing may be lost.
 *
 *   simulate [HOURS [SEED]]
 *
 * Its own arrival.c, delivery.c, expiry.c, relay.c, spool.c and sender, the registry's rules and
 * the schedule run on virtual time (virtual.c, life.c), with stand-ins where they would meet a
 * thread, a file or a socket: threads.c and disk.c for the registry's and the queue's thread,
 * folder.c for the spool folder, wire.c and server.c for the way to Apple (sending.c shows what is
 * given to it). apple.c gives Apple's answers, people.c makes the events, weather.c makes things
 * fail, and judge/ checks what must be true.
 *
 * The seed is printed; SIMULATION_SEED or the argument repeats a run.  SIMULATION_HOURS: how long.
 */
#include "../registry/memory.h"
#include "apple.h"
#include "base/clock.h"
#include "dice.h"
#include "disk.h"
#include "folder.h"
#include "judge/judge.h"
#include "life.h"
#include "people.h"
#include "sending.h"
#include "server.h"
#include "threads.h"
#include "virtual.h"
#include "weather.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BEGIN_MS 1000000
#define BEGIN_UNIX_MS INT64_C(1790000000000)
#define SETTLE_MS (27 * CLOCK_HOUR_MS) /* Retry-After may be a day long */

static void look(void *ctx, uint64_t number)
{
	(void)ctx;
	(void)number;
	judge_look();
	folder_look();
	virtual_in(20 * CLOCK_SECOND_MS, look, NULL, 0);
}

static void run_until(int64_t until_ms)
{
	while (virtual_turn(until_ms)) {
	}
}

static uint64_t number_of(const char *argument, const char *variable, uint64_t otherwise)
{
	const char *text = argument ? argument : getenv(variable);
	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void report(uint64_t hours)
{
	printf("simulation: %llu hours, %llu events, %llu pushes, %llu commits, %u crashes, "
	       "%u stops, %u clock jumps\n",
		(unsigned long long)hours, (unsigned long long)people_events(),
		(unsigned long long)judge_pushes(), (unsigned long long)disk_commits(),
		life_crashes(), life_stops(), virtual_jumps());
	printf("simulation: transactions that failed: %llu, and had been committed: %llu; jobs "
	       "that "
	       "the registry refused: %llu\n",
		(unsigned long long)threads_failed(), (unsigned long long)threads_unanswered(),
		(unsigned long long)threads_refused());
	printf("simulation: acknowledged changes pushed: %llu",
		(unsigned long long)judge_accepted());
	for (unsigned reason = 0; reason < REASONS; reason++)
		printf(", %s: %llu", judge_reason_name(reason),
			(unsigned long long)judge_reasons(reason));
	printf("\nsimulation: registrations");
	for (unsigned reason = 0; reason <= REASON_SUSPENDED; reason++)
		printf("%s %s: %llu", reason ? "," : "", judge_reason_name(reason),
			(unsigned long long)judge_gone(reason));
	static const char *const meanings[] = {
		"taken", "malformed", "throttled", "failed", "refused", "gone", "bad", "misrouted"};
	printf("\nsimulation: Apple's answers:");
	for (unsigned meaning = 0; meaning < APPLE_MEANINGS; meaning++)
		printf("%s %s %llu", meaning ? "," : "", meanings[meaning],
			(unsigned long long)apple_answers(meaning));
	printf("\nsimulation: %llu connections, GOAWAYs: %llu, settings: %llu, refused streams: "
	       "%llu, "
	       "fell silent: %llu, small window updates: %llu, early answers: %llu, "
	       "pushes not taken: %llu; events kept: %llu; mailboxes found by their ids: %llu\n",
		(unsigned long long)wires_made(), (unsigned long long)server_counts.goaways,
		(unsigned long long)server_counts.settings,
		(unsigned long long)server_counts.refused,
		(unsigned long long)server_counts.silences,
		(unsigned long long)server_counts.crumbs, (unsigned long long)server_counts.early,
		(unsigned long long)sending_not_taken(), (unsigned long long)folder_kept(),
		(unsigned long long)people_found_by_id());
}

int main(int argc, char **argv)
{
	uint64_t hours = number_of(argc > 1 ? argv[1] : NULL, "SIMULATION_HOURS", 1000);
	uint64_t seed =
		number_of(argc > 2 ? argv[2] : NULL, "SIMULATION_SEED", (uint64_t)time(NULL));
	printf("simulation: SIMULATION_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	dice_seed(seed);
	virtual_start(BEGIN_MS, BEGIN_UNIX_MS);
	virtual_add_turn(sending_turn);
	virtual_add_turn(threads_turn);
	judge_begin(seed);
	people_begin();
	life_begin();
	weather_begin();
	look(NULL, 0);

	run_until(BEGIN_MS + (int64_t)hours * CLOCK_HOUR_MS);

	/* At the end nothing fails, so all news must be pushed; the start takes in what was
	 * refused. */
	people_clear();
	weather_clear();
	life_stop();
	run_until(virtual_now_ms() + SETTLE_MS);
	report(hours);
	judge_rule(judge_owed() == 0, "each acknowledged change is pushed in the end");
	judge_rule(disk_pushes() == 0, "nothing waits in the end");
	judge_rule(disk_parked() == 0, "nothing is parked in the end");
	judge_rule(folder_files() == 0, "nothing is kept in the end");

	life_end();
	virtual_end();
	judge_end();
	apple_free();
	sending_free();
	disk_free();
	folder_free();
	memory_forget();
	return 0;
}
