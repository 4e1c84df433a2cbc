#include "apns/explain.h"

#include <stddef.h>
#include <string.h>

static const struct {
	int status;
	const char *reason; /* NULL: any other */
	const char *words;
} meanings[] = {
	{200, NULL, "Apple accepted it; " EXPLAIN_SILENT_PHONE},
	{400, "BadDeviceToken",
		"Apple does not know this device token: it is for another environment (sandbox "
		"instead of production) or not a token at all"},
	{400, "DeviceTokenNotForTopic",
		"the device token is for another topic than the certificate: open Mail on the "
		"phone, which registers again with the present topic"},
	{400, "TopicDisallowed",
		"the certificate may not push to this topic; compare aps_topic with the UID in the "
		"certificate"},
	{400, "BadTopic", "Apple does not know the topic; compare aps_topic with the certificate"},
	{400, "MissingTopic",
		"the certificate is for several topics and the push named none; set topic in "
		"mailpush.conf"},
	{400, NULL, "Apple says that the push is malformed; please report this"},
	{403, "BadCertificate",
		"Apple refuses the certificate: it is revoked, or not one of Apple's push "
		"certificates"},
	{403, "BadCertificateEnvironment",
		"the certificate is for the other environment (sandbox instead of production)"},
	{403, "ExpiredProviderToken",
		"the token signed with the .p8 key is too old: check the clock of this machine"},
	{403, "InvalidProviderToken",
		"Apple refuses the token signed with the .p8 key: check key_id, team_id and that "
		"the key is not revoked"},
	{403, NULL, "Apple refuses the credential; check it in Apple's portal"},
	{404, NULL, "Apple does not know the path; check apns_host"},
	{405, NULL, "Apple does not accept this method; check apns_host"},
	{410, "ExpiredToken", "the device token has expired; the phone registers again by itself"},
	{410, NULL,
		"the device token is no longer in use: the account was removed from the phone, "
		"push "
		"was turned off or the phone was erased"},
	{413, NULL, "the push is larger than Apple accepts; please report this"},
	{429, "TooManyProviderTokenUpdates", "the token signed with the .p8 key changed too often"},
	{429, NULL,
		"Apple got too many pushes for this device in a short time; the push is retried"},
	{500, NULL, "Apple's service has an internal error; the push is retried"},
	{503, NULL, "Apple's service is unavailable or overloaded; the push is retried"},
};

static const char *words_of(int status, const char *reason)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].status == status &&
			(!meanings[i].reason || !strcmp(meanings[i].reason, reason)))
			return meanings[i].words;
	return "this version does not know the answer; the push is retried";
}

const char *explain_answer(enum apns_ending ending, int status, const char *reason)
{
	switch (ending) {
	case APNS_NOT_PROCESSED:
		return "Apple closed the connection before it processed the push; the push is "
		       "retried";
	case APNS_LOST:
		return "the connection to Apple broke before the answer; the push is retried";
	case APNS_SILENT:
		return "Apple did not answer in time; the push is retried";
	case APNS_ANSWERED:
		break;
	}
	return words_of(status, reason);
}
