/*
 * show - answers of mailpushd as text for people, other than its state and registrations.
 */
#ifndef MAILPUSH_SHOW_SHOW_H
#define MAILPUSH_SHOW_SHOW_H

#include <jansson.h>
#include <stdbool.h>

/* As it came; `is_line`: on one line. */
void show_json(const json_t *json, bool is_line);
void show_queue(const json_t *pushes, bool has_head);
void show_removed(const json_t *answer);
void show_changed(const json_t *answer);
void show_pruned(const json_t *answer);
void show_log_level(const json_t *answer);
void show_event(const json_t *event);
void show_config(const json_t *config);
void show_push(const json_t *answer);
void show_alarm_test(const json_t *answer);
void show_credentials(const json_t *answer);

/* Did Apple accept every push of the test? */
bool show_is_pushed(const json_t *answer);
/* Did all that is configured work? */
bool show_is_alarm_test_fine(const json_t *answer);
/* At least one, and none that fails. */
bool show_are_credentials_fine(const json_t *answer);

#endif
