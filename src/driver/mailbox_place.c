#include "driver/mailbox_place.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <string.h>

struct mailbox_place mailbox_place_of(const char *site, const char *owner, const char *folder)
{
	const char *const parts[] = {site, owner, folder};
	uint8_t digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	int fine = sha && EVP_DigestInit_ex(sha, EVP_sha256(), NULL);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		fine = fine && EVP_DigestUpdate(sha, parts[i], strlen(parts[i]) + 1);
	fine = fine && EVP_DigestFinal_ex(sha, digest, NULL);
	EVP_MD_CTX_free(sha);
	assert(fine); /* SHA-256 is always there, and only memory can fail */

	struct mailbox_place place;
	memcpy(place.bytes, digest, sizeof(place.bytes));
	return place;
}
