/*
 * verdict - what Apple's answer to a push means, and what follows from it.
 *
 * Classified by (status, reason), never by status alone: 400 and 403 mix "this token", "this
 * request" and "our configuration" (APNS.md section 1.1, from Apple's "Handling notification
 * responses from APNs"). A reason that the table lacks under that status counts as none.  A status
 * that it lacks counts as its class (RFC 9110 15); a status without such a class, or a redirection,
 * counts as a failing service.  An answer of Apple is not an error.  Pure: one table, tested row by
 * row.
 */
#ifndef MAILPUSH_APNS_VERDICT_H
#define MAILPUSH_APNS_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#define VERDICT_REASON_MAX 48
#define VERDICT_DOUBTED_RETRY_MS (5 * 60 * 1000)
#define VERDICT_RETRY_AFTER_MAX_MS (24 * 60 * 60 * 1000) /* a longer wait is cut to this */

/* How a push ended. */
enum apns_ending {
	APNS_ANSWERED,	    /* status and reason count */
	APNS_NOT_PROCESSED, /* REFUSED_STREAM, or beyond a GOAWAY's last stream: safe to send again
			       at once */
	APNS_LOST,	    /* reset, closed connection: nobody knows */
	APNS_SILENT,	    /* no answer within the deadline: nobody knows */
};

struct apns_answer {
	enum apns_ending ending;
	int status;
	char reason[VERDICT_REASON_MAX]; /* "" when there was none, or the body did not parse */
	int64_t timestamp_unix_ms;	 /* of a 410's body; 0: none */
	int64_t retry_after_ms;		 /* -1: none */
	int64_t retry_at_unix_ms;	 /* the same given as a date; 0: none */
	/*
	 * Its credential or provider token has been replaced since it was sent: Apple's complaint
	 * about that does not count, and the push is sent again with the new one.
	 */
	bool is_outdated;
};

enum verdict_scope {
	VERDICT_TOKEN,
	VERDICT_REQUEST,    /* our bug in one push */
	VERDICT_CREDENTIAL, /* all pushes with this credential fail */
	VERDICT_SERVICE,
};

enum verdict_action {
	VERDICT_DONE,	/* settled: Apple accepted the push */
	VERDICT_FORGET, /* the registration is forgotten, if not renewed since forget_before */
	VERDICT_STOP,	/* the registration is stopped until the phone registers again */
	VERDICT_DROP,	/* the push is discarded, with an error in the log */
	VERDICT_RETRY, /* retried after delay_ms, or with the schedule's own back-off if negative */
	/*
	 * Held.  Scope credential: all its pushes wait; alarm; slow probes.  Scope token: this push
	 * waits for delay_ms; alarm, as our host or certificate may be wrong.
	 */
	VERDICT_HOLD,
};

struct verdict {
	enum verdict_action action;
	enum verdict_scope scope;
	/*
	 * RETRY, HOLD; 0: at once; negative: schedule's back-off.  A failure that counts is retried
	 * at once only the first time, to spare a server that keeps failing. Retry-After takes the
	 * place of the back-off, up to VERDICT_RETRY_AFTER_MAX_MS.
	 */
	int64_t delay_ms;
	bool counts;		 /* RETRY: an attempt */
	bool replace_connection; /* no new pushes on this connection */
	/* FORGET, STOP: only if renewed before; never later than the push was sent. */
	int64_t forget_before_unix_ms;
	bool is_proven; /* for the sender: this credential got a 200 lately, perhaps for this push
			 */
};

struct verdict_context {
	bool is_proven;	      /* this credential and host got a 200 within the last 24 h */
	int64_t sent_unix_ms; /* when the push was sent */
	int64_t now_unix_ms;
	unsigned attempts; /* how often it has failed before */
};

struct verdict verdict_of(const struct apns_answer *answer, const struct verdict_context *context);

/*
 * Does this reason of a GOAWAY, which has no status, mean under some status that our credential is
 * refused?  False for an empty or unknown reason, which may concern the server.
 */
bool verdict_is_refusal(const char *goaway_reason);

/* What an administrator should do about a refused credential; `reason` may be "" or unknown. */
const char *verdict_remedy(const char *reason);

#endif
