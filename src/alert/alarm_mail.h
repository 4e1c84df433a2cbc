/*
 * alarm_mail - alarms, their ends, and those that get worse, by mail (mail_diary.h).
 *
 * What comes within ALARM_MAIL_GATHER_MS goes into one message.  Which alarms were mailed is kept
 * in a file, so that a restart tells none again.  A message that the server does not take is tried
 * again, first after a minute, in the end once an hour; meanwhile the alarm `alarm-mail` stands,
 * which is not mailed itself.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_ALERT_ALARM_MAIL_H
#define MAILPUSH_ALERT_ALARM_MAIL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define ALARM_MAIL_GATHER_MS 10000

struct alarm_mail;

/* Where messages go; copied. */
struct alarm_mail_way {
	const char *address; /* mail_text_is_address; "": nothing is sent */
	const char *server;  /* a name or an address */
	uint16_t port;
};

/* Copied. */
struct alarm_mail_settings {
	uv_loop_t *loop;
	struct alarm_mail_way way;
	const char *host; /* what this one is called */
	const char *path; /* the file; its folder must be writable */
};

/* After alarm_start.  Reads the file. */
struct alarm_mail *alarm_mail_new(const struct alarm_mail_settings *settings);
/* Another way from now on.  A message that is on the old one is given up; a test has failed. */
void alarm_mail_set_way(struct alarm_mail *mail, const struct alarm_mail_way *way);
/* Before alarm_stop.  A test that waits fails.  NULL is fine. */
void alarm_mail_free(struct alarm_mail *mail);

/* The clock was set: what is due by the new time is mailed. */
void alarm_mail_clock_set(struct alarm_mail *mail);

/*
 * Sends a message that says it is a test.  `done` is called once, later; `failure` NULL: the server
 * took it.  False: another message is on its way, or there is no address.
 */
typedef void alarm_mail_tested_fn(void *ctx, const char *failure);
bool alarm_mail_test(struct alarm_mail *mail, alarm_mail_tested_fn *done, void *ctx);
/* Nobody waits for the test any more. */
void alarm_mail_forget_test(struct alarm_mail *mail);

#endif
