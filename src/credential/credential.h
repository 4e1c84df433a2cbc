/*
 * credential - a certificate or key that identifies us to Apple for certain topics.
 *
 * Either a client certificate with its key, in PEM (chains in any order, the key perhaps in the
 * same file) or PKCS#12, or a token signing key (.p8), with which provider.h makes provider tokens.
 * Checked when loaded: the key fits, the topic is one of the certificate's (topics.h) and one that
 * iOS Mail listens to.  Its dates are a separate question (credential_validity): an expired
 * credential is loaded, and its pushes wait.
 *
 * Files are read on libuv's pool or before the loop; the struct is immutable afterwards.  It is
 * shared by counting: credential_ref takes a share, credential_free gives one back and frees with
 * the last.  The count is plain, so all shares of one belong to one thread at a time.
 */
#ifndef MAILPUSH_CREDENTIAL_CREDENTIAL_H
#define MAILPUSH_CREDENTIAL_CREDENTIAL_H

#include "base/err.h"
#include "base/mem.h"
#include "credential/tls_identity.h"
#include "credential/topics.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#define CREDENTIAL_ID_SIZE 10 /* of Apple's key and team ids: capital letters and digits */
#define CREDENTIAL_WARNINGS_MAX 2

/* Exactly one of certificate, pkcs12 and p8 is given. */
struct credential_files {
	const char *name; /* of the section in mailpush.conf */
	const char *certificate;
	const char *key; /* with certificate; NULL: it is in the same file */
	const char *pkcs12;
	const char *p8; /* with key_id, team_id and topic */
	const char *key_id;
	const char *team_id;
	const char *passphrase_file; /* NULL: the key is not encrypted */
	const char *topic;	     /* NULL: the certificate's UID */
};

struct credential {
	unsigned shares;
	char *name;
	char *file;	      /* its name in messages: "certificate '/etc/...'" */
	char *topic;	      /* the topic that it is used for */
	struct topics topics; /* all topics that the certificate allows; none for a token key */
	X509 *certificate;    /* NULL: the key signs provider tokens */
	STACK_OF(X509) * chain;
	EVP_PKEY *key;
	char key_id[CREDENTIAL_ID_SIZE + 1]; /* of a token key */
	char team_id[CREDENTIAL_ID_SIZE + 1];
	int64_t not_before_unix_ms; /* of a token key: always */
	int64_t not_after_unix_ms;
	char *warnings[CREDENTIAL_WARNINGS_MAX]; /* a warning for a person; "": none */
	unsigned warning_count;
};

/* Two files that do not match (a pair that is half replaced): -EKEYREJECTED. */
int credential_load(const struct credential_files *files, struct credential **ret, struct err *err);
/* Another share of it, given back with credential_free; returns `credential`. */
struct credential *credential_ref(struct credential *credential);
void credential_free(struct credential *credential);
MEM_DEFINE_CLEANUP(credential_cleanup, struct credential, credential_free)

/* The certificate, chain and key for TLS, borrowed; only of a credential with a certificate. */
static inline struct tls_identity credential_identity(const struct credential *credential)
{
	return (struct tls_identity){
		credential->certificate, credential->key, credential->chain, credential->file};
}

/*
 * Same certificate and chain, or token key with its ids, and topic, and by the same name and file,
 * which messages and alarms say?
 */
bool credential_equal(const struct credential *a, const struct credential *b);
/* May its token be shared with `b`, whatever the topics? */
bool credential_same_signer(const struct credential *a, const struct credential *b);

/*
 * For connections a certificate is valid only this long after its own beginning: a server whose
 * clock is a little behind would refuse it, and a refusal is a hold of minutes.
 */
#define CREDENTIAL_START_MS 2000

enum credential_validity { CREDENTIAL_VALID, CREDENTIAL_NOT_YET, CREDENTIAL_EXPIRED };

enum credential_validity credential_validity(
	const struct credential *credential, int64_t now_unix_ms);
/*
 * For people, without CREDENTIAL_START_MS: 0 when it is valid, or -EKEYEXPIRED with a text that
 * names file, day, distance and remedy.
 */
int credential_check_dates(
	const struct credential *credential, int64_t now_unix_ms, struct err *err);
/* The same of a certificate that messages call `what`. */
int credential_check_times(const char *what, int64_t not_before_unix_ms, int64_t not_after_unix_ms,
	int64_t now_unix_ms, struct err *err);
/* The day of its end, "2027-01-31". */
#define CREDENTIAL_DAY_SIZE 16
const char *credential_last_day(const struct credential *credential, char ret[CREDENTIAL_DAY_SIZE]);

#endif
