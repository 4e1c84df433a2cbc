#include "flow/registration_effect.h"

struct queue_job *registration_effect_follow(
	struct schedule *schedule, const struct registry_effect *effect, struct schedule_time time)
{
	switch (effect->kind) {
	case REGISTRY_EFFECT_SUSPENDED:
		return schedule_suspend(schedule, &effect->key, time);
	case REGISTRY_EFFECT_RESUMED:
		return schedule_resume(schedule, &effect->key, time);
	case REGISTRY_EFFECT_ABSENT:
		return schedule_drop(schedule, &effect->key);
	case REGISTRY_EFFECT_LOST:
		break;
	}
	return schedule_lose(schedule, &effect->key, effect->hash, time);
}
