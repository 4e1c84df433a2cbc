#include "flow/probe.h"

#include "base/mem.h"
#include "flow/delivery.h"

#include <string.h>

#define NOBODY "0000000000000000000000000000000000000000000000000000000000000000"
#define NO_ACCOUNT "00000000-0000-0000-0000-000000000000"

struct probe {
	struct probe *next; /* waits for room */
	struct core *core;
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

struct probe *probe_new(struct core *core, const char *topic, enum probe_turn turn,
	void (*answered)(
		void *ctx, const struct apns_answer *answer, const struct verdict *verdict),
	void *ctx)
{
	struct probe *probe = mem_alloc_zero(1, sizeof(*probe));
	probe->core = core;
	probe->topic = mem_dup(topic);
	probe->turn = turn;
	probe->answered = answered;
	probe->ctx = ctx;
	probe->next = core->probes;
	core->probes = probe;
	delivery_wake(core->delivery);
	return probe;
}

void probe_cancel(struct probe *probe)
{
	probe->answered = NULL;
	if (probe->is_out)
		return;
	struct probe **at = &probe->core->probes;
	while (*at != probe)
		at = &(*at)->next;
	*at = probe->next;
	probe_free(probe);
}

/* Is it taken? */
static bool launch(struct probe *probe)
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
	probe->is_out = sender_push(probe->core->sender, push);
	return probe->is_out;
}

void probe_launch(struct core *core, enum probe_turn turn)
{
	struct probe **at = &core->probes;
	while (*at) {
		struct probe *probe = *at;
		if (probe->turn == turn && launch(probe))
			*at = probe->next;
		else
			at = &probe->next;
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
	if (probe_is_refused(verdict))
		delivery_hold(probe->core, probe->topic, answer);
	if (probe->answered)
		probe->answered(probe->ctx, answer, verdict);
	probe_free(probe);
}
