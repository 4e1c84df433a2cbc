#include "credential/credential.h"

#include "base/clock.h"
#include "credential/jwt.h"
#include "credential/pem.h"
#include "credential/pkcs12.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/asn1.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAYS_SIZE 32
#define OID_PRODUCTION "1.2.840.113635.100.6.3.2"

static void warn(struct credential *credential, char *text)
{
	assert(credential->warning_count < CREDENTIAL_WARNINGS_MAX);
	credential->warnings[credential->warning_count++] = text;
}

static void warn_if_exposed(struct credential *credential, const char *key, bool is_exposed)
{
	if (is_exposed)
		warn(credential,
			mem_printf("'%s' or its passphrase_file can be read by every user of this "
				   "machine; chmod o-rwx",
				key));
}

static bool lasts_longer(const X509 *certificate, const X509 *than)
{
	return ASN1_TIME_compare(X509_get0_notAfter(certificate), X509_get0_notAfter(than)) == 1;
}

/*
 * Files hold chains in any order: the certificate is the one that the key fits.  Of several, as a
 * renewed one may follow the former, it is the one that lasts longest.
 */
static int choose_certificate(struct credential *credential, STACK_OF(X509) * certificates,
	const char *key, struct err *err)
{
	int chosen = -1;
	for (int i = 0; i < sk_X509_num(certificates); i++) {
		X509 *certificate = sk_X509_value(certificates, i);
		if (X509_check_private_key(certificate, credential->key) == 1 &&
			(chosen < 0 ||
				lasts_longer(certificate, sk_X509_value(certificates, chosen))))
			chosen = i;
	}
	ERR_clear_error();
	if (chosen < 0) {
		sk_X509_pop_free(certificates, X509_free);
		return err_set(err, -EKEYREJECTED,
			"key '%s' does not fit %s; give the key that the certificate request was "
			"made with",
			key, credential->file);
	}
	credential->certificate = sk_X509_delete(certificates, chosen);
	credential->chain = certificates;
	return 0;
}

static int load_pem(
	const struct credential_files *files, struct credential *credential, struct err *err)
{
	const char *key = files->key ? files->key : files->certificate;
	STACK_OF(X509) *certificates = NULL;
	bool is_exposed = false;
	credential->file = mem_printf("certificate '%s'", files->certificate);
	int r = pem_read_certificates(files->certificate, &certificates, err);
	if (r < 0)
		return r;
	r = pem_read_key(key, files->passphrase_file, &credential->key, &is_exposed, err);
	if (r < 0) {
		sk_X509_pop_free(certificates, X509_free);
		return r;
	}
	warn_if_exposed(credential, key, is_exposed);
	return choose_certificate(credential, certificates, key, err);
}

static int load_pkcs12(
	const struct credential_files *files, struct credential *credential, struct err *err)
{
	STACK_OF(X509) *certificates = NULL;
	bool is_exposed = false;
	credential->file = mem_printf("certificate '%s'", files->pkcs12);
	int r = pkcs12_read(files->pkcs12, files->passphrase_file, &credential->key, &certificates,
		&is_exposed, err);
	if (r < 0)
		return r;
	warn_if_exposed(credential, files->pkcs12, is_exposed);
	return choose_certificate(credential, certificates, files->pkcs12, err);
}

static bool is_p256(const EVP_PKEY *key)
{
	char group[32] = "";
	return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
		EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
		OBJ_txt2nid(group) == NID_X9_62_prime256v1;
}

static int load_p8(
	const struct credential_files *files, struct credential *credential, struct err *err)
{
	bool is_exposed = false;
	assert(files->topic && strlen(files->key_id) == CREDENTIAL_ID_SIZE &&
		strlen(files->team_id) == CREDENTIAL_ID_SIZE);
	credential->file = mem_printf("token key '%s'", files->p8);
	int r = pem_read_key(files->p8, files->passphrase_file, &credential->key, &is_exposed, err);
	if (r < 0)
		return r;
	warn_if_exposed(credential, files->p8, is_exposed);
	if (!is_p256(credential->key))
		return err_set(err, -EINVAL,
			"the private key in '%s' cannot sign provider tokens, as it is not EC "
			"P-256; give the AuthKey_%s.p8 downloaded from Apple",
			files->p8, files->key_id);
	memcpy(credential->key_id, files->key_id, CREDENTIAL_ID_SIZE);
	memcpy(credential->team_id, files->team_id, CREDENTIAL_ID_SIZE);
	/* What openssl.cnf does not allow is said now, not when the first push waits. */
	char token[JWT_SIZE];
	r = jwt_make(credential->key, credential->key_id, credential->team_id, 0, token, err);
	if (r < 0)
		return r;
	OPENSSL_cleanse(token, sizeof(token));
	credential->not_before_unix_ms = INT64_MIN;
	credential->not_after_unix_ms = INT64_MAX;
	return 0;
}

static int read_time(const ASN1_TIME *time, int64_t *ret_unix_ms)
{
	struct tm tm;
	if (!ASN1_TIME_to_tm(time, &tm))
		return -EINVAL;
	*ret_unix_ms = (int64_t)timegm(&tm) * 1000;
	return 0;
}

static int read_dates(struct credential *credential, struct err *err)
{
	if (read_time(X509_get0_notBefore(credential->certificate),
		    &credential->not_before_unix_ms) == 0 &&
		read_time(X509_get0_notAfter(credential->certificate),
			&credential->not_after_unix_ms) == 0)
		return 0;
	ERR_clear_error();
	return err_set(err, -EINVAL, "%s has dates that cannot be read; get a new one from Apple",
		credential->file);
}

static void warn_if_not_production(struct credential *credential)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(OID_PRODUCTION, 1);
	if (X509_get_ext_by_OBJ(credential->certificate, oid, -1) < 0)
		warn(credential,
			mem_printf(
				"%s is not marked as good for production, so Apple may refuse it "
				"there; get one of the kind \"Sandbox & Production\"",
				credential->file));
	ASN1_OBJECT_free(oid);
}

static int choose_topic(
	const struct credential_files *files, struct credential *credential, struct err *err)
{
	const char *topic = files->topic;
	if (credential->certificate) {
		topics_read(&credential->topics, credential->certificate);
		if (credential->topics.count == 0)
			return err_set(err, -EINVAL,
				"%s has no topic (no UID in its subject), so it is not one for "
				"Apple's push service; get one for Mail from Apple",
				credential->file);
		if (!topic)
			topic = credential->topics.topic[0];
		if (!topics_has(&credential->topics, topic))
			return err_set(err, -EINVAL,
				"%s is not for topic '%s' but for '%s'; correct `topic`, or leave "
				"it out",
				credential->file, topic, credential->topics.topic[0]);
	}
	if (!topics_is_for_mail(topic))
		return err_set(err, -EINVAL,
			"%s is for topic '%s', which iOS Mail does not listen to; get one whose "
			"topic begins with com.apple.mobilemail.push. or com.apple.mail.",
			credential->file, topic);
	credential->topic = mem_dup(topic);
	return 0;
}

int credential_load(const struct credential_files *files, struct credential **ret, struct err *err)
{
	__attribute__((cleanup(credential_cleanup))) struct credential *credential =
		mem_alloc_zero(1, sizeof(*credential));
	credential->shares = 1;
	credential->name = mem_dup(files->name);
	int r = files->p8	? load_p8(files, credential, err)
		: files->pkcs12 ? load_pkcs12(files, credential, err)
				: load_pem(files, credential, err);
	if (r == 0 && credential->certificate)
		r = read_dates(credential, err);
	if (r == 0)
		r = choose_topic(files, credential, err);
	if (r == 0 && credential->certificate) {
		const struct tls_identity identity = credential_identity(credential);
		r = tls_identity_check(&identity, err);
	}
	if (r < 0)
		return r;
	if (credential->certificate)
		warn_if_not_production(credential);
	*ret = mem_steal(credential);
	return 0;
}

struct credential *credential_ref(struct credential *credential)
{
	assert(credential->shares > 0);
	credential->shares++;
	return credential;
}

void credential_free(struct credential *credential)
{
	if (!credential || --credential->shares > 0)
		return;
	topics_fini(&credential->topics);
	X509_free(credential->certificate);
	sk_X509_pop_free(credential->chain, X509_free);
	EVP_PKEY_free(credential->key); /* wipes it */
	for (unsigned i = 0; i < credential->warning_count; i++)
		free(credential->warnings[i]);
	free(credential->topic);
	free(credential->file);
	free(credential->name);
	free(credential);
}

bool credential_same_signer(const struct credential *a, const struct credential *b)
{
	return !a->certificate && !b->certificate && strcmp(a->key_id, b->key_id) == 0 &&
		strcmp(a->team_id, b->team_id) == 0 && EVP_PKEY_eq(a->key, b->key) == 1;
}

static bool is_same_chain(const STACK_OF(X509) * a, const STACK_OF(X509) * b)
{
	if (sk_X509_num(a) != sk_X509_num(b))
		return false;
	for (int i = 0; i < sk_X509_num(a); i++)
		if (X509_cmp(sk_X509_value(a, i), sk_X509_value(b, i)) != 0)
			return false;
	return true;
}

bool credential_equal(const struct credential *a, const struct credential *b)
{
	if (strcmp(a->topic, b->topic) != 0 || strcmp(a->name, b->name) != 0 ||
		strcmp(a->file, b->file) != 0)
		return false;
	if (a->certificate && b->certificate)
		return X509_cmp(a->certificate, b->certificate) == 0 &&
			is_same_chain(a->chain, b->chain);
	return credential_same_signer(a, b);
}

static enum credential_validity validity(
	int64_t not_before_ms, int64_t not_after_ms, int64_t now_ms)
{
	if (now_ms > not_after_ms)
		return CREDENTIAL_EXPIRED;
	return now_ms < not_before_ms ? CREDENTIAL_NOT_YET : CREDENTIAL_VALID;
}

enum credential_validity credential_validity(
	const struct credential *credential, int64_t now_unix_ms)
{
	enum credential_validity is = validity(
		credential->not_before_unix_ms, credential->not_after_unix_ms, now_unix_ms);
	bool has_begun = now_unix_ms - CREDENTIAL_START_MS >= credential->not_before_unix_ms;
	return is == CREDENTIAL_VALID && !has_begun ? CREDENTIAL_NOT_YET : is;
}

static const char *day(int64_t unix_ms, char ret[CREDENTIAL_DAY_SIZE])
{
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm tm;
	if (!gmtime_r(&seconds, &tm) || !strftime(ret, CREDENTIAL_DAY_SIZE, "%Y-%m-%d", &tm))
		return "a day out of reach";
	return ret;
}

const char *credential_last_day(const struct credential *credential, char ret[CREDENTIAL_DAY_SIZE])
{
	return day(credential->not_after_unix_ms, ret);
}

/* "less than a day", "1 day", "3 days". */
static const char *days(int64_t ms, char ret[DAYS_SIZE])
{
	int64_t count = ms / CLOCK_DAY_MS;
	if (count == 0)
		return "less than a day";
	snprintf(ret, DAYS_SIZE, "%" PRId64 " day%s", count, count == 1 ? "" : "s");
	return ret;
}

int credential_check_times(const char *what, int64_t not_before_unix_ms, int64_t not_after_unix_ms,
	int64_t now_unix_ms, struct err *err)
{
	char date[CREDENTIAL_DAY_SIZE];
	char distance[DAYS_SIZE];
	switch (validity(not_before_unix_ms, not_after_unix_ms, now_unix_ms)) {
	case CREDENTIAL_EXPIRED:
		return err_set(err, -EKEYEXPIRED, "%s expired on %s, %s ago; renew it with Apple",
			what, day(not_after_unix_ms, date),
			days(now_unix_ms - not_after_unix_ms, distance));
	case CREDENTIAL_NOT_YET:
		return err_set(err, -EKEYEXPIRED,
			"%s is not valid before %s, in %s; check this machine's clock", what,
			day(not_before_unix_ms, date),
			days(not_before_unix_ms - now_unix_ms, distance));
	case CREDENTIAL_VALID:
		break;
	}
	return 0;
}

int credential_check_dates(
	const struct credential *credential, int64_t now_unix_ms, struct err *err)
{
	return credential_check_times(credential->file, credential->not_before_unix_ms,
		credential->not_after_unix_ms, now_unix_ms, err);
}
