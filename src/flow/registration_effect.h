/*
 * registration_effect - what waits for a registration follows what the registry did to it.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_FLOW_REGISTRATION_EFFECT_H
#define MAILPUSH_FLOW_REGISTRATION_EFFECT_H

#include "queue/schedule.h"
#include "registry/registry.h"

/* The job to be stored; NULL: nothing that waits is concerned. */
struct queue_job *registration_effect_follow(
	struct schedule *schedule, const struct registry_effect *effect, struct schedule_time time);

#endif
