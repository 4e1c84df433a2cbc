#include "driver/failure.h"

#include <errno.h>

enum failure failure_of(int code)
{
	switch (code) {
	case -EAGAIN:
	case -EEXIST:
		return FAILURE_CONFLICT;
	case -EILSEQ:
		return FAILURE_BAD_JOB;
	case -EPROTO:
		return FAILURE_UNKNOWN;
	case -EACCES:
	case -ENOTSUP:
		return FAILURE_FATAL;
	default:
		return FAILURE_AWAY;
	}
}

int failure_before_jobs(int code)
{
	if (code == -EEXIST)
		return -EAGAIN;
	enum failure failure = failure_of(code);
	return failure == FAILURE_UNKNOWN || failure == FAILURE_BAD_JOB ? -EIO : code;
}

bool failure_is_open(int code)
{
	enum failure failure = failure_of(code);
	return failure == FAILURE_AWAY || failure == FAILURE_UNKNOWN;
}
