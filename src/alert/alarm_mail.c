#include "alert/alarm_mail.h"

#include "alert/mail_diary.h"
#include "alert/mail_send.h"
#include "alert/mail_text.h"
#include "base/alarm.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define RETRY_MIN_MS CLOCK_MINUTE_MS
#define RETRY_MAX_MS CLOCK_HOUR_MS
#define LOOK_MS CLOCK_HOUR_MS /* the clock may be set meanwhile */
#define ALARM "alarm-mail"

struct alarm_mail {
	uv_loop_t *loop;
	char *address;
	char *server; /* with its port, for people */
	char *host;
	char *path;
	struct mail_diary *diary;
	struct mail_send *send; /* NULL: there is no address */
	uv_timer_t timer;
	struct random random;
	int64_t look_ms; /* when the timer runs out */
	unsigned failures;
	int64_t composed_unix_ms; /* of the message on its way */
	alarm_mail_tested_fn *tested;
	void *ctx;
};

static void on_timer(uv_timer_t *timer);

static bool may_send(const struct alarm_mail *mail)
{
	return mail->send && !mail_send_is_busy(mail->send);
}

/* Not before `least_ms`. */
static void look_later(struct alarm_mail *mail, int64_t least_ms)
{
	int64_t now_ms = clock_unix_ms();
	int64_t next_ms = mail_diary_next(mail->diary, now_ms);
	int64_t left_ms = next_ms > now_ms ? next_ms - now_ms : 0;
	if (left_ms > LOOK_MS)
		left_ms = LOOK_MS;
	if (left_ms < least_ms)
		left_ms = least_ms;
	mail->look_ms = clock_monotonic_ms() + left_ms;
	uv_timer_start(&mail->timer, on_timer, (uint64_t)left_ms, 0);
}

static void on_alarm(
	void *ctx, enum alarm_change change, const char *name, const char *text, unsigned stage)
{
	struct alarm_mail *mail = ctx;
	int64_t now_ms = clock_unix_ms();
	if (!strcmp(name, ALARM))
		return;
	if (change == ALARM_ENDS)
		mail_diary_ends(mail->diary, name, now_ms);
	else if (change == ALARM_WORSENS)
		mail_diary_worsens(mail->diary, name, stage);
	else if (!mail_diary_stands(mail->diary, name, text, now_ms))
		log_seldom(LOG_LEVEL_WARN, "alarm", "an alarm is not mailed", "",
			"this alarm is not mailed, as too many are active",
			log_text("alarm", name));
	/* One that gathers, or waits to try again, keeps its time. */
	if (may_send(mail) && !mail->failures &&
		mail->look_ms > clock_monotonic_ms() + ALARM_MAIL_GATHER_MS)
		look_later(mail, ALARM_MAIL_GATHER_MS);
}

static void on_sent(void *ctx, const char *failure)
{
	struct alarm_mail *mail = ctx;
	mail_diary_settle(mail->diary, !failure, mail->composed_unix_ms);
	if (failure) {
		alarm_raise(ALARM,
			"alarms cannot be mailed to %s through %s: %s; `mailpushctl alarm test` "
			"tries it",
			mail->address, mail->server, failure);
		look_later(mail,
			backoff_random_ms(
				RETRY_MIN_MS, RETRY_MAX_MS, mail->failures++, &mail->random));
		return;
	}
	mail->failures = 0;
	alarm_clear(ALARM);
	look_later(mail, ALARM_MAIL_GATHER_MS);
}

static struct mail_text_envelope envelope_of(struct alarm_mail *mail)
{
	return (struct mail_text_envelope){.address = mail->address,
		.host = mail->host,
		.now_unix_ms = clock_unix_ms(),
		.id = random_draw(&mail->random)};
}

/* Texts of standing alarms are renewed without a word, as days pass. */
static void on_standing(void *ctx, const char *name, const char *text, int64_t since_unix_ms)
{
	struct alarm_mail *mail = ctx;
	(void)since_unix_ms;
	if (strcmp(name, ALARM) != 0)
		mail_diary_stands(mail->diary, name, text, clock_unix_ms());
}

static void on_timer(uv_timer_t *timer)
{
	struct alarm_mail *mail = timer->data;
	if (!may_send(mail))
		return; /* what ends that looks again */
	const struct mail_text_envelope envelope = envelope_of(mail);
	alarm_each(on_standing, mail);
	if (!mail_diary_choose(mail->diary, envelope.now_unix_ms)) {
		look_later(mail, ALARM_MAIL_GATHER_MS);
		return;
	}
	buf_auto struct buf message;
	buf_auto struct buf record;
	buf_init(&message);
	buf_init(&record);
	mail_text_write(&envelope, mail->diary, &message);
	mail_diary_write(mail->diary, envelope.now_unix_ms, &record);
	mail->composed_unix_ms = envelope.now_unix_ms;
	mail_send_start(mail->send, &message, mail->path, &record, on_sent, mail);
}

static void read_file(struct alarm_mail *mail)
{
	char text[MAIL_DIARY_TEXT_MAX];
	int fd = open(mail->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text));
	if (size < 0 && errno != ENOENT)
		log_event(LOG_LEVEL_WARN, "alarm",
			"cannot read which alarms were mailed; they may be mailed again",
			log_text("file", mail->path), log_text("why", strerror(errno)));
	if (fd >= 0)
		close(fd);
	if (size > 0)
		mail_diary_read(mail->diary, text, (size_t)size, clock_unix_ms());
}

static void open_way(struct alarm_mail *mail, const struct alarm_mail_way *way)
{
	const struct mail_send_settings of_send = {.loop = mail->loop,
		.host = way->server,
		.port = way->port,
		.address = way->address};
	mail->address = mem_dup(way->address);
	mail->server = mem_printf("%s:%u", way->server, way->port);
	mail->send = *way->address ? mail_send_new(&of_send) : NULL;
	look_later(mail, ALARM_MAIL_GATHER_MS);
}

static void close_way(struct alarm_mail *mail)
{
	alarm_mail_tested_fn *tested = mem_steal(mail->tested);
	if (tested)
		tested(mail->ctx, "the settings changed meanwhile; try again");
	mail_send_free(mem_steal(mail->send));
	free(mem_steal(mail->address));
	free(mem_steal(mail->server));
}

struct alarm_mail *alarm_mail_new(const struct alarm_mail_settings *settings)
{
	struct alarm_mail *mail = mem_alloc_zero(1, sizeof(*mail));
	uint8_t seed[RANDOM_SEED_SIZE];
	mail->loop = settings->loop;
	mail->host = mem_dup(settings->host);
	mail->path = mem_dup(settings->path);
	mail->diary = mail_diary_new();
	random_seed(seed);
	random_init(&mail->random, seed);
	uv_timer_init(mail->loop, &mail->timer);
	mail->timer.data = mail;
	read_file(mail);
	alarm_follow(on_alarm, mail);
	open_way(mail, &settings->way);
	return mail;
}

void alarm_mail_set_way(struct alarm_mail *mail, const struct alarm_mail_way *way)
{
	mem_auto char *server = mem_printf("%s:%u", way->server, way->port);
	if (!strcmp(mail->address, way->address) && !strcmp(mail->server, server))
		return;
	close_way(mail);
	mail_diary_settle(mail->diary, false, 0);
	mail->failures = 0;
	alarm_clear(ALARM);
	open_way(mail, way);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void alarm_mail_free(struct alarm_mail *mail)
{
	if (!mail)
		return;
	alarm_follow(NULL, NULL);
	close_way(mail);
	mail_diary_free(mail->diary);
	free(mail->host);
	free(mail->path);
	uv_close((uv_handle_t *)&mail->timer, on_closed);
}

void alarm_mail_clock_set(struct alarm_mail *mail)
{
	if (may_send(mail) && !mail->failures)
		look_later(mail, ALARM_MAIL_GATHER_MS);
}

static void on_test_sent(void *ctx, const char *failure)
{
	struct alarm_mail *mail = ctx;
	alarm_mail_tested_fn *tested = mem_steal(mail->tested);
	if (tested)
		tested(mail->ctx, failure);
	/* It works again: what waits need not wait longer. */
	if (!failure) {
		mail->failures = 0;
		alarm_clear(ALARM);
	}
	look_later(mail, failure && mail->failures ? RETRY_MIN_MS : 0);
}

bool alarm_mail_test(struct alarm_mail *mail, alarm_mail_tested_fn *done, void *ctx)
{
	if (!may_send(mail))
		return false;
	const struct mail_text_envelope envelope = envelope_of(mail);
	buf_auto struct buf message;
	buf_init(&message);
	mail_text_write_test(&envelope, &message);
	mail->tested = done;
	mail->ctx = ctx;
	mail_send_start(mail->send, &message, NULL, NULL, on_test_sent, mail);
	return true;
}

void alarm_mail_forget_test(struct alarm_mail *mail)
{
	mail->tested = NULL;
}
