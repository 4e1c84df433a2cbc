/*
 * alarm_test - `mailpushctl alarm test`: a message to alarm_mail, and a run of alarm_command, as if
 * an alarm began and ended.
 *
 * Answered when both are through, after ALARM_TEST_WAIT_MS at the latest.  Loop thread only.
 */
#ifndef MAILPUSH_ADMIN_ALARM_TEST_H
#define MAILPUSH_ADMIN_ALARM_TEST_H

#include "loop/http.h"
#include "monitor/services.h"

#define ALARM_TEST_WAIT_MS 20000

void alarm_test(const struct services *services, struct http_request *request, const char *tail);

#endif
