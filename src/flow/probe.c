#include "flow/probe.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>
#include <sys/queue.h>

#define NOBODY "0000000000000000000000000000000000000000000000000000000000000000"
#define NO_ACCOUNT "00000000-0000-0000-0000-000000000000"

struct probes {
	LIST_HEAD(, probe) waiting; /* for room */
	void (*wanted)(void *ctx);
	void *ctx;
};

struct probe {
	LIST_ENTRY(probe) place; /* unless is_out */
	struct probes *probes;
	struct sender_push push; /* ctx is NULL: it is no flight of the schedule's */
	bool is_out;
	enum probe_turn turn;
	char *topic;
	char payload[256];
	void (*answered)(
		void *ctx, const struct apns_answer *answer, const struct verdict *verdict);
	void *ctx;
};

static void probe_free(struct probe *probe)
{
	free(probe->topic);
	free(probe);
}

struct probes *probes_new(void (*wanted)(void *ctx), void *ctx)
{
	struct probes *probes = mem_alloc_zero(1, sizeof(*probes));
	LIST_INIT(&probes->waiting);
	probes->wanted = wanted;
	probes->ctx = ctx;
	return probes;
}

void probes_free(struct probes *probes)
{
	assert(LIST_EMPTY(&probes->waiting));
	free(probes);
}

struct probe *probe_new(struct probes *probes, const char *topic, enum probe_turn turn,
	void (*answered)(
		void *ctx, const struct apns_answer *answer, const struct verdict *verdict),
	void *ctx)
{
	struct probe *probe = mem_alloc_zero(1, sizeof(*probe));
	probe->probes = probes;
	probe->topic = mem_dup(topic);
	probe->turn = turn;
	probe->answered = answered;
	probe->ctx = ctx;
	LIST_INSERT_HEAD(&probes->waiting, probe, place);
	probes->wanted(probes->ctx);
	return probe;
}

void probe_cancel(struct probe *probe)
{
	probe->answered = NULL;
	if (probe->is_out)
		return;
	LIST_REMOVE(probe, place);
	probe_free(probe);
}

/* Is it taken? */
static bool launch(struct probe *probe, struct sender *sender)
{
	char payload[PAYLOAD_MAX];
	struct sender_push *push = &probe->push;
	push->payload_size = payload_write(payload, NO_ACCOUNT, NULL, 0);
	memcpy(probe->payload, payload, push->payload_size);
	push->payload = probe->payload;
	push->topic = probe->topic;
	push->token = NOBODY;
	push->is_check = true;
	uv_random(NULL, NULL, push->apns_id, sizeof(push->apns_id), 0, NULL);
	probe->is_out = sender_push(sender, push);
	return probe->is_out;
}

void probes_launch(struct probes *probes, struct sender *sender, enum probe_turn turn)
{
	struct probe *next;
	for (struct probe *probe = LIST_FIRST(&probes->waiting); probe; probe = next) {
		next = LIST_NEXT(probe, place);
		if (probe->turn == turn && launch(probe, sender))
			LIST_REMOVE(probe, place);
	}
}

bool probe_is_accepted(const struct apns_answer *answer)
{
	return answer->ending == APNS_ANSWERED &&
		(answer->status == 200 || answer->status == 410 ||
			!strcmp(answer->reason, "BadDeviceToken") ||
			!strcmp(answer->reason, "DeviceTokenNotForTopic"));
}

bool probe_is_refused(const struct verdict *verdict)
{
	return verdict->scope == VERDICT_CREDENTIAL && verdict->action == VERDICT_HOLD;
}

void probe_answered(
	struct sender_push *push, const struct apns_answer *answer, const struct verdict *verdict)
{
	struct probe *probe = MEM_CONTAINER(push, struct probe, push);
	if (probe->answered)
		probe->answered(probe->ctx, answer, verdict);
	probe_free(probe);
}
