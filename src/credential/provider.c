#include "credential/provider.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "credential/jwt.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <string.h>

#define SCHEME "bearer "
#define NO_TOKEN "none"		 /* which Apple refuses */
#define AHEAD_MS CLOCK_MINUTE_MS /* small corrections of the clock are normal */
#define LIFETIME_MS CLOCK_HOUR_MS

struct provider {
	LIST_ENTRY(provider) place;
	struct provider_list *list;
	unsigned shares;
	struct credential *credential; /* a share of the key's credential */
	unsigned number;	       /* 0: no token was made yet */
	bool is_expired;	       /* Apple called it expired: the next use makes another */
	int64_t made_ms;
	int64_t made_unix_ms;
	bool was_corrected; /* when it was last replaced because the clock was set */
	int64_t corrected_ms;
	char text[sizeof(SCHEME) + JWT_SIZE];
};

struct provider *provider_get(struct provider_list *list, const struct credential *credential)
{
	struct provider *provider;
	LIST_FOREACH(provider, &list->providers, place)
		if (credential_same_signer(provider->credential, credential))
			break;
	if (!provider) {
		provider = mem_alloc_zero(1, sizeof(*provider));
		/* The count of shares is not part of the credential's value. */
		provider->credential = credential_ref((struct credential *)credential);
		provider->list = list;
		LIST_INSERT_HEAD(&list->providers, provider, place);
	}
	provider->shares++;
	return provider;
}

void provider_put(struct provider *provider)
{
	if (!provider || --provider->shares > 0)
		return;
	LIST_REMOVE(provider, place);
	OPENSSL_cleanse(provider->text, sizeof(provider->text));
	credential_free(provider->credential);
	free(provider);
}

static void make(struct provider *provider, int64_t now_ms, int64_t now_unix_ms)
{
	struct err err;
	const struct credential *credential = provider->credential;
	char *token = provider->text + sizeof(SCHEME) - 1;
	memcpy(provider->text, SCHEME, sizeof(SCHEME) - 1);
	/* It signed when it was loaded; what openssl.cnf names may fail later all the same. */
	bool is_made = jwt_make(credential->key, credential->key_id, credential->team_id,
			       now_unix_ms / 1000, token, &err) == 0;
	if (!is_made) {
		memcpy(token, NO_TOKEN, sizeof(NO_TOKEN));
		log_seldom(LOG_LEVEL_ERROR, "apns", "provider tokens not made", credential->key_id,
			"no provider token was made", log_text("key", credential->key_id),
			log_text("why", err.text));
	}
	provider->number++;
	provider->is_expired = !is_made;
	provider->made_ms = now_ms;
	provider->made_unix_ms = now_unix_ms;
}

/* Apple compares with its own clock, with which this machine's should agree by now. */
static bool is_of_this_time(const struct provider *provider, int64_t now_unix_ms)
{
	int64_t age_ms = now_unix_ms - provider->made_unix_ms;
	return age_ms >= -AHEAD_MS && age_ms < LIFETIME_MS;
}

/* A clock that jumps to and fro must not lead to many. */
static bool may_correct(const struct provider *provider, int64_t now_ms)
{
	return !provider->was_corrected ||
		now_ms - provider->corrected_ms >= provider->list->renew_least_ms;
}

static void note_correction(struct provider *provider, int64_t now_ms)
{
	provider->was_corrected = true;
	provider->corrected_ms = now_ms;
}

const char *provider_authorization(struct provider *provider, int64_t now_ms, int64_t now_unix_ms)
{
	if (provider->number == 0 || provider->is_expired ||
		now_ms - provider->made_ms >= provider->list->renew_ms) {
		make(provider, now_ms, now_unix_ms);
	} else if (!is_of_this_time(provider, now_unix_ms) && may_correct(provider, now_ms)) {
		note_correction(provider, now_ms);
		make(provider, now_ms, now_unix_ms);
	}
	return provider->text;
}

unsigned provider_number(const struct provider *provider)
{
	return provider->number + provider->is_expired;
}

void provider_expire(
	struct provider *provider, unsigned number, int64_t now_ms, int64_t now_unix_ms)
{
	int64_t least_ms = provider->list->renew_least_ms;
	if (number != provider->number || provider->is_expired)
		return;
	if (now_ms - provider->made_ms >= least_ms) {
		provider->is_expired = true;
	} else if (now_unix_ms - provider->made_unix_ms >= least_ms &&
		may_correct(provider, now_ms)) {
		note_correction(provider, now_ms);
		provider->is_expired = true;
	}
}
