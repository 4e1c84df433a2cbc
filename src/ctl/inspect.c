#include "ctl/inspect.h"

#include "base/clock.h"
#include "base/mem.h"
#include "credential/credential.h"
#include "credential/pem.h"
#include "credential/pkcs12.h"
#include "credential/secret.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define P8_PREFIX "AuthKey_"
#define P8_SUFFIX ".p8"
/* The rules of a credential need them, but the file has none. */
#define ANY_ID "0000000000"
#define ANY_TOPIC "com.apple.mobilemail.push."

struct inspected {
	const char *path;
	json_t *json;
	STACK_OF(X509) * certificates; /* NULL: none */
	EVP_PKEY *key;		       /* in the same file or alone; NULL: none that can be read */
	bool is_alone;		       /* the key, with no certificate beside it */
};

struct inspection {
	const char *passphrase_file;
	struct inspected *files;
	size_t count;
};

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

static bool read_time(const ASN1_TIME *time, int64_t *ret_unix_ms)
{
	struct tm broken_down;
	if (ASN1_TIME_to_tm(time, &broken_down) != 1)
		return false;
	*ret_unix_ms = (int64_t)timegm(&broken_down) * CLOCK_SECOND_MS;
	return true;
}

static json_t *time_of(const ASN1_TIME *time)
{
	int64_t unix_ms;
	return read_time(time, &unix_ms) ? json_integer(unix_ms / CLOCK_SECOND_MS) : json_null();
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

/* Files hold chains in any order: Apple's certificate is the one with a topic. */
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

static void refuse(struct inspected *file, const char *why)
{
	json_object_set_new(file->json, "why", text_of(why));
}

static void set_kind(struct inspected *file, const char *kind)
{
	json_object_set_new(file->json, "kind", json_string(kind));
}

/* "RSA, 2048 bits", "EC P-256" */
static void set_algorithm(struct inspected *file)
{
	char group[64] = "";
	char text[128];
	const char *name = EVP_PKEY_get0_type_name(file->key);
	name = name ? name : "unknown";
	if (EVP_PKEY_get_group_name(file->key, group, sizeof(group), NULL) == 1) {
		const char *usual = EC_curve_nid2nist(OBJ_txt2nid(group));
		snprintf(text, sizeof(text), "%s %s", name, usual ? usual : group);
	} else {
		snprintf(text, sizeof(text), "%s, %d bits", name, EVP_PKEY_get_bits(file->key));
	}
	json_object_set_new(file->json, "algorithm", text_of(text));
}

/* The daemon's rules need the key; without it only the dates can be checked. */
static void judge_certificate(struct inspected *file)
{
	const X509 *certificate = choose(file->certificates);
	int64_t from_ms;
	int64_t to_ms;
	struct err err;
	if (!read_time(X509_get0_notBefore(certificate), &from_ms) ||
		!read_time(X509_get0_notAfter(certificate), &to_ms))
		refuse(file, "its dates cannot be read; get a new one from Apple");
	else if (credential_check_times("it", from_ms, to_ms, clock_unix_ms(), &err))
		refuse(file, err.text);
	else if (!json_array_size(json_object_get(file->json, "topics")))
		refuse(file,
			"its subject has no UID, so it has no topic: it is not a certificate for "
			"push");
}

/* By the daemon's own rules. */
static void judge(struct inspected *file, const struct credential_files *files)
{
	__attribute__((cleanup(credential_cleanup))) struct credential *credential = NULL;
	struct err err;
	if (credential_load(files, &credential, &err) ||
		credential_check_dates(credential, clock_unix_ms(), &err))
		refuse(file, err.text);
}

static void judge_pair(struct inspected *file, const char *key, const char *passphrase_file)
{
	const struct credential_files files = {.name = file->path,
		.certificate = file->path,
		.key = key,
		.passphrase_file = passphrase_file};
	judge(file, &files);
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

static bool is_called_p8(const char *path)
{
	size_t size = strlen(path);
	size_t end = strlen(P8_SUFFIX);
	return size > end && !strcmp(path + size - end, P8_SUFFIX);
}

static void judge_p8(struct inspected *file, const char *passphrase_file)
{
	char id[CREDENTIAL_ID_SIZE + 1] = ANY_ID;
	bool has_id = find_key_id(file->path, id);
	const struct credential_files files = {.name = file->path,
		.p8 = file->path,
		.key_id = id,
		.team_id = ANY_ID,
		.topic = ANY_TOPIC,
		.passphrase_file = passphrase_file};
	set_kind(file, "p8");
	json_object_set_new(file->json, "key_id", has_id ? json_string(id) : json_null());
	judge(file, &files);
}

/* PKCS#12 is DER, and so is the certificate that Apple offers for download. */
static void read_der(
	struct inspected *file, const char *passphrase_file, const struct secret *bytes)
{
	const unsigned char *at = (const unsigned char *)bytes->bytes;
	const struct credential_files files = {
		.name = file->path, .pkcs12 = file->path, .passphrase_file = passphrase_file};
	X509 *certificate = d2i_X509(NULL, &at, (long)bytes->size);
	ERR_clear_error();
	bool is_exposed;
	struct err err;
	if (certificate) {
		set_kind(file, "certificate");
		describe(certificate, false, file->json);
		X509_free(certificate);
		refuse(file,
			"it is in DER form, as Apple gives it; convert it with openssl x509 "
			"-inform DER -in FILE -out certificate.pem");
		return;
	}
	set_kind(file, "pkcs12");
	if (pkcs12_read(file->path, passphrase_file, &file->key, &file->certificates, &is_exposed,
		    &err)) {
		refuse(file, err.text);
		return;
	}
	describe(sk_X509_value(file->certificates, 0), true, file->json);
	judge(file, &files);
}

static void read_key(struct inspected *file, const char *passphrase_file)
{
	bool is_exposed;
	struct err err;
	int status = pem_read_key(file->path, passphrase_file, &file->key, &is_exposed, &err);
	if (!file->is_alone)
		return; /* credential_load says what is wrong with it */
	set_kind(file, "key");
	if (status)
		refuse(file, err.text);
	else
		set_algorithm(file);
}

static void read_file(struct inspected *file, const char *passphrase_file)
{
	struct secret secret_auto bytes = {0};
	struct err err;
	file->json = json_pack("{so}", "file", text_of(file->path));
	if (secret_read("file", file->path, "give one of a certificate or key", &bytes, &err)) {
		json_object_set_new(file->json, "error", text_of(err.text));
		return;
	}
	if (bytes.size && bytes.bytes[0] == '\x30') {
		read_der(file, passphrase_file, &bytes);
		return;
	}
	bool has_key = strstr(bytes.bytes, "PRIVATE KEY-----") != NULL;
	if (!pem_read_certificates(file->path, &file->certificates, &err)) {
		set_kind(file, "certificate");
		describe(choose(file->certificates), has_key, file->json);
	} else if (has_key) {
		file->is_alone = true;
	} else if (strstr(bytes.bytes, "CERTIFICATE REQUEST-----")) {
		set_kind(file, "request");
		refuse(file,
			"it is a request for a certificate: upload it to Apple, and use the "
			"certificate that Apple makes from it");
	} else {
		err_set(&err, -EINVAL,
			"%s holds neither a certificate nor a key, in PEM or PKCS#12; give the "
			"file downloaded from Apple, or one converted from it",
			file->path);
		json_object_set_new(file->json, "error", text_of(err.text));
	}
	if (has_key)
		read_key(file, passphrase_file);
}

static bool fits(const struct inspected *certificate, const struct inspected *key)
{
	bool is_fit = false;
	for (int i = 0; key->key && i < sk_X509_num(certificate->certificates); i++)
		is_fit = is_fit ||
			X509_check_private_key(
				sk_X509_value(certificate->certificates, i), key->key) == 1;
	ERR_clear_error();
	return is_fit;
}

static bool is_kind(const struct inspected *file, const char *kind)
{
	const char *is = json_string_value(json_object_get(file->json, "kind"));
	return is && !strcmp(is, kind);
}

/* The key of a PEM certificate is in its file or in another given file. */
static void pair_certificate(const struct inspection *inspection, struct inspected *file)
{
	const struct inspected *key = NULL;
	bool is_offered = false;
	if (json_is_true(json_object_get(file->json, "has_key"))) {
		judge_pair(file, NULL, inspection->passphrase_file);
		return;
	}
	for (size_t i = 0; i < inspection->count; i++) {
		const struct inspected *other = &inspection->files[i];
		is_offered = is_offered || (other->is_alone && !is_called_p8(other->path));
		if (!key && other->is_alone && fits(file, other))
			key = other;
	}
	if (key) {
		json_object_set_new(file->json, "key", text_of(key->path));
		judge_pair(file, key->path, inspection->passphrase_file);
		return;
	}
	judge_certificate(file);
	if (is_offered && !json_object_get(file->json, "why"))
		refuse(file,
			"no key in these files matches it; give the key with which its request was "
			"made");
}

static void pair_key(const struct inspection *inspection, struct inspected *file)
{
	json_t *certificates = json_array();
	bool is_offered = false;
	for (size_t i = 0; i < inspection->count; i++) {
		const struct inspected *other = &inspection->files[i];
		is_offered = is_offered || (other->certificates && !other->key);
		if (fits(other, file))
			json_array_append_new(certificates, text_of(other->path));
	}
	bool is_used = json_array_size(certificates) > 0;
	const char *algorithm = json_string_value(json_object_get(file->json, "algorithm"));
	bool may_sign = algorithm && !strcmp(algorithm, "EC P-256") && !is_used;
	json_object_set_new(file->json, "certificates", certificates);
	if (!is_used && is_called_p8(file->path)) {
		json_object_del(file->json, "certificates");
		judge_p8(file, inspection->passphrase_file);
		return;
	}
	json_object_set_new(file->json, "may_sign", json_boolean(may_sign));
	if (is_offered && !is_used && !json_object_get(file->json, "why"))
		refuse(file, "it matches no certificate in these files");
}

json_t *inspect_files(char **paths, const char *passphrase_file)
{
	struct inspection inspection = {.passphrase_file = passphrase_file};
	json_t *answer = json_array();
	while (paths[inspection.count])
		inspection.count++;
	inspection.files = mem_alloc_zero(inspection.count + 1, sizeof(*inspection.files));
	for (size_t i = 0; i < inspection.count; i++) {
		inspection.files[i].path = paths[i];
		read_file(&inspection.files[i], passphrase_file);
	}
	for (size_t i = 0; i < inspection.count; i++) {
		struct inspected *file = &inspection.files[i];
		if (is_kind(file, "certificate") && file->certificates)
			pair_certificate(&inspection, file);
		else if (file->is_alone)
			pair_key(&inspection, file);
		json_array_append_new(answer, file->json);
	}
	for (size_t i = 0; i < inspection.count; i++) {
		sk_X509_pop_free(inspection.files[i].certificates, X509_free);
		EVP_PKEY_free(inspection.files[i].key);
	}
	free(inspection.files);
	return answer;
}
