/*
 * show - mailpushd's answers, as text for people.
 */
#ifndef MAILPUSH_CTL_SHOW_H
#define MAILPUSH_CTL_SHOW_H

#include <jansson.h>
#include <stdbool.h>

void show_status(const json_t *status);
void show_devices(const json_t *devices, bool has_head);
void show_forgotten(const json_t *forgotten, bool has_head);
void show_device(const json_t *device);
void show_queue(const json_t *pushes, bool has_head);
void show_flushed(const json_t *answer);
void show_event(const json_t *event);
void show_config(const json_t *config);
void show_push(const json_t *answer);
void show_credentials(const json_t *answer);

/* Did Apple accept every push of the test? */
bool show_is_pushed(const json_t *answer);
/* At least one, and none that fails. */
bool show_are_credentials_fine(const json_t *answer);

#endif
