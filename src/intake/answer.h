/*
 * answer - the answer on a dlist connection: OK () or NO "reason" (EVENTS.md 2b), and OK "text" for
 * Dovecot's plugin (docs/dovecot-events.md).
 *
 * Pure except for the send, which never waits.
 */
#ifndef MAILPUSH_INTAKE_ANSWER_H
#define MAILPUSH_INTAKE_ANSWER_H

/*
 * `status` 0: OK () or, with a text, OK "text".  Otherwise NO "text".  The text is cut, without the
 * characters that a quoted string cannot have.
 */
void answer_send(int fd, int status, const char *text);

#endif
