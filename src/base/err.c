#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *format, ...)
{
	assert(code < 0);
	va_list args;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return code;
}

int err_prefix(struct err *err, int code, const char *format, ...)
{
	assert(code < 0);
	char before[ERR_TEXT_MAX];
	memcpy(before, err->text, sizeof(before));

	va_list args;
	va_start(args, format);
	int n = vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(err->text))
		return code;
	size_t used = (size_t)n;
	size_t room = sizeof(err->text) - used;
	int m = snprintf(err->text + used, room, ": %s", before);
	if (m < 0)
		err->text[used] = '\0';
	return code;
}

bool err_is_of_disk(int code)
{
	switch (code) {
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
	case -EROFS:
	case -EACCES:
	case -EPERM:
	case -EIO:
		return true;
	default:
		return false;
	}
}
