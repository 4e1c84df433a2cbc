#include "alert/mail_text.h"

#include "alert/remedy.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define ATEXT LETTERS_AND_DIGITS "!#$%&'*+-/=?^_`{|}~"
#define LOCAL_MAX 64
#define WIDTH 72
#define LINE_MAX_BYTES 900 /* RFC 5321 4.5.3.1.6 allows 998 */

struct count {
	unsigned begins;
	unsigned ends;
	const char *name; /* of the first */
};

/* Atoms with dots between them. */
static bool is_dotted(const char *text, size_t size, const char *allowed)
{
	for (size_t i = 0; i < size; i++) {
		bool is_edge = i == 0 || i + 1 == size || text[i - 1] == '.';
		if (text[i] == '.' ? is_edge : !strchr(allowed, text[i]))
			return false;
	}
	return size > 0;
}

bool mail_text_is_address(const char *text)
{
	const char *at = strchr(text, '@');
	if (!at || strlen(text) > MAIL_TEXT_ADDRESS_MAX)
		return false;
	size_t local = (size_t)(at - text);
	return local <= LOCAL_MAX && is_dotted(text, local, ATEXT) &&
		is_dotted(at + 1, strlen(at + 1), LETTERS_AND_DIGITS "-");
}

static void append_host(struct buf *to, const char *host)
{
	size_t before = to->used;
	for (const char *c = host; *c && to->used - before < 255; c++)
		if (strchr(LETTERS_AND_DIGITS ".-_", *c))
			buf_append(to, c, 1);
	if (to->used == before)
		buf_append_text(to, "localhost");
}

static void append_printable(struct buf *to, const char *text, size_t most)
{
	for (const char *c = text; *c && most--; c++)
		buf_append(to, *c > ' ' && *c < 0x7f ? c : "?", 1);
}

/* In UTC, as in the log; strftime's names of days and months would follow the locale. */
static void append_date(struct buf *to, int64_t unix_ms)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = (time_t)(unix_ms / CLOCK_SECOND_MS);
	struct tm tm = {0};
	gmtime_r(&seconds, &tm);
	buf_printf(to, "Date: %.3s, %d %.3s %d %02d:%02d:%02d +0000\r\n", days + 3 * tm.tm_wday,
		tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		tm.tm_sec);
}

static void append_minute(struct buf *to, int64_t unix_ms)
{
	time_t seconds = (time_t)(unix_ms / CLOCK_SECOND_MS);
	struct tm tm = {0};
	gmtime_r(&seconds, &tm);
	buf_printf(to, "%04d-%02d-%02d %02d:%02d UTC", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		tm.tm_hour, tm.tm_min);
}

/* One paragraph, indented, in lines of WIDTH; a longer word gets a line of its own. */
static void append_paragraph(struct buf *to, const char *text)
{
	size_t column = 0;
	while (*text) {
		text += strspn(text, " \t\r\n");
		size_t size = strcspn(text, " \t\r\n");
		size = size > LINE_MAX_BYTES ? LINE_MAX_BYTES : size;
		if (!size)
			break;
		if (column && column + 1 + size > WIDTH) {
			buf_append_text(to, "\r\n");
			column = 0;
		}
		buf_append_text(to, column ? " " : "  ");
		column += size + (column ? 1 : 2);
		for (size_t i = 0; i < size; i++) {
			unsigned char c = (unsigned char)text[i];
			buf_append(to, c < ' ' || c == 0x7f ? "?" : &text[i], 1);
		}
		text += size;
	}
	buf_append_text(to, "\r\n");
}

static void begin_header(struct buf *to, const struct mail_text_envelope *envelope)
{
	append_date(to, envelope->now_unix_ms);
	buf_append_text(to, "From: \"mailpush on ");
	append_host(to, envelope->host);
	buf_printf(to, "\" <%s>\r\nTo: <%s>\r\nMessage-ID: <%" PRId64 ".%016" PRIx64 ".mailpush@",
		envelope->address, envelope->address, envelope->now_unix_ms, envelope->id);
	append_host(to, envelope->host);
	buf_append_text(to,
		">\r\n"
		"Auto-Submitted: auto-generated\r\n"
		"MIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n"
		"Content-Transfer-Encoding: 8bit\r\n"
		"Subject: mailpush on ");
	append_host(to, envelope->host);
	buf_append_text(to, ": ");
}

static void on_count(void *ctx, const struct mail_diary_news *news)
{
	struct count *count = ctx;
	if (!count->name)
		count->name = news->name;
	count->begins += !news->is_end;
	count->ends += news->is_end;
}

static void append_subject(struct buf *to, const struct count *count)
{
	if (count->begins + count->ends == 1) {
		append_printable(to, count->name, 100);
		buf_append_text(to, count->ends ? " is over" : "");
		return;
	}
	if (count->begins)
		buf_printf(to, "%u alarm%s", count->begins, count->begins == 1 ? "" : "s");
	if (count->ends)
		buf_printf(to, "%s%u %s over", count->begins ? ", " : "", count->ends,
			count->ends == 1 ? "is" : "are");
}

static void on_news(void *ctx, const struct mail_diary_news *news)
{
	struct buf *to = ctx;
	append_printable(to, news->name, 100);
	if (news->is_end) {
		buf_append_text(to, " is over\r\n");
	} else {
		buf_append_text(to, ", since ");
		append_minute(to, news->since_unix_ms);
		if (news->begins > 1)
			buf_printf(to, ", begun %u times since the last message", news->begins);
		buf_append_text(to, "\r\n");
	}
	if (*news->text) {
		buf_append_text(to, news->is_end ? "  It was:\r\n" : "");
		append_paragraph(to, news->text);
	}
	if (!news->is_end) {
		buf_append_text(to, "\r\n  What to do:\r\n");
		append_paragraph(to, remedy_of(news->name));
	}
	buf_append_text(to, "\r\n");
}

void mail_text_write(
	const struct mail_text_envelope *envelope, const struct mail_diary *diary, struct buf *ret)
{
	struct count count = {0};
	mail_diary_each(diary, on_count, &count);
	begin_header(ret, envelope);
	append_subject(ret, &count);
	buf_append_text(ret, "\r\n\r\n");
	mail_diary_each(diary, on_news, ret);
	buf_append_text(ret,
		"-- \r\n"
		"`mailpushctl status` shows the active alarms, `mailpushctl doctor` examines\r\n"
		"the site.  Of each alarm, the begin and the end are mailed once a day at "
		"most.\r\n");
}

void mail_text_write_test(const struct mail_text_envelope *envelope, struct buf *ret)
{
	begin_header(ret, envelope);
	buf_append_text(ret,
		"a test\r\n\r\n"
		"`mailpushctl alarm test` was run.  Alarms of this mailpushd come the same "
		"way.\r\n");
}
