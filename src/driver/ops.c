#include "driver/ops.h"

int ops_load_each(struct registry_db *db, const struct registry_load *load, struct err *err)
{
	const struct registry_ops *ops = db->ops;
	int failed = 0;
	if (load->resume_count)
		failed = ops->resume(db, load->resumes, load->resume_count, load->on_effect,
			load->resumes_ctx, err);
	if (!failed && load->user_count)
		failed = ops->load_users(
			db, load->users, load->user_count, load->on_row, load->users_ctx, err);
	if (!failed && load->user_count)
		failed = ops->load_lists(db, load->keys, load->user_count, load->on_subscription,
			load->users_ctx, err);
	if (!failed && load->mailbox_count)
		failed = ops->match(db, load->mailboxes, load->mailbox_count, load->on_match,
			load->mailboxes_ctx, err);
	return failed;
}
