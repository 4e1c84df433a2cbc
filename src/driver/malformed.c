#include "driver/malformed.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

bool malformed_row(const char *database, const struct registry_row *row)
{
	static const struct registry_key none;
	if (registry_row_is_possible(row->token, row->account_id) &&
		memcmp(&row->key, &none, sizeof(none)) != 0)
		return false;
	char key[2 * REGISTRY_KEY_SIZE + 1];
	for (size_t i = 0; i < REGISTRY_KEY_SIZE; i++)
		snprintf(key + 2 * i, 3, "%02x", row->key.bytes[i]);
	log_seldom(LOG_LEVEL_ERROR, "registry", "malformed registrations", "",
		"a registration is malformed and is left out until the phone registers again; "
		"find out who wrote it, or delete that row",
		log_text("registry", database), log_text("user", row->user), log_text("key", key));
	return true;
}

bool malformed_hash(const char *database, const char *hash)
{
	if (registry_hash_is_possible(hash))
		return false;
	log_seldom(LOG_LEVEL_ERROR, "registry", "malformed mailboxes", "",
		"a mailbox of a registration has a malformed hash and is left out until the phone "
		"registers again; find out who wrote it, or delete that row",
		log_text("registry", database), log_text("hash", hash));
	return true;
}
