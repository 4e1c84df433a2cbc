#include "credential/secret.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1024 * 1024)
#define OTHERS (S_IROTH | S_IWOTH)
#define MARK "\xef\xbb\xbf" /* some editors put it before text in UTF-8 */

static void close_cleanup(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

void secret_fini(struct secret *secret)
{
	if (secret->bytes)
		OPENSSL_cleanse(secret->bytes, secret->size);
	free(secret->bytes);
	*secret = (struct secret){0};
}

int secret_read(
	const char *what, const char *path, const char *wanted, struct secret *ret, struct err *err)
{
	/* A pipe would make it hang. */
	__attribute__((cleanup(close_cleanup))) int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_set(err, -errno, "cannot read %s '%s': %s; %s", what, path,
			strerror(errno),
			errno == EACCES ? "let the daemon's user read it" : "check the path");
	struct stat status;
	if (fstat(fd, &status) < 0)
		return err_set(err, -errno, "cannot read %s '%s': %s", what, path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return err_set(err, -EINVAL, "%s '%s' is not a file; %s", what, path, wanted);
	if (status.st_size > FILE_MAX)
		return err_set(err, -EFBIG, "%s '%s' has more than %d bytes; %s", what, path,
			FILE_MAX, wanted);

	struct secret secret_auto secret = {
		.bytes = mem_alloc((size_t)status.st_size + 1),
		.is_exposed = status.st_mode & OTHERS,
	};
	while (secret.size < (size_t)status.st_size) {
		ssize_t n =
			read(fd, secret.bytes + secret.size, (size_t)status.st_size - secret.size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, -errno, "cannot read %s '%s': %s", what, path,
				strerror(errno));
		if (n == 0)
			break;
		secret.size += (size_t)n;
	}
	secret.bytes[secret.size] = '\0';
	*ret = secret;
	secret.bytes = NULL;
	return 0;
}

int secret_read_text(
	const char *what, const char *path, const char *wanted, struct secret *ret, struct err *err)
{
	struct secret secret_auto secret = {0};
	size_t mark = sizeof(MARK) - 1;
	int r = secret_read(what, path, wanted, &secret, err);
	if (r < 0)
		return r;
	if (secret.size >= mark && memcmp(secret.bytes, MARK, mark) == 0) {
		secret.size -= mark;
		memmove(secret.bytes, secret.bytes + mark, secret.size);
		OPENSSL_cleanse(secret.bytes + secret.size, mark);
	}
	*ret = secret;
	secret.bytes = NULL;
	return 0;
}

int secret_read_passphrase(const char *path, struct secret *ret, struct err *err)
{
	struct secret secret_auto secret = {0};
	int r = secret_read_text("passphrase file", path,
		"give the path of a file with the passphrase in its first line", &secret, err);
	if (r < 0)
		return r;
	size_t line = strcspn(secret.bytes, "\r\n");
	if (line && line + strspn(secret.bytes + line, "\r\n") < secret.size)
		return err_set(err, -EINVAL,
			"passphrase file '%s' has more than one line; its first line is the "
			"passphrase, and nothing may follow",
			path);
	OPENSSL_cleanse(secret.bytes + line, secret.size - line);
	secret.size = line;
	*ret = secret;
	secret.bytes = NULL;
	return 0;
}
