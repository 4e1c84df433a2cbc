/*
 * answer - the answer on a dlist connection: OK () or NO "reason" (EVENTS.md 2b).
 *
 * Pure but for the send, which never waits.
 */
#ifndef MAILPUSH_INTAKE_ANSWER_H
#define MAILPUSH_INTAKE_ANSWER_H

/*
 * `reason` NULL: OK ().  Else NO and the reason, cut, with characters replaced that a quoted string
 * cannot have.
 */
void answer_send(int fd, const char *reason);

#endif
