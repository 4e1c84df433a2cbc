#include "apns/explain.h"

#include <stddef.h>
#include <string.h>

static const struct {
	int status;
	const char *reason; /* NULL: any other */
	const char *words;
} meanings[] = {
	{200, NULL,
		"Apple accepted it; if the phone stays silent, it is off, offline, in low power "
		"mode, "
		"or "
		"its account is set to fetch"},
	{400, "BadDeviceToken",
		"Apple does not know this device token: it is of another environment (sandbox "
		"instead of production) or not a token at all"},
	{400, "DeviceTokenNotForTopic",
		"the device token belongs to another topic than the certificate's: the phone has "
		"to "
		"register again, with aps_topic as it is now"},
	{400, "TopicDisallowed",
		"the certificate may not push to this topic; compare aps_topic with the UID in the "
		"certificate"},
	{400, "BadTopic", "Apple does not know the topic; compare aps_topic with the certificate"},
	{400, "MissingTopic",
		"the certificate is for several topics and none was named; set topic in "
		"mailpush.conf"},
	{400, NULL, "Apple calls the push malformed; please report this"},
	{403, "BadCertificate",
		"Apple refuses the certificate: it is revoked, or not one of Apple's push "
		"certificates"},
	{403, "BadCertificateEnvironment",
		"the certificate is of the other environment (sandbox instead of production)"},
	{403, "ExpiredProviderToken",
		"the token signed with the .p8 key is too old: check the clock of this machine"},
	{403, "InvalidProviderToken",
		"the token signed with the .p8 key is not accepted: check key_id, team_id and that "
		"the key was not revoked"},
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
	{429, NULL, "Apple got too many pushes for this device in a short time; it is tried again"},
	{500, NULL, "Apple's service has an error of its own; it is tried again"},
	{503, NULL, "Apple's service is not available or overloaded; it is tried again"},
};

static const char *words_of(int status, const char *reason)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].status == status &&
			(!meanings[i].reason || !strcmp(meanings[i].reason, reason)))
			return meanings[i].words;
	return "an answer that this version does not know; it is tried again";
}

const char *explain_answer(enum apns_ending ending, int status, const char *reason)
{
	switch (ending) {
	case APNS_NOT_PROCESSED:
		return "Apple closed the connection before it looked at the push; it is sent again";
	case APNS_LOST:
		return "the connection to Apple was lost before the answer; it is sent again";
	case APNS_SILENT:
		return "Apple did not answer in time; it is sent again";
	case APNS_ANSWERED:
		break;
	}
	return words_of(status, reason);
}
