/*
 * alarm - conditions that last until their cause is removed.
 *
 * An alarm is logged when it begins, when it ends, and once a day while it lasts.  Others can cause
 * some of them as often as they like: of an alarm that comes and goes, ALARM_CHANGES_MAX changes in
 * a window of ALARM_WINDOW_MS are told; after that each window has one line, with what it came to
 * and how many changes there were, until a window passes without one.
 *
 * `alarm_command` is run for begin and end as `command begin|end NAME TEXT`, because a small site
 * has no monitoring.  One command runs at a time, in order, and the daemon does not wait for it.
 * After ALARM_COMMAND_MS it is killed with its children.  An alarm that ends before its begin had
 * its turn is left out, and likewise the other way round: so one call for each alarm waits at most.
 * Its output goes to the daemon's standard error.
 *
 * docs/operations.md (Alarms) lists every alarm with its cause and remedy.  Loop thread only.
 */
#ifndef MAILPUSH_BASE_ALARM_H
#define MAILPUSH_BASE_ALARM_H

#include <stdbool.h>
#include <uv.h>

#define ALARM_COMMAND_MS 30000
#define ALARM_CHANGES_MAX 20
#define ALARM_WINDOW_MS 60000

/* `command`: a path, or NULL for none. */
void alarm_start(uv_loop_t *loop, const char *command);
/* Stops the timers.  What was held back gets its line, and no call; what stands gets no end. */
void alarm_stop(void);

/* From the next call on. */
void alarm_set_command(const char *command);
/* For tests: replaces ALARM_COMMAND_MS from the next call on. */
void alarm_limit_command(int64_t limit_ms);
/* For tests: the window ends now. */
void alarm_end_window(void);

/*
 * Runs the command as for an alarm `test` that begins and ends.  `done` is called once, later: NULL
 * if both went well, else what went wrong.  -ENOENT: there is no command; -EAGAIN: a test runs
 * already.
 */
typedef void alarm_tested_fn(void *ctx, const char *failure);
int alarm_test_command(alarm_tested_fn *done, void *ctx);
/* Nobody waits for the test any more. */
void alarm_forget_test(void);

/* One other than the log and the command that wants to know; NULL: nobody any more. */
enum alarm_change { ALARM_BEGINS, ALARM_WORSENS, ALARM_ENDS };
typedef void alarm_follow_fn(
	void *ctx, enum alarm_change change, const char *name, const char *text, unsigned stage);
void alarm_follow(alarm_follow_fn *follow, void *ctx);

/* Raising a standing alarm only renews its text.  `name`: [a-z0-9_:.-]+, at most 100 bytes. */
void alarm_raise(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
void alarm_clear(const char *name);
/*
 * A standing alarm is at this stage by now; it begins at stage 0.  When it reaches a higher one, it
 * is passed to the follower again, and logged unless its text was.
 */
void alarm_worsen(const char *name, unsigned stage);
bool alarm_stands(const char *name);

typedef void alarm_each_fn(void *ctx, const char *name, const char *text, int64_t since_unix_ms);
void alarm_each(alarm_each_fn *each, void *ctx);

#endif
