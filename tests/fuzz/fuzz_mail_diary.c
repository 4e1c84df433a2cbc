/* A diary of any bytes: what is read is written in the same way, and is told as over. */
#include "alert/mail_diary.h"

#include "fuzz.h"

#include <assert.h>
#include <string.h>

#define NOW INT64_C(1790000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mail_diary *first = mail_diary_new();
	struct mail_diary *second = mail_diary_new();
	struct buf once;
	struct buf twice;
	buf_init(&once);
	buf_init(&twice);
	mail_diary_read(first, (const char *)data, size, NOW);
	mail_diary_write(first, NOW, &once);
	assert(once.used <= MAIL_DIARY_TEXT_MAX);
	mail_diary_read(second, buf_text(&once), once.used, NOW);
	mail_diary_write(second, NOW, &twice);
	assert(once.used == twice.used && !memcmp(buf_text(&once), buf_text(&twice), once.used));
	assert(mail_diary_next(first, NOW) >= NOW);
	mail_diary_choose(first, NOW + MAIL_DIARY_SETTLE_MS);
	mail_diary_settle(first, true, NOW + MAIL_DIARY_SETTLE_MS);
	buf_fini(&once);
	buf_fini(&twice);
	mail_diary_free(first);
	mail_diary_free(second);
	return 0;
}
