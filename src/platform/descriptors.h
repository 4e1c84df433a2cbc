/*
 * descriptors - how many descriptors this process has open.
 */
#ifndef MAILPUSH_PLATFORM_DESCRIPTORS_H
#define MAILPUSH_PLATFORM_DESCRIPTORS_H

/* -1: this system does not say. */
long descriptors_count(void);

#endif
