/*
 * failure - what the failure of a database means for what is done next.
 *
 * A driver says it by the errno that a function of ops.h returns, from commit too.  Pure.
 */
#ifndef MAILPUSH_DRIVER_FAILURE_H
#define MAILPUSH_DRIVER_FAILURE_H

#include <stdbool.h>

enum failure {
	/* -EPROTO: the server answers with an error that the driver does not know.  Again after
	   pauses, as if it were away; after some failures in a row as a bad job, as it may be of
	   one job alone, such as a row that cannot be read, or a rule of the administrator's. */
	FAILURE_UNKNOWN,
	/* Any other errno.  Again after pauses that grow; an alarm after some seconds. */
	FAILURE_AWAY,
	/* -EAGAIN: another transaction was in the way.  Again at once, quietly, counted.  -EEXIST:
	   the same, as another made the same row; after many in a row as a bad job, as it may be a
	   rule of the administrator's that one job breaks. */
	FAILURE_CONFLICT,
	/* -EILSEQ: it does not take what a job says, and never will.  The batch is halved until
	   that job stands alone; it is set aside with an alarm, and the others go on. */
	FAILURE_BAD_JOB,
	/* -EACCES, -ENOTSUP: rights are missing, or the schema is another one.  Again after a long
	   pause, as somebody has to mend it; an alarm at once. */
	FAILURE_FATAL,
};

/* `code`: not 0. */
enum failure failure_of(int code);
/* Instead of a code that may be a job's fault, if no job has had a part in it yet: as if the
   database were away, or another transaction in the way.  Other codes stay. */
int failure_before_jobs(int code);
/* Of a commit: may it have been one all the same?  The answer was lost, or is not understood. */
bool failure_is_open(int code);

#endif
