#include "dovecot/changes.h"

#include "dovecot/json_text.h"
#include "dovecot/place.h"
#include "dovecot/repeats.h"
#include "dovecot/session.h"

#include <array.h>
#include <guid.h>

/* Those whose setting is no event of its own. */
#define SET_FLAGS (MAIL_ANSWERED | MAIL_FLAGGED | MAIL_DRAFT)

enum kind {
	KIND_NEW,
	KIND_APPEND,
	KIND_COPY,
	KIND_MOVE,
	KIND_EXPUNGE,
	KIND_READ,
	KIND_TRASH,
	KIND_SET,
	KIND_CLEAR,
	KINDS
};

static const char *const kind_names[KINDS] = {
	[KIND_NEW] = "MessageNew",
	[KIND_APPEND] = "MessageAppend",
	[KIND_COPY] = "MessageCopy",
	[KIND_MOVE] = "MessageMove",
	[KIND_EXPUNGE] = "MessageExpunge",
	[KIND_READ] = "MessageRead",
	[KIND_TRASH] = "MessageTrash",
	[KIND_SET] = "FlagsSet",
	[KIND_CLEAR] = "FlagsClear",
};

/* Of one transaction; allocated when something happens in it. */
struct changed {
	bool has[KINDS];
	struct repeats_flags set;
	struct repeats_flags cleared;
};

/* What notify keeps for us during a transaction, most of which change nothing. */
struct transaction {
	struct mailbox *box;
	struct changed *changed;
};

static void tell(struct mail_user *user, const char *json, size_t size)
{
	const struct session *session = session_of(user);
	struct err err;
	switch (delivery_news(&session->way, json, size, &err)) {
	case DELIVERY_DONE:
		break;
	case DELIVERY_KEPT:
		e_warning(user->event, "mailpush: %s", err.text);
		break;
	case DELIVERY_REFUSED:
		/* Of another's mailbox that is as it should be where imap works as each user. */
		if (strstr(err.text, "owner)"))
			e_info(user->event, "mailpush: %s", err.text);
		else
			e_error(user->event, "mailpush: %s", err.text);
		break;
	case DELIVERY_LOST:
		e_error(user->event, "mailpush: %s", err.text);
		break;
	}
}

/* The event's members that all have; false: events of this mailbox are not sent. */
static bool begin(struct buf *json, const char *event, struct mailbox *box)
{
	struct mail_user *user = mail_storage_get_user(mailbox_get_storage(box));
	struct place place;
	if (!session_of(user) || !place_of(box, &place))
		return false;
	json_text_begin(json, event, user->username);
	json_text_add(json, "owner", place.owner);
	json_text_add(json, "folder", place.folder);
	return true;
}

static void add_guid(struct buf *json, struct mailbox *box)
{
	struct mailbox_metadata metadata;
	if (!mailbox_get_metadata(box, MAILBOX_METADATA_GUID, &metadata))
		json_text_add(json, "guid", guid_128_to_string(metadata.guid));
}

static struct mail_user *user_of(struct mailbox *box)
{
	return mail_storage_get_user(mailbox_get_storage(box));
}

static void end_and_tell(struct buf *json, struct mailbox *box)
{
	json_text_end(json);
	tell(user_of(box), (const char *)json->data, json->used);
}

static struct repeats *repeats_of(struct mailbox *box)
{
	struct session *session = session_of(user_of(box));
	if (!session->repeats)
		session->repeats = repeats_new(user_of(box), tell);
	return session->repeats;
}

void changes_end(struct session *session)
{
	repeats_free(&session->repeats);
}

/* ---- messages ---- */

static struct changed *changed_in(struct transaction *transaction)
{
	if (!transaction->changed)
		transaction->changed = i_new(struct changed, 1);
	return transaction->changed;
}

static void *on_begin(struct mailbox_transaction_context *t)
{
	struct transaction *transaction = i_new(struct transaction, 1);
	transaction->box = mailbox_transaction_get_mailbox(t);
	return transaction;
}

static enum kind kind_of_save(const struct mail *mail, enum kind within)
{
	const struct mail_save_context *context = mail->transaction->save_ctx;
	if (mail->box->flags & MAILBOX_FLAG_POST_SESSION)
		return KIND_NEW;
	if (context && context->moving)
		return KIND_MOVE;
	return context && context->copying_or_moving ? KIND_COPY : within;
}

static void on_save(void *transaction, struct mail *mail)
{
	changed_in(transaction)->has[kind_of_save(mail, KIND_APPEND)] = true;
}

static void on_copy(void *transaction, struct mail *from, struct mail *to)
{
	(void)from;
	changed_in(transaction)->has[kind_of_save(to, KIND_COPY)] = true;
}

static void on_expunge(void *transaction, struct mail *mail)
{
	(void)mail;
	changed_in(transaction)->has[KIND_EXPUNGE] = true;
}

static void on_flags(void *transaction, struct mail *mail, enum mail_flags old)
{
	struct changed *changed = changed_in(transaction);
	enum mail_flags now = mail_get_flags(mail);
	enum mail_flags set = (now & ~old) & MAIL_FLAGS_NONRECENT;
	enum mail_flags cleared = (old & ~now) & MAIL_FLAGS_NONRECENT;
	changed->set.flags |= set & SET_FLAGS;
	changed->cleared.flags |= cleared;
	changed->has[KIND_READ] |= (set & MAIL_SEEN) != 0;
	changed->has[KIND_TRASH] |= (set & MAIL_DELETED) != 0;
	changed->has[KIND_SET] |= (set & SET_FLAGS) != 0;
	changed->has[KIND_CLEAR] |= cleared != 0;
}

static bool has_name(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (!strcasecmp(*names, name))
			return true;
	return false;
}

/* Returns whether there are such. */
static bool add_difference(
	struct repeats_flags *set, const char *const *from, const char *const *without)
{
	bool found = false;
	for (; *from; from++) {
		if (has_name(without, *from))
			continue;
		repeats_flags_add_keyword(set, *from);
		found = true;
	}
	return found;
}

static void on_keywords(void *transaction, struct mail *mail, const char *const *old)
{
	struct changed *changed = changed_in(transaction);
	const char *const *now = mail_get_keywords(mail);
	changed->has[KIND_SET] |= add_difference(&changed->set, now, old);
	changed->has[KIND_CLEAR] |= add_difference(&changed->cleared, old, now);
}

static const struct repeats_flags *flags_of(const struct changed *changed, enum kind kind)
{
	if (kind == KIND_SET)
		return &changed->set;
	return kind == KIND_CLEAR ? &changed->cleared : NULL;
}

static void tell_kind(struct mailbox *box, const struct changed *changed, enum kind kind)
{
	buf_auto struct buf json;
	buf_init(&json);
	const struct repeats_flags *flags = flags_of(changed, kind);
	if (!begin(&json, kind_names[kind], box))
		return;
	/* A mailbox's id never changes: what is the same without it is the same. */
	const char *key = t_strndup(json.data, json.used);
	if (kind != KIND_NEW && repeats_holds(repeats_of(box), key, flags))
		return;
	add_guid(&json, box);
	size_t size = json.used;
	if (flags)
		repeats_flags_write(flags, &json);
	end_and_tell(&json, box);
	if (kind != KIND_NEW)
		repeats_note(repeats_of(box), key, t_strndup(json.data, size));
}

static void free_transaction(struct transaction *transaction)
{
	if (transaction->changed) {
		repeats_flags_clear(&transaction->changed->set);
		repeats_flags_clear(&transaction->changed->cleared);
	}
	i_free(transaction->changed);
	i_free(transaction);
}

static void on_commit(void *context, struct mail_transaction_commit_changes *committed)
{
	struct transaction *transaction = context;
	(void)committed;
	for (enum kind kind = 0; transaction->changed && kind < KINDS; kind++)
		if (transaction->changed->has[kind])
			T_BEGIN
			{
				tell_kind(transaction->box, transaction->changed, kind);
			}
	T_END;
	free_transaction(transaction);
}

static void on_rollback(void *transaction)
{
	free_transaction(transaction);
}

/* ---- mailboxes ---- */

static void tell_of_mailbox(const char *event, struct mailbox *box)
{
	T_BEGIN
	{
		buf_auto struct buf json;
		buf_init(&json);
		if (begin(&json, event, box)) {
			repeats_flush(repeats_of(box));
			end_and_tell(&json, box);
		}
	}
	T_END;
}

static void on_create(struct mailbox *box)
{
	tell_of_mailbox("MailboxCreate", box);
}

/* An account's INBOX gone means to mailpushd that the account is. */
static void on_delete(void *context, struct mailbox *box)
{
	(void)context;
	tell_of_mailbox(mailbox_is_any_inbox(box) ? "MessageExpunge" : "MailboxDelete", box);
}

static void tell_of_rename(struct mailbox *from, struct mailbox *to)
{
	buf_auto struct buf json;
	buf_init(&json);
	struct place old;
	if (!place_of(from, &old) || !begin(&json, "MailboxRename", to))
		return;
	repeats_flush(repeats_of(to));
	json_text_add(&json, "from_owner", old.owner);
	json_text_add(&json, "from_folder", old.folder);
	end_and_tell(&json, to);
}

/* The INBOX stays when it is renamed: its messages move. */
static void on_rename(struct mailbox *from, struct mailbox *to)
{
	if (mailbox_is_any_inbox(from)) {
		tell_of_mailbox("MessageExpunge", from);
		tell_of_mailbox("MailboxCreate", to);
		return;
	}
	T_BEGIN
	{
		tell_of_rename(from, to);
	}
	T_END;
}

const struct notify_vfuncs changes_listener = {
	.mail_transaction_begin = on_begin,
	.mail_save = on_save,
	.mail_copy = on_copy,
	.mail_expunge = on_expunge,
	.mail_update_flags = on_flags,
	.mail_update_keywords = on_keywords,
	.mail_transaction_commit = on_commit,
	.mail_transaction_rollback = on_rollback,
	.mailbox_create = on_create,
	.mailbox_delete_commit = on_delete,
	.mailbox_rename = on_rename,
};
