/*
 * credential - what proves to Apple who we are, for which topics.
 *
 * A client certificate with its key (PEM; a chain may follow the certificate).  Its own topic is
 * the subject's UID; newer certificates carry further topics in extension 1.2.840.113635.100.6.3.6
 * (APPLE-MAIL.md "Certificates and topics").  Checked when loaded: the key fits, the dates, that it
 * has a topic, and that `topic`, if configured, is one of its topics.
 *
 * Reading happens on libuv's pool or before the loop; what the struct says is immutable afterwards.
 * It is shared by counting: credential_ref takes a share, credential_free gives one back and frees
 * with the last.  The count is plain, so all shares of one belong to one thread at a time.
 */
#ifndef MAILPUSH_APNS_CREDENTIAL_H
#define MAILPUSH_APNS_CREDENTIAL_H

#include "base/err.h"
#include "base/mem.h"

#include <openssl/ssl.h>
#include <stdint.h>

#define CREDENTIAL_TOPICS_MAX 32
#define CREDENTIAL_TOPIC_SIZE 256

struct credential_files {
	const char *name; /* of the section in mailpush.conf */
	const char *certificate;
	const char *key;
	const char *passphrase_file; /* NULL: the key is not encrypted */
	const char *topic;	     /* NULL: the certificate's UID */
};

struct credential {
	unsigned shares;
	char *name;
	char *topic;			     /* the one that it is used for */
	char *topics[CREDENTIAL_TOPICS_MAX]; /* all that the certificate allows, the UID first */
	unsigned topic_count;
	X509 *certificate;
	STACK_OF(X509) * chain;
	EVP_PKEY *key;
	int64_t not_before_unix_ms;
	int64_t not_after_unix_ms;
};

int credential_load(const struct credential_files *files, int64_t now_unix_ms,
	struct credential **ret, struct err *err);
/* Another share of it, given back with credential_free; returns `credential`. */
struct credential *credential_ref(struct credential *credential);
void credential_free(struct credential *credential);
MEM_DEFINE_CLEANUP(credential_cleanup, struct credential, credential_free)

/* Same certificate and topic? */
int credential_equal(const struct credential *a, const struct credential *b);

#endif
