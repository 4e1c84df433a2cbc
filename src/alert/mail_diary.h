/*
 * mail_diary - which alarms were mailed, and which are to be mailed now.
 *
 * The begin of an alarm is mailed once a day at most, and its end once a day at most, whether the
 * daemon was restarted meanwhile or not.  An alarm that gets worse (alarm_worsen) is mailed again.
 * An end is mailed when the alarm has been away for MAIL_DIARY_SETTLE_MS, so that one that comes
 * and goes is mailed once.
 *
 * The diary is kept as text, a line for each alarm.  A line that cannot be read is left out.
 *
 * Pure: times are Unix times, as they outlast the process.  At most MAIL_DIARY_MAX alarms are
 * known; a further one takes the place of one that is over and mailed, else it is not mailed.
 */
#ifndef MAILPUSH_ALERT_MAIL_DIARY_H
#define MAILPUSH_ALERT_MAIL_DIARY_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define MAIL_DIARY_MAX 64
#define MAIL_DIARY_TEXT_MAX (MAIL_DIARY_MAX * 256)
#define MAIL_DIARY_STAGE_MAX 99
#define MAIL_DIARY_SETTLE_MS (10 * 60 * 1000)

struct mail_diary;

struct mail_diary *mail_diary_new(void);
void mail_diary_free(struct mail_diary *diary);

/* The alarm stands; also to renew its text.  False: there is no place for it. */
bool mail_diary_stands(
	struct mail_diary *diary, const char *name, const char *text, int64_t now_unix_ms);
/* It has come to this stage, at most MAIL_DIARY_STAGE_MAX. */
void mail_diary_worsens(struct mail_diary *diary, const char *name, unsigned stage);
void mail_diary_ends(struct mail_diary *diary, const char *name, int64_t now_unix_ms);

/* When the next is to be mailed; INT64_MAX: nothing is. */
int64_t mail_diary_next(const struct mail_diary *diary, int64_t now_unix_ms);

/* Chooses what a message of this time tells; returns how much that is. */
unsigned mail_diary_choose(struct mail_diary *diary, int64_t now_unix_ms);

struct mail_diary_news {
	const char *name;
	const char *text; /* may be "" of an end */
	bool is_end;
	int64_t since_unix_ms; /* of the begin */
	unsigned begins;       /* since it was mailed last; of an end 0 */
};

/* What was chosen; an alarm may have changed since. */
typedef void mail_diary_each_fn(void *ctx, const struct mail_diary_news *news);
void mail_diary_each(const struct mail_diary *diary, mail_diary_each_fn *each, void *ctx);
/* The message of this time has left, or not. */
void mail_diary_settle(struct mail_diary *diary, bool is_mailed, int64_t now_unix_ms);

/* As it is once the message of this time with what was chosen has left. */
void mail_diary_write(const struct mail_diary *diary, int64_t now_unix_ms, struct buf *ret);
/* Into an empty diary.  What was mailed as standing counts as over from `now` on, until it is
 * raised.
 */
void mail_diary_read(struct mail_diary *diary, const char *text, size_t size, int64_t now_unix_ms);

#endif
