#include "driver/mailbox_place.h"

#include "base/digest.h"

#include <string.h>

struct mailbox_place mailbox_place_of(const char *site, const char *owner, const char *folder)
{
	const struct digest_part parts[] = {
		{site, strlen(site) + 1}, {owner, strlen(owner) + 1}, {folder, strlen(folder) + 1}};
	uint8_t digest[DIGEST_SHA256_SIZE];
	digest_sha256(parts, sizeof(parts) / sizeof(parts[0]), digest);

	struct mailbox_place place;
	memcpy(place.bytes, digest, sizeof(place.bytes));
	return place;
}
