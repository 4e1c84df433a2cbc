/*
 * spoolfile - the content of the spool folder: the contract between mailpush-notify, which writes
 * it, and spool.c, which reads it.
 *
 * A file is one notification: a dlist request (dlist.h), the very bytes that would have gone to the
 * stream socket, with RECEIVED, and nothing after it.  Its name is SPOOLFILE_NAME_FORMAT of a
 * number and the writer's pid; the order of events is the order of the names' bytes.  It gets that
 * name by rename, when it is complete.
 *
 * The number is the time in microseconds, or the last one given out and one more if that is
 * greater: so a clock that is set back does not reverse the order.  Names that begin with a dot are
 * not events.
 */
#ifndef MAILPUSH_INTAKE_SPOOLFILE_H
#define MAILPUSH_INTAKE_SPOOLFILE_H

#define SPOOLFILE_NAME_FORMAT "%016lld.%ld"
#define SPOOLFILE_NAME_SIZE 64

#define SPOOLFILE_TEMPORARY ".tmp-" /* before the name, while it is being written */
#define SPOOLFILE_NUMBER ".number"  /* the last number given out; locked while one is */
#define SPOOLFILE_SILENT ".silent"  /* its time of change: when the daemon last gave no answer */
#define SPOOLFILE_BAD "bad"	    /* folder for rejected files */
#define SPOOLFILE_DIR_MODE 02770    /* its group is a group of Cyrus' user */
#define SPOOLFILE_MODE 0640	    /* device tokens are private */

#endif
