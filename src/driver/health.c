#include "driver/health.h"

#include <stdio.h>

void health_init(struct health *health)
{
	*health = (struct health){0};
	pthread_mutex_init(&health->lock, NULL);
}

void health_fini(struct health *health)
{
	pthread_mutex_destroy(&health->lock);
}

static void enter(struct registry_health *last, bool is_away, int64_t now_ms)
{
	if (!last->since_ms || last->is_away != is_away)
		last->since_ms = now_ms;
	last->is_away = is_away;
}

void health_answered(struct health *health, int64_t now_ms, int64_t batch_us,
	const struct registry_description *description)
{
	pthread_mutex_lock(&health->lock);
	enter(&health->last, false, now_ms);
	health->last.description = *description;
	health->last.batch_us = batch_us;
	health->last.next_try_ms = 0;
	pthread_mutex_unlock(&health->lock);
}

void health_failed(struct health *health, int64_t now_ms, int64_t next_try_ms, const char *text)
{
	pthread_mutex_lock(&health->lock);
	enter(&health->last, true, now_ms);
	snprintf(health->last.error, sizeof(health->last.error), "%s", text);
	health->last.error_ms = now_ms;
	health->last.next_try_ms = next_try_ms;
	pthread_mutex_unlock(&health->lock);
}

void health_read(struct health *health, struct registry_health *ret)
{
	pthread_mutex_lock(&health->lock);
	*ret = health->last;
	pthread_mutex_unlock(&health->lock);
}
