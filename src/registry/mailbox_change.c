#include "registry/mailbox_change.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

/* Where `from` went: within its owner if the new name can be read so, as nearly all renames do. */
static const struct mailbox *new_place(const struct mail_event *event, const struct mailbox *from)
{
	for (unsigned i = 0; i < event->readings; i++) {
		if (strcmp(event->at[i].owner, from->owner) == 0)
			return &event->at[i];
	}
	return event->readings ? &event->at[0] : NULL;
}

static size_t add_delete(const struct rules *rules, const struct registry_job *job,
	struct registry_mailbox_change *ret)
{
	size_t count = 0;
	for (unsigned i = 0; i < job->event->readings; i++) {
		const struct mailbox *mailbox = &job->event->at[i];
		if (!rules_believes(job, i))
			continue;
		ret[count++] = (struct registry_mailbox_change){
			.kind = mailbox_is_inbox(mailbox) ? REGISTRY_OWNER_GONE
							  : REGISTRY_FOLDER_GONE,
			.at_ms = rules_time(rules, job),
			.owner = mailbox->owner,
			.folder = mailbox->folder,
		};
	}
	return count;
}

static struct registry_mailbox_change move(const struct rules *rules,
	const struct registry_job *job, const struct mailbox *from, const struct mailbox *to)
{
	assert(job->separator);
	return (struct registry_mailbox_change){
		.kind = mailbox_is_inbox(from) ? REGISTRY_OWNER_GONE : REGISTRY_FOLDER_MOVED,
		.at_ms = rules_time(rules, job),
		.owner = from->owner,
		.folder = from->folder,
		.new_owner = to->owner,
		.new_folder = to->folder,
		.separator = job->separator,
	};
}

static size_t add_rename(const struct rules *rules, const struct registry_job *job,
	struct registry_mailbox_change *ret)
{
	size_t count = 0;
	for (unsigned i = 0; i < job->event->from_readings; i++) {
		const struct mailbox *from = &job->event->from[i];
		const struct mailbox *to = new_place(job->event, from);
		if (!to ||
			!event_is_believed(
				job->event, job->event->from, job->event->from_readings, i))
			continue;
		/* Whoever renames the own INBOX to a folder still has an INBOX. */
		if (mailbox_is_inbox(from) && strcmp(from->owner, to->owner) == 0)
			continue;
		ret[count++] = move(rules, job, from, to);
	}
	return count;
}

static size_t add_changes(const struct rules *rules, const struct registry_job *job,
	struct registry_mailbox_change *ret)
{
	if (job->kind == REGISTRY_MAILBOX_DELETE)
		return add_delete(rules, job, ret);
	return add_rename(rules, job, ret);
}

int mailbox_change_run(
	struct rules *rules, struct registry_job *const *jobs, size_t count, struct err *err)
{
	mem_auto struct registry_mailbox_change *changes =
		mem_alloc_zero(MAILBOX_READINGS * count, sizeof(*changes));
	mem_auto struct registry_job **changed_by =
		mem_alloc_zero(MAILBOX_READINGS * count, sizeof(struct registry_job *));
	size_t change_count = 0;
	for (size_t i = 0; i < count; i++) {
		size_t first = change_count;
		change_count += add_changes(rules, jobs[i], changes + change_count);
		for (size_t j = first; j < change_count; j++)
			changed_by[j] = jobs[i];
	}
	int failed = rules->db->ops->change_mailboxes(
		rules->db, changes, change_count, rules_on_effect, changed_by, err);
	for (size_t i = 0; i < change_count && !failed; i++) {
		if (changes[i].kind == REGISTRY_OWNER_GONE)
			suspended_users_add(rules->suspended, changes[i].owner, changes[i].at_ms);
	}
	return failed;
}

/* Who named a place before a time. */
struct earlier {
	int64_t before_ms;
	bool is_there;
};

static void on_subscriber(void *ctx, size_t index, const struct registry_row *row, const char *hash)
{
	struct earlier *earlier = ctx;
	(void)index;
	(void)hash;
	earlier->is_there = earlier->is_there || row->renewed_ms < earlier->before_ms;
}

int mailbox_change_follow(struct rules *rules, struct registry_job *job, struct err *err)
{
	const struct registry_ops *ops = rules->db->ops;
	const struct mailbox *to = new_place(job->event, job->was_at);
	struct earlier earlier = {.before_ms = job->was_seen_ms};
	int failed = ops->match(rules->db, &to, 1, on_subscriber, &earlier, err);
	if (failed || earlier.is_there)
		return failed;
	const struct registry_mailbox_change change = move(rules, job, job->was_at, to);
	failed = ops->change_mailboxes(rules->db, &change, 1, rules_on_effect, &job, err);
	job->has_moved = !failed;
	return failed;
}
