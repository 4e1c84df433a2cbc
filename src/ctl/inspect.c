#include "ctl/inspect.h"

#include "apns/credential.h"
#include "apns/pem.h"
#include "apns/pkcs12.h"
#include "apns/secret.h"
#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define P8_PREFIX "AuthKey_"
#define P8_SUFFIX ".p8"
/* For the rules that ask for them; what they are is not in the file. */
#define ANY_ID "0000000000"
#define ANY_TOPIC "com.apple.mobilemail.push."

/* Names of files need not be UTF-8. */
static json_t *text_of(const char *text)
{
	json_t *json = json_string(text);
	return json ? json : json_string("?");
}

static json_t *name_of(const X509_NAME *name)
{
	char text[512] = "";
	BIO *bio = BIO_new(BIO_s_mem());
	if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
		int n = BIO_read(bio, text, sizeof(text) - 1);
		text[n > 0 ? n : 0] = '\0';
	}
	BIO_free(bio);
	return text_of(text);
}

static json_t *time_of(const ASN1_TIME *time)
{
	struct tm broken_down;
	if (ASN1_TIME_to_tm(time, &broken_down) != 1)
		return json_null();
	return json_integer((json_int_t)timegm(&broken_down));
}

static json_t *topics_of(const struct topics *topics)
{
	json_t *json = json_array();
	for (unsigned i = 0; i < topics->count; i++)
		json_array_append_new(json, json_string(topics->topic[i]));
	return json;
}

static void describe(X509 *certificate, bool has_key, json_t *json)
{
	struct topics topics = {0};
	topics_read(&topics, certificate);
	json_object_set_new(json, "subject", name_of(X509_get_subject_name(certificate)));
	json_object_set_new(json, "issuer", name_of(X509_get_issuer_name(certificate)));
	json_object_set_new(json, "topics", topics_of(&topics));
	json_object_set_new(json, "valid_from", time_of(X509_get0_notBefore(certificate)));
	json_object_set_new(json, "expires", time_of(X509_get0_notAfter(certificate)));
	json_object_set_new(json, "has_key", json_boolean(has_key));
	topics_fini(&topics);
}

/* Files hold chains in any order: Apple's is the one with a topic. */
static X509 *choose(STACK_OF(X509) * certificates)
{
	for (int i = 0; i < sk_X509_num(certificates); i++) {
		struct topics topics = {0};
		topics_read(&topics, sk_X509_value(certificates, i));
		bool has_topic = topics.count > 0;
		topics_fini(&topics);
		if (has_topic)
			return sk_X509_value(certificates, i);
	}
	return sk_X509_value(certificates, 0);
}

static void refuse(json_t *json, const char *why)
{
	json_object_set_new(json, "why", text_of(why));
}

/* Without a key the daemon's rules cannot be asked: the dates are what is left. */
static void judge_certificate(const X509 *certificate, json_t *json)
{
	if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
		refuse(json, "it has expired; renew it");
	else if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
		refuse(json, "it is not valid yet");
	else if (!json_array_size(json_object_get(json, "topics")))
		refuse(json,
			"its subject has no UID, so it has no topic: it is no certificate for "
			"push");
}

/* By the daemon's own rules. */
static void judge(const struct credential_files *files, json_t *json)
{
	__attribute__((cleanup(credential_cleanup))) struct credential *credential = NULL;
	struct err err;
	if (credential_load(files, &credential, &err) ||
		credential_check_dates(credential, clock_unix_ms(), &err))
		refuse(json, err.text);
}

static json_t *inspect_pem(
	const char *path, const char *passphrase_file, STACK_OF(X509) * certificates, bool has_key)
{
	const struct credential_files files = {
		.name = path, .certificate = path, .key = path, .passphrase_file = passphrase_file};
	X509 *certificate = choose(certificates);
	json_t *json = json_pack("{so,ss}", "file", text_of(path), "kind", "certificate");
	describe(certificate, has_key, json);
	if (has_key)
		judge(&files, json);
	else
		judge_certificate(certificate, json);
	return json;
}

/* Apple names the file after the key: AuthKey_ABC123DEFG.p8. */
static bool find_key_id(const char *path, char ret[CREDENTIAL_ID_SIZE + 1])
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const char *id = name + strlen(P8_PREFIX);
	if (strncmp(name, P8_PREFIX, strlen(P8_PREFIX)) != 0 ||
		strlen(id) != CREDENTIAL_ID_SIZE + strlen(P8_SUFFIX) ||
		strcmp(id + CREDENTIAL_ID_SIZE, P8_SUFFIX) != 0)
		return false;
	for (size_t i = 0; i < CREDENTIAL_ID_SIZE; i++)
		if (!isdigit((unsigned char)id[i]) && !isupper((unsigned char)id[i]))
			return false;
	memcpy(ret, id, CREDENTIAL_ID_SIZE);
	ret[CREDENTIAL_ID_SIZE] = '\0';
	return true;
}

static json_t *inspect_p8(const char *path, const char *passphrase_file)
{
	char id[CREDENTIAL_ID_SIZE + 1] = ANY_ID;
	bool has_id = find_key_id(path, id);
	const struct credential_files files = {.name = path,
		.p8 = path,
		.key_id = id,
		.team_id = ANY_ID,
		.topic = ANY_TOPIC,
		.passphrase_file = passphrase_file};
	json_t *json = json_pack("{so,ss,so}", "file", text_of(path), "kind", "p8", "key_id",
		has_id ? json_string(id) : json_null());
	judge(&files, json);
	return json;
}

static json_t *inspect_pkcs12(const char *path, const char *passphrase_file)
{
	const struct credential_files files = {
		.name = path, .pkcs12 = path, .passphrase_file = passphrase_file};
	json_t *json = json_pack("{so,ss}", "file", text_of(path), "kind", "pkcs12");
	EVP_PKEY *key = NULL;
	STACK_OF(X509) *certificates = NULL;
	bool is_exposed;
	struct err err;
	if (pkcs12_read(path, passphrase_file, &key, &certificates, &is_exposed, &err)) {
		refuse(json, err.text);
		return json;
	}
	describe(sk_X509_value(certificates, 0), true, json);
	EVP_PKEY_free(key);
	sk_X509_pop_free(certificates, X509_free);
	judge(&files, json);
	return json;
}

int inspect_file(const char *path, const char *passphrase_file, json_t **ret, struct err *err)
{
	struct secret secret_auto file = {0};
	int status = secret_read("file", path, "give one of a certificate or key", &file, err);
	if (status)
		return status;
	/* PKCS#12 is DER, which begins with a SEQUENCE. */
	if (file.size && file.bytes[0] == '\x30') {
		*ret = inspect_pkcs12(path, passphrase_file);
		return 0;
	}
	bool has_key = strstr(file.bytes, "PRIVATE KEY-----") != NULL;
	STACK_OF(X509) *certificates = NULL;
	struct err none;
	if (!pem_read_certificates(path, &certificates, &none)) {
		*ret = inspect_pem(path, passphrase_file, certificates, has_key);
		sk_X509_pop_free(certificates, X509_free);
		return 0;
	}
	if (!has_key)
		return err_set(err, -EINVAL,
			"%s holds neither a certificate nor a key, in PEM or PKCS#12; give the "
			"file that Apple let you download, or what was made of it",
			path);
	*ret = inspect_p8(path, passphrase_file);
	return 0;
}
