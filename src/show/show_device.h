/*
 * show_device - registrations as text: one with all that is known of it, and the tables of them.
 */
#ifndef MAILPUSH_SHOW_SHOW_DEVICE_H
#define MAILPUSH_SHOW_SHOW_DEVICE_H

#include <jansson.h>
#include <stdbool.h>

#define SHOW_DEVICE_KEY_WHOLE 32 /* characters of a key */
#define SHOW_DEVICE_KEY 12	 /* of them, in tables */

void show_device(const json_t *device);
void show_device_list(const json_t *devices, bool has_head);
void show_device_forgotten(const json_t *forgotten, bool has_head);

#endif
