/*
 * answer - the answer on a dlist connection: OK () or NO "reason" (EVENTS.md 2b).
 *
 * Pure except for the send, which never waits.
 */
#ifndef MAILPUSH_INTAKE_ANSWER_H
#define MAILPUSH_INTAKE_ANSWER_H

/*
 * `reason` NULL: OK ().  Otherwise NO and the reason, cut, without the characters that a quoted
 * string cannot have.
 */
void answer_send(int fd, const char *reason);

#endif
