#include "daemon/misfits.h"

#include "base/mem.h"

#include <string.h>

void misfits_init(struct misfits *misfits)
{
	*misfits = (struct misfits){0};
}

static void forget(struct misfits *misfits, unsigned i)
{
	free(misfits->topics[i].topic);
	free(misfits->topics[i].user);
	misfits->topics[i] = misfits->topics[--misfits->count];
}

void misfits_fini(struct misfits *misfits)
{
	while (misfits->count > 0)
		forget(misfits, 0);
}

static unsigned find(const struct misfits *misfits, const char *topic)
{
	unsigned i = 0;
	while (i < misfits->count && strcmp(misfits->topics[i].topic, topic) != 0)
		i++;
	return i;
}

bool misfits_add(struct misfits *misfits, const char *topic, const char *user)
{
	unsigned i = find(misfits, topic);
	if (i == MISFITS_TOPICS_MAX)
		return false;
	if (i == misfits->count) {
		misfits->topics[i].topic = mem_dup(topic);
		misfits->topics[i].user = mem_dup(user);
		misfits->topics[i].users = 1;
		misfits->count++;
	} else if (strcmp(misfits->topics[i].user, user) != 0) {
		free(misfits->topics[i].user);
		misfits->topics[i].user = mem_dup(user);
		misfits->topics[i].users++;
	}
	return misfits->topics[i].users >= MISFITS_USERS;
}

bool misfits_taken(struct misfits *misfits, const char *topic)
{
	unsigned i = find(misfits, topic);
	if (i == misfits->count)
		return false;
	bool were_too_many = misfits->topics[i].users >= MISFITS_USERS;
	forget(misfits, i);
	return were_too_many;
}
