/*
 * answer - what the peer of a dlist connection is told: OK () or NO "reason" (EVENTS.md 2b).
 *
 * Pure but for the send, which never waits.
 */
#ifndef MAILPUSH_INTAKE_ANSWER_H
#define MAILPUSH_INTAKE_ANSWER_H

/* `reason` NULL: OK ().  Else NO, with what cannot stand in a quoted string replaced, and cut. */
void answer_send(int fd, const char *reason);

#endif
