/*
 * alarm - conditions that stand until they are mended.
 *
 * An alarm is logged when it begins, when it ends, and once a day while it stands; `alarm_command`
 * is run for begin and end as `command begin|end NAME TEXT`, because a small site has no
 * monitoring.  The command is never waited for; at most one runs at a time, further ones queue.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_BASE_ALARM_H
#define MAILPUSH_BASE_ALARM_H

#include <stdbool.h>
#include <uv.h>

/* `command`: a path, or NULL for none. */
void alarm_start(uv_loop_t *loop, const char *command);
/* Ends the timers; standing alarms are forgotten silently. */
void alarm_stop(void);

/* Raising what stands already only renews the text.  `name`: [a-z0-9_:.-]+, at most 100 bytes. */
void alarm_raise(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
void alarm_clear(const char *name);
bool alarm_stands(const char *name);

typedef void alarm_each_fn(void *ctx, const char *name, const char *text, int64_t since_unix_ms);
void alarm_each(alarm_each_fn *each, void *ctx);

#endif
