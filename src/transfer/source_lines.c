/* One JSON object a line, as `mailpushctl export` writes them. */
#include "base/buf.h"
#include "base/mem.h"
#include "transfer/source.h"

#include <errno.h>
#include <string.h>

struct lines {
	struct source source;
	FILE *file;
	const char *place;
	unsigned long number; /* of the line, from 1 */
	struct buf line;
};

static struct lines *lines_of(struct source *source)
{
	return MEM_CONTAINER(source, struct lines, source);
}

static int open_lines(const struct source_settings *settings, struct source **ret, struct err *err)
{
	(void)err;
	struct lines *lines = mem_alloc_zero(1, sizeof(*lines));
	lines->source.ops = &source_lines_ops;
	lines->file = settings->file;
	lines->place = settings->place;
	buf_init(&lines->line);
	*ret = &lines->source;
	return 0;
}

/* The next line, cut behind SOURCE_OBJECT_MAX; false: there is none. */
static bool read_line(struct lines *lines, bool *ret_is_cut)
{
	int c = 0;
	buf_clear(&lines->line);
	*ret_is_cut = false;
	while ((c = getc(lines->file)) != EOF && c != '\n') {
		char byte = (char)c;
		if (lines->line.used < SOURCE_OBJECT_MAX)
			buf_append(&lines->line, &byte, 1);
		else
			*ret_is_cut = true;
	}
	lines->number++;
	return c != EOF || lines->line.used > 0;
}

static bool is_blank(struct buf *line)
{
	const char *text = buf_text(line);
	return strspn(text, " \t\r") == line->used;
}

static enum source_found next_line(struct source *source, json_t **ret, struct err *err)
{
	struct lines *lines = lines_of(source);
	bool is_cut;
	do {
		if (!read_line(lines, &is_cut)) {
			if (!ferror(lines->file))
				return SOURCE_END;
			err_set(err, -errno, "cannot read %s: %s", lines->place, strerror(errno));
			return SOURCE_FAILED;
		}
	} while (is_blank(&lines->line));
	if (is_cut) {
		err_set(err, -EMSGSIZE, "longer than %d bytes", SOURCE_OBJECT_MAX);
		return SOURCE_REFUSED;
	}
	json_t *json =
		json_loadb(buf_text(&lines->line), lines->line.used, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(json)) {
		json_decref(json);
		err_set(err, -EINVAL, "not a JSON object");
		return SOURCE_REFUSED;
	}
	*ret = json;
	return SOURCE_FOUND;
}

static void where(const struct source *source, char ret[SOURCE_WHERE_MAX])
{
	const struct lines *lines = lines_of((struct source *)source);
	snprintf(ret, SOURCE_WHERE_MAX, "line %lu", lines->number);
}

static const char *no_warning(const struct source *source)
{
	(void)source;
	return NULL;
}

static void close_lines(struct source *source)
{
	struct lines *lines = lines_of(source);
	buf_fini(&lines->line);
	free(lines);
}

const struct source_ops source_lines_ops = {
	.name = "export",
	.open = open_lines,
	.next = next_line,
	.where = where,
	.warning = no_warning,
	.close = close_lines,
};
