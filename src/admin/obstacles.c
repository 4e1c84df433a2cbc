#include "admin/obstacles.h"

#include "base/mem.h"
#include "monitor/held_credential.h"
#include "monitor/response.h"

#include <string.h>

enum why { NONE, SUSPENDED, IN_FLIGHT, NO_CREDENTIAL, HELD, TROUBLE };

static const struct {
	const char *name;
	const char *meaning; /* NULL: the trouble says it */
} words[] = {
	[SUSPENDED] = {"suspended",
		"the account was deleted; they wait until an event shows that it is back"},
	[IN_FLIGHT] = {"in_flight", "Apple has them and has not answered yet"},
	[NO_CREDENTIAL] = {"no_credential",
		"there is no credential for their topic; add its certificate to mailpush.conf"},
	[HELD] = {"held", NULL},
	[TROUBLE] = {"trouble", NULL},
};

struct obstacle {
	enum why why;
	char *topic;   /* NULL: any */
	char *meaning; /* NULL: the one in `words` */
	uint64_t count;
};

void obstacles_fini(struct obstacles *obstacles)
{
	for (size_t i = 0; i < obstacles->count; i++) {
		free(obstacles->all[i].topic);
		free(obstacles->all[i].meaning);
	}
	free(obstacles->all);
}

/* The credentials of a topic: one that works is enough. */
struct search {
	const char *topic;
	enum why why;
	bool works;
	char text[ERR_TEXT_MAX];
};

static void on_way(void *ctx, const struct sender_way *way)
{
	struct search *search = ctx;
	if (strcmp(way->credential->topic, search->topic) != 0)
		return;
	if (!way->trouble) {
		search->works = true;
		return;
	}
	search->why = way->is_held ? HELD : TROUBLE;
	strncpy(search->text, way->trouble, sizeof(search->text) - 1);
}

static void search_way(const struct services *services, struct search *search)
{
	if (!sender_has_credential(services->sender, search->topic)) {
		search->why = NO_CREDENTIAL;
		return;
	}
	sender_each_way(services->sender, on_way, search);
	if (search->works)
		search->why = NONE;
}

static void count(struct obstacles *obstacles, enum why why, const char *topic, const char *meaning)
{
	for (size_t i = 0; i < obstacles->count; i++) {
		struct obstacle *obstacle = &obstacles->all[i];
		if (obstacle->why == why && (!topic || !strcmp(obstacle->topic, topic))) {
			obstacle->count++;
			return;
		}
	}
	obstacles->all =
		mem_realloc_array(obstacles->all, obstacles->count + 1, sizeof(*obstacles->all));
	obstacles->all[obstacles->count++] = (struct obstacle){
		.why = why,
		.topic = topic ? mem_dup(topic) : NULL,
		.meaning = meaning ? mem_dup(meaning) : NULL,
		.count = 1,
	};
}

bool obstacles_add(struct obstacles *obstacles, const struct services *services,
	const struct push_target *target, const char *state)
{
	if (!strcmp(state, "suspended") || !strcmp(state, "flying")) {
		count(obstacles, *state == 's' ? SUSPENDED : IN_FLIGHT, NULL, NULL);
		return true;
	}
	struct search search = {.topic = target->topic};
	search_way(services, &search);
	if (search.why == NONE)
		return false;
	count(obstacles, search.why, target->topic, *search.text ? search.text : NULL);
	return true;
}

json_t *obstacles_json(const struct obstacles *obstacles, const struct services *services)
{
	json_t *list = json_array();
	for (size_t i = 0; i < obstacles->count; i++) {
		const struct obstacle *obstacle = &obstacles->all[i];
		const char *meaning =
			obstacle->meaning ? obstacle->meaning : words[obstacle->why].meaning;
		json_t *json = json_pack("{ss,sI,so,so}", "why", words[obstacle->why].name, "count",
			(json_int_t)obstacle->count, "topic",
			obstacle->topic ? response_text(obstacle->topic) : json_null(), "meaning",
			response_text(meaning ? meaning : ""));
		if (obstacle->why == HELD)
			held_credential_name(services, obstacle->topic, json);
		json_array_append_new(list, json);
	}
	return list;
}
