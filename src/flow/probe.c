#include "flow/probe.h"

#include "base/mem.h"
#include <assert.h>
#include <string.h>

#define NOBODY "0000000000000000000000000000000000000000000000000000000000000000"
#define NO_ACCOUNT "00000000-0000-0000-0000-000000000000"

struct probes {
	struct probe *first;
	void (*wanted)(void *ctx);
	void *ctx;
};

struct probe {
	struct probe *next; /* waits for room */
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
	probes->wanted = wanted;
	probes->ctx = ctx;
	return probes;
}

void probes_free(struct probes *probes)
{
	assert(!probes->first);
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
	probe->next = probes->first;
	probes->first = probe;
	probes->wanted(probes->ctx);
	return probe;
}

void probe_cancel(struct probe *probe)
{
	probe->answered = NULL;
	if (probe->is_out)
		return;
	struct probe **at = &probe->probes->first;
	while (*at != probe)
		at = &(*at)->next;
	*at = probe->next;
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
	struct probe **at = &probes->first;
	while (*at) {
		struct probe *probe = *at;
		if (probe->turn == turn && launch(probe, sender))
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
	if (probe->answered)
		probe->answered(probe->ctx, answer, verdict);
	probe_free(probe);
}
