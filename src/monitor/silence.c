#include "monitor/silence.h"

#include "arrival/arrivals.h"
#include "monitor/response.h"

#include <string.h>

#define ALARM_ABOUT_MAX 80 /* bytes of the credential's name in that of its alarm */

/* The topic of a credential, and whether any other one of that topic works. */
struct search {
	const char *name;
	const char *topic;
	bool works;
};

static void find_topic(void *ctx, const struct sender_way *way)
{
	struct search *search = ctx;
	if (!strncmp(way->credential->name, search->name, ALARM_ABOUT_MAX))
		search->topic = way->credential->topic;
}

static void find_working(void *ctx, const struct sender_way *way)
{
	struct search *search = ctx;
	if (!strcmp(way->credential->topic, search->topic) && !way->trouble)
		search->works = true;
}

static json_t *phones(const struct services *services, const char *topic)
{
	return json_pack("{so,sI}", "topic", response_text(topic), "phones",
		(json_int_t)queue_waiting_count(services->queue, topic));
}

/* `is_tried`: it connects, and one of the same topic that is in no trouble pushes in its place. */
static json_t *of_credential(const struct services *services, const char *name, bool is_tried)
{
	struct search search = {.name = name};
	sender_each_way(services->sender, find_topic, &search);
	if (search.topic && is_tried)
		sender_each_way(services->sender, find_working, &search);
	return search.topic && !search.works ? phones(services, search.topic) : json_null();
}

static json_t *all_phones(const struct services *services)
{
	struct schedule_counts counts;
	queue_count(services->queue, &counts);
	return json_pack("{sI}", "phones", (json_int_t)counts.waiting);
}

static const char *behind(const char *prefix, const char *text)
{
	size_t size = strlen(prefix);
	return strncmp(text, prefix, size) ? NULL : text + size;
}

json_t *silence_json(const struct services *services, const char *alarm)
{
	const char *tail;
	if ((tail = behind("apns:", alarm)))
		return of_credential(services, tail, true);
	if ((tail = behind("credential:", alarm)))
		return phones(services, tail);
	if ((tail = behind("credential-dates:", alarm)))
		return of_credential(services, tail, false);
	if (!strcmp(alarm, "no-credential"))
		return all_phones(services);
	if (!strcmp(alarm, "registry") || !strcmp(alarm, "registry:frozen"))
		return json_pack("{sI}", "events", (json_int_t)arrivals_parked(services->arrivals));
	if (!strcmp(alarm, "queue"))
		return json_pack("{sI}", "events", (json_int_t)arrivals_count(services->arrivals));
	return json_null();
}
