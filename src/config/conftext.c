#include "config/conftext.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char byte_order_mark[] = "\xEF\xBB\xBF";

static void close_cleanup(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

enum state { PLAIN, COMMENT, SLASHES, BLOCK, QUOTED, QUOTED_TWICE };

/* Does libconfuse stay inside a word after this byte, so that slashes do not begin a comment? */
static bool is_of_word(uint8_t byte)
{
	return !memchr(" #\"'\t\n\r={}()+,", byte, sizeof(" #\"'\t\n\r={}()+,") - 1);
}

/* The state after the byte `c`, which `next` follows; `before` is the byte before it. */
static enum state follow(enum state state, uint8_t before, uint8_t c, uint8_t next)
{
	switch (state) {
	case PLAIN:
		if (c == '#')
			return COMMENT;
		if (c == '/' && !is_of_word(before) && (next == '/' || next == '*'))
			return next == '/' ? SLASHES : BLOCK;
		return c == '"' ? QUOTED_TWICE : c == '\'' ? QUOTED : PLAIN;
	case COMMENT:
	case SLASHES:
		return c == '\n' ? PLAIN : state;
	case BLOCK:
		return before == '*' && c == '/' ? PLAIN : BLOCK;
	case QUOTED:
	case QUOTED_TWICE:
		break;
	}
	return c == (state == QUOTED ? '\'' : '"') ? PLAIN : state;
}

/* Removes a byte order mark at the beginning, the CR of each CRLF, and comments after a #. */
static void clean(struct buf *text)
{
	size_t mark = strlen(byte_order_mark);
	if (text->used >= mark && !memcmp(text->data, byte_order_mark, mark))
		buf_consume(text, mark);
	enum state state = PLAIN;
	uint8_t before = '\n';
	bool is_taken = false;
	size_t kept = 0;
	for (size_t i = 0; i < text->used; i++) {
		uint8_t c = text->data[i];
		uint8_t next = i + 1 < text->used ? text->data[i + 1] : '\0';
		if (c == '\r' && next == '\n')
			continue;
		/* The byte after a backslash, or after the beginning of a block, has no meaning. */
		bool is_escaped = is_taken || (state >= QUOTED && before == '\\');
		enum state to = is_escaped ? state : follow(state, before, c, next);
		is_taken = state == PLAIN && to == BLOCK;
		before = is_escaped ? '\n' : c;
		state = to;
		if (state != COMMENT)
			text->data[kept++] = c;
	}
	text->used = kept;
}

static unsigned line_of(const uint8_t *data, const uint8_t *at)
{
	unsigned line = 1;
	for (; data < at; data++)
		line += *data == '\n';
	return line;
}

int conftext_take(
	const char *path, const char *bytes, size_t size, struct buf *ret, struct err *err)
{
	const char *nul = size ? memchr(bytes, '\0', size) : NULL;
	if (nul)
		return err_set(err, -EINVAL,
			"%s:%u: holds a NUL byte, as text in UTF-16 does; save the file as UTF-8",
			path, line_of((const uint8_t *)bytes, (const uint8_t *)nul));
	buf_auto struct buf text;
	buf_init(&text);
	buf_append(&text, bytes, size);
	clean(&text);
	buf_append(ret, text.data, text.used);
	return 0;
}

int conftext_read(const char *path, const char *remedy, struct buf *ret, struct err *err)
{
	/* A pipe would make it hang. */
	__attribute__((cleanup(close_cleanup))) int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	if (fd < 0 || fstat(fd, &status))
		return err_set(err, -errno, "%s: cannot open: %s; %s", path, strerror(errno),
			errno == EACCES ? "let the daemon's user read it" : remedy);
	if (!S_ISREG(status.st_mode))
		return err_set(err, -EINVAL, "%s: is not a file; %s", path, remedy);
	if (status.st_size > CONFTEXT_MAX)
		return err_set(err, -EINVAL,
			"%s: is larger than %d bytes: it is not a mailpush.conf; %s", path,
			CONFTEXT_MAX, remedy);
	buf_auto struct buf text;
	buf_init(&text);
	size_t room = (size_t)status.st_size;
	ssize_t n = read(fd, buf_reserve(&text, room), room);
	if (n < 0)
		return err_set(err, -errno, "%s: cannot be read: %s", path, strerror(errno));
	buf_commit(&text, (size_t)n);
	return conftext_take(path, (const char *)text.data, text.used, ret, err);
}

/* A folder that is not there has no files; one that cannot be read is a failure. */
static int on_glob_error(const char *path, int code)
{
	(void)path;
	return code != ENOENT && code != ENOTDIR;
}

int conftext_find(const char *pattern, char ***ret_paths, size_t *ret_count, struct err *err)
{
	glob_t found = {0};
	int failed = glob(pattern, 0, on_glob_error, &found);
	if (failed == GLOB_NOMATCH && strpbrk(pattern, "*?[")) {
		*ret_paths = NULL;
		*ret_count = 0;
		return 0;
	}
	if (failed) {
		globfree(&found);
		return failed == GLOB_NOMATCH
			? err_set(err, -ENOENT,
				  "'%.300s' does not exist; correct the path, or remove the line",
				  pattern)
			: err_set(err, -EACCES,
				  "'%.300s' cannot be looked up; let the daemon's user read the "
				  "folder",
				  pattern);
	}
	if (found.gl_pathc > CONFTEXT_FOUND_MAX) {
		globfree(&found);
		return err_set(err, -EINVAL,
			"'%.300s' names more than %d files; write a pattern of fewer", pattern,
			CONFTEXT_FOUND_MAX);
	}
	*ret_count = found.gl_pathc;
	*ret_paths = mem_alloc_zero(found.gl_pathc, sizeof(**ret_paths));
	for (size_t i = 0; i < found.gl_pathc; i++)
		(*ret_paths)[i] = mem_dup(found.gl_pathv[i]);
	globfree(&found);
	return 0;
}
