/*
 * service - the verdict of Apple's service on one push: its checks, in Apple's order.
 *
 * Pure: a request, the certificate's topics and what is known about the token go in, a verdict
 * comes out.  The order matters because a sender learns only the first reason: certificate or
 * provider token, method,
 * path, repeated headers, apns-id, apns-topic, apns-collapse-id, apns-priority, apns-expiration,
 * apns-push-type, shape of the token, token gone, token of another topic, topic not in the
 * certificate, token unknown, payload.  Reasons and limits are those of "Sending notification
 * requests to APNs" and "Handling notification responses from APNs".
 *
 * It does not know HTTP/2, the faults that a test asked for (behaviour.h) or where the answer goes.
 */
#ifndef MAILPUSH_SIM_SERVICE_H
#define MAILPUSH_SIM_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERVICE_PAYLOAD_MAX 4096
#define SERVICE_PAYLOAD_MAX_VOIP 5120
#define SERVICE_HEADER_LIST_MAX 8000
#define SERVICE_COLLAPSE_ID_MAX 64
#define SERVICE_TOPIC_MAX 255
#define SERVICE_TOKEN_MIN 64
#define SERVICE_TOKEN_MAX 200
#define SERVICE_REASON_SIZE 64 /* with its NUL */
#define SERVICE_RETRY_AFTER_SIZE 40

/* Borrowed bytes, not NUL-terminated; NULL is absent, which is not the same as empty. */
struct text {
	const char *bytes;
	size_t size;
};

enum service_header {
	SERVICE_METHOD,
	SERVICE_PATH,
	SERVICE_ID,
	SERVICE_TOPIC,
	SERVICE_COLLAPSE_ID,
	SERVICE_PRIORITY,
	SERVICE_EXPIRATION,
	SERVICE_PUSH_TYPE,
	SERVICE_AUTHORIZATION,
	SERVICE_HEADERS
};

struct request {
	struct text header[SERVICE_HEADERS];
	bool has_duplicate;	 /* one of the apns- headers came twice */
	size_t header_list_size; /* RFC 9113 6.5.2: names, values and 32 a field */
	size_t payload_size;
	bool is_authorized;	     /* by a valid provider token (bearer.h) */
	int provider_status;	     /* 0: there is none, or it is valid */
	const char *provider_reason; /* what is wrong with it */
};

/* What the sender's certificate says. */
struct peer {
	bool has_certificate;
	bool has_any_topic; /* certificates are not asked for: every topic is allowed */
	size_t topics;
	char **topic; /* owned by the maker of the peer */
};

/* `reason` empty: none (200).  `timestamp_ms` and `retry_after` absent: 0 and empty. */
struct verdict {
	int status;
	char reason[SERVICE_REASON_SIZE];
	int64_t timestamp_ms;
	char retry_after[SERVICE_RETRY_AFTER_SIZE];
};

/* What is known of one token. */
struct token_state {
	bool has_verdict;
	struct verdict verdict; /* if has_verdict: the verdict on a push to it, such as 410 */
	const char *topic;	/* NULL: any */
};

/* Which of the headers above a field is; SERVICE_HEADERS for all others. */
enum service_header service_header_of(const char *name, size_t size);

/* The token in a request's path as it was sent, absent when the path has no place for one. */
struct text service_token(const struct request *request);

/*
 * The client tests its credential: the token is well-formed and all zeros, so it belongs to no
 * phone.
 */
bool service_is_trial(const struct request *request);

/*
 * `token` may be NULL: nothing special is known.  Returns whether its verdict was the one given, so
 * that the caller can count that.
 */
bool service_check(const struct request *request, const struct peer *peer,
	const struct token_state *token, struct verdict *ret);

#endif
