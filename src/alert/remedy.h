/*
 * remedy - what an administrator does about an alarm, in a sentence or two.
 *
 * In short what docs/operations.md (Alarms) says.  Pure.
 */
#ifndef MAILPUSH_ALERT_REMEDY_H
#define MAILPUSH_ALERT_REMEDY_H

/* For an alarm's name, such as "apns:main".  A literal; never NULL. */
const char *remedy_of(const char *alarm);

#endif
