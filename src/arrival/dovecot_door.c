#include "arrival/dovecot_door.h"

#include "arrival/user_names.h"
#include "base/log.h"
#include "base/mem.h"
#include "stats/metrics.h"

#include <errno.h>
#include <string.h>

/* A request that waits for the name of its sender. */
struct visit {
	TAILQ_ENTRY(visit) link;
	struct dovecot_door *door;
	struct user_names_query query;
	struct arrival_waiter waiter;
	struct notification notification; /* its message is owned, the rest is gone */
	char message[];
};

struct dovecot_door {
	struct dovecot_door_needs needs;
	struct user_names *names;
	TAILQ_HEAD(, visit) visits;
	bool is_stopped;
};

struct dovecot_door *dovecot_door_new(const struct dovecot_door_needs *needs)
{
	struct dovecot_door *door = mem_alloc_zero(1, sizeof(*door));
	door->needs = *needs;
	door->names = user_names_new(needs->loop);
	TAILQ_INIT(&door->visits);
	return door;
}

void dovecot_door_free(struct dovecot_door *door)
{
	if (!door)
		return;
	user_names_free(door->names);
	free(door);
}

static void refuse(struct dovecot_door *door, uid_t uid, struct arrival_waiter waiter, int status,
	const char *text)
{
	/* A keeper counts that itself. */
	if (!waiter.is_keeper && status != -EAGAIN)
		door->needs.metrics->rejected[status == -EPERM ? METRICS_REJECTED_not_allowed
							       : METRICS_REJECTED_malformed]++;
	log_seldom(LOG_LEVEL_WARN, "intake", text, "", text, log_number("uid", (int64_t)uid));
	arrival_answer_waiter(waiter, status, text);
}

/* Only where domains have topics of their own it matters who asks. */
static const char *topic_of(struct dovecot_door *door, const struct notification *notification)
{
	char user[MAILBOX_USER_MAX + 1] = "";
	if (door->needs.config->domain_count)
		dovecot_event_asker(notification->message.bytes, notification->message.size, user);
	return door->needs.topic(door->needs.ctx, user);
}

static void hand_over(struct dovecot_door *door, const char *speaker,
	const struct notification *notification, struct arrival_waiter waiter)
{
	const struct dovecot_sender sender = {
		.speaker = speaker,
		.topic = waiter.is_keeper ? NULL : topic_of(door, notification),
	};
	if (speaker && !*speaker)
		refuse(door, notification->sender, waiter, -EPERM,
			"not allowed: the sender of a request is no user of this system");
	else if (speaker && !arrivals_have_room_for_guests(door->needs.arrivals))
		refuse(door, notification->sender, waiter, -EAGAIN,
			"too many events wait for the registry or the disk; try again later");
	else
		arrivals_take_dovecot(door->needs.arrivals, &sender, notification, waiter);
}

static void leave(struct visit *visit)
{
	TAILQ_REMOVE(&visit->door->visits, visit, link);
	free(visit);
}

static void give_up(struct visit *visit, const char *text)
{
	refuse(visit->door, visit->notification.sender, visit->waiter, -EAGAIN, text);
	leave(visit);
}

static void on_name(struct user_names_query *query, const char *name)
{
	struct visit *visit = MEM_CONTAINER(query, struct visit, query);
	if (!name) {
		give_up(visit, "the system does not say who the sender of a request is");
		return;
	}
	hand_over(visit->door, name, &visit->notification, visit->waiter);
	leave(visit);
}

static void wait_for_name(struct dovecot_door *door, const struct notification *notification,
	struct arrival_waiter waiter)
{
	size_t size = notification->message.size;
	struct visit *visit = mem_alloc(sizeof(*visit) + size);
	*visit = (struct visit){.door = door,
		.query = {.uid = notification->sender, .answered = on_name},
		.waiter = waiter,
		.notification = {.class = {.bytes = NULL},
			.message = {visit->message, size},
			.received_ms = notification->received_ms,
			.sender = notification->sender}};
	memcpy(visit->message, notification->message.bytes, size);
	TAILQ_INSERT_TAIL(&door->visits, visit, link);
	user_names_ask(door->names, &visit->query);
}

void dovecot_door_take(struct dovecot_door *door, const struct notification *notification,
	struct arrival_waiter waiter)
{
	const char *name;
	uid_t uid = notification->sender;
	if (!notification->message.bytes || notification->message.size > DOVECOT_REGISTRATION_MAX)
		refuse(door, uid, waiter, -EBADMSG, "a request without a message, or a large one");
	else if (peer_is_allowed(&door->needs.config->dovecot_peers, uid))
		hand_over(door, NULL, notification, waiter);
	else if (!door->needs.config->dovecot_system_users)
		refuse(door, uid, waiter, -EPERM,
			"not allowed to send events; set dovecot_system_users = yes if mail users "
			"are users of the system, or name this user in dovecot_users");
	else if (user_names_know(door->names, uid, &name))
		hand_over(door, name, notification, waiter);
	else if (door->is_stopped)
		arrival_answer_waiter(waiter, -EAGAIN, "the service is stopping");
	else
		wait_for_name(door, notification, waiter);
}

bool dovecot_door_holds(const struct dovecot_door *door, const void *who)
{
	const struct visit *visit;
	TAILQ_FOREACH(visit, &door->visits, link)
		if (visit->waiter.who == who)
			return true;
	return false;
}

void dovecot_door_stop(struct dovecot_door *door)
{
	door->is_stopped = true;
	for (struct visit *visit; (visit = TAILQ_FIRST(&door->visits));) {
		user_names_drop(door->names, &visit->query);
		arrival_answer_waiter(visit->waiter, -EAGAIN, "the service is stopping");
		leave(visit);
	}
}
