#include "daemon/conftext.h"

#include <errno.h>
#include <fcntl.h>
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

/* Takes a byte order mark at the beginning and the CR of each CRLF out. */
static void clean(struct buf *text)
{
	size_t mark = strlen(byte_order_mark);
	if (text->used >= mark && !memcmp(text->data, byte_order_mark, mark))
		buf_consume(text, mark);
	size_t kept = 0;
	for (size_t i = 0; i < text->used; i++) {
		bool is_crlf =
			text->data[i] == '\r' && i + 1 < text->used && text->data[i + 1] == '\n';
		if (!is_crlf)
			text->data[kept++] = text->data[i];
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

int conftext_read(const char *path, struct buf *ret, struct err *err)
{
	/* Not to hang on a pipe that somebody put there. */
	__attribute__((cleanup(close_cleanup))) int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	if (fd < 0 || fstat(fd, &status))
		return err_set(err, -errno, "%s: cannot open: %s; %s", path, strerror(errno),
			errno == EACCES ? "let the daemon's user read it"
					: "give the path with -c");
	if (!S_ISREG(status.st_mode))
		return err_set(err, -EINVAL, "%s: is no file; give the path with -c", path);
	if (status.st_size > CONFTEXT_MAX)
		return err_set(err, -EINVAL,
			"%s: is larger than %d bytes: it is no mailpush.conf; give the path "
			"with -c",
			path, CONFTEXT_MAX);
	buf_auto struct buf text;
	buf_init(&text);
	ssize_t n = read(fd, buf_reserve(&text, CONFTEXT_MAX), CONFTEXT_MAX);
	if (n < 0)
		return err_set(err, -errno, "%s: cannot be read: %s", path, strerror(errno));
	buf_commit(&text, (size_t)n);
	const uint8_t *nul = memchr(text.data, '\0', text.used);
	if (nul)
		return err_set(err, -EINVAL,
			"%s:%u: holds a NUL byte, as text in UTF-16 does; save the file as UTF-8",
			path, line_of(text.data, nul));
	clean(&text);
	buf_append(ret, text.data, text.used);
	return 0;
}
