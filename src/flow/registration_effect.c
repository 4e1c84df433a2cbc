#include "flow/registration_effect.h"

struct queue_job *registration_effect_follow(
	struct schedule *schedule, const struct registry_effect *effect, struct schedule_time time)
{
	switch (effect->kind) {
	case REGISTRY_ASLEEP:
		return schedule_sleep(schedule, &effect->key, time);
	case REGISTRY_AWAKE:
		return schedule_wake(schedule, &effect->key, time);
	case REGISTRY_ABSENT:
		return schedule_drop(schedule, &effect->key);
	case REGISTRY_LOST:
		break;
	}
	return schedule_lose(schedule, &effect->key, effect->hash, time);
}
