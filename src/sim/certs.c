#include "sim/certs.h"

#include "base/mem.h"
#include "sim/bearer.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_S (24 * 60 * 60L)
#define CA_DAYS 3650
#define SERVER_NAMES "DNS:localhost,DNS:api.push.apple.com,IP:127.0.0.1,IP:::1"
#define OID_TOPICS "1.2.840.113635.100.6.3.6"
#define OID_PRODUCTION "1.2.840.113635.100.6.3.2"

MEM_DEFINE_CLEANUP(x509_cleanup, X509, X509_free)
MEM_DEFINE_CLEANUP(key_cleanup, EVP_PKEY, EVP_PKEY_free)
MEM_DEFINE_CLEANUP(object_cleanup, ASN1_OBJECT, ASN1_OBJECT_free)
MEM_DEFINE_CLEANUP(string_cleanup, ASN1_OCTET_STRING, ASN1_OCTET_STRING_free)
MEM_DEFINE_CLEANUP(extension_cleanup, X509_EXTENSION, X509_EXTENSION_free)
#define x509_auto __attribute__((cleanup(x509_cleanup)))
#define key_auto __attribute__((cleanup(key_cleanup)))
#define object_auto __attribute__((cleanup(object_cleanup)))
#define string_auto __attribute__((cleanup(string_cleanup)))
#define extension_auto __attribute__((cleanup(extension_cleanup)))

static void sequence_free(ASN1_SEQUENCE_ANY *sequence)
{
	sk_ASN1_TYPE_pop_free(sequence, ASN1_TYPE_free);
}

MEM_DEFINE_CLEANUP(sequence_cleanup, ASN1_SEQUENCE_ANY, sequence_free)
#define sequence_auto __attribute__((cleanup(sequence_cleanup)))

struct pair {
	X509 *certificate;
	EVP_PKEY *key;
};

static void pair_cleanup(struct pair *pair)
{
	X509_free(pair->certificate);
	EVP_PKEY_free(pair->key);
}

#define pair_auto __attribute__((cleanup(pair_cleanup)))

static int openssl_failed(struct err *err, const char *what)
{
	char reason[256];
	ERR_error_string_n(ERR_get_error(), reason, sizeof(reason));
	ERR_clear_error();
	return err_set(err, -EIO, "%s: %s", what, reason);
}

/* Truncates and writes; the mode counts from the first byte on. */
static FILE *open_for_writing(const char *path, mode_t mode, struct err *err)
{
	if (unlink(path) && errno != ENOENT) {
		err_set(err, -errno, "cannot replace '%s': %s", path, strerror(errno));
		return NULL;
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file) {
		err_set(err, -errno, "cannot write '%s': %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	return file;
}

static int write_pair(const char *dir, const char *name, const struct pair *pair, struct err *err)
{
	mem_auto char *key_path = mem_printf("%s/%s.key", dir, name);
	FILE *file = open_for_writing(key_path, 0600, err);
	if (!file)
		return -EIO;
	int written = PEM_write_PrivateKey(file, pair->key, NULL, NULL, 0, NULL, NULL);
	if (fclose(file) || !written)
		return openssl_failed(err, key_path);

	mem_auto char *path = mem_printf("%s/%s.pem", dir, name);
	file = open_for_writing(path, 0644, err);
	if (!file)
		return -EIO;
	written = PEM_write_X509(file, pair->certificate);
	if (fclose(file) || !written)
		return openssl_failed(err, path);
	return 0;
}

static int read_authority(const char *dir, struct pair *ret, struct err *err)
{
	mem_auto char *path = mem_printf("%s/ca.pem", dir);
	mem_auto char *key_path = mem_printf("%s/ca.key", dir);
	FILE *file = fopen(path, "re");
	if (!file)
		return err_set(err, -errno,
			"cannot read '%s': %s; create it with apns-sim --init %s", path,
			strerror(errno), dir);
	x509_auto X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	if (!certificate)
		return openssl_failed(err, path);

	file = fopen(key_path, "re");
	if (!file)
		return err_set(err, -errno, "cannot read '%s': %s", key_path, strerror(errno));
	key_auto EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	fclose(file);
	if (!key)
		return openssl_failed(err, key_path);

	ret->certificate = mem_steal(certificate);
	ret->key = mem_steal(key);
	return 0;
}

static int add_extension(
	X509 *certificate, X509 *issuer, int nid, const char *value, struct err *err)
{
	X509V3_CTX context;
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension_auto X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	if (!extension || !X509_add_ext(certificate, extension, -1))
		return openssl_failed(err, "cannot add an extension to the certificate");
	return 0;
}

static int add_der_extension(
	X509 *certificate, const char *oid, const uint8_t *der, int size, struct err *err)
{
	object_auto ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	string_auto ASN1_OCTET_STRING *string = ASN1_OCTET_STRING_new();
	if (!object || !string || !ASN1_OCTET_STRING_set(string, der, size))
		return openssl_failed(err, oid);
	extension_auto X509_EXTENSION *extension =
		X509_EXTENSION_create_by_OBJ(NULL, object, 0, string);
	if (!extension || !X509_add_ext(certificate, extension, -1))
		return openssl_failed(err, oid);
	return 0;
}

/* Begins a certificate and its key: all but the subject, the extensions and the signature. */
static int begin_pair(long begin_s, long end_s, struct pair *ret, struct err *err)
{
	key_auto EVP_PKEY *key = EVP_EC_gen("P-256");
	x509_auto X509 *certificate = X509_new();
	uint8_t serial[16];
	if (!key || !certificate || RAND_bytes(serial, sizeof(serial)) != 1)
		return openssl_failed(err, "cannot create a key");
	serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* positive, and never shortened */

	ASN1_INTEGER *number = X509_get_serialNumber(certificate);
	if (!X509_set_version(certificate, X509_VERSION_3) ||
		!ASN1_STRING_set(number, serial, sizeof(serial)) ||
		!X509_gmtime_adj(X509_getm_notBefore(certificate), begin_s) ||
		!X509_gmtime_adj(X509_getm_notAfter(certificate), end_s) ||
		!X509_set_pubkey(certificate, key))
		return openssl_failed(err, "cannot create a certificate");

	ret->certificate = mem_steal(certificate);
	ret->key = mem_steal(key);
	return 0;
}

/* One that has expired was valid for a day. */
static long begin_of(int days)
{
	return days < 0 ? (days - 1) * DAY_S : -DAY_S;
}

static int add_name(X509 *certificate, const char *field, const char *value, struct err *err)
{
	if (!X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), field, MBSTRING_UTF8,
		    (const unsigned char *)value, -1, -1, 0))
		return openssl_failed(err, "cannot put the name into the certificate");
	return 0;
}

static int sign(const struct pair *pair, const struct pair *authority, struct err *err)
{
	if (!X509_set_issuer_name(
		    pair->certificate, X509_get_subject_name(authority->certificate)) ||
		!X509_sign(pair->certificate, authority->key, EVP_sha256()))
		return openssl_failed(err, "cannot sign the certificate");
	return 0;
}

/* `above` NULL: it signs itself. */
static int make_authority(
	const char *name, const struct pair *above, struct pair *ret, struct err *err)
{
	struct pair pair_auto pair = {0};
	int r = begin_pair(-DAY_S, CA_DAYS * DAY_S, &pair, err);
	if (r < 0)
		return r;
	X509 *certificate = pair.certificate;
	if ((r = add_name(certificate, "CN", name, err)) < 0 ||
		(r = add_extension(certificate, certificate, NID_basic_constraints,
			 "critical,CA:TRUE", err)) < 0 ||
		(r = add_extension(certificate, certificate, NID_key_usage,
			 "critical,keyCertSign,cRLSign", err)) < 0 ||
		(r = add_extension(
			 certificate, certificate, NID_subject_key_identifier, "hash", err)) < 0 ||
		(r = sign(&pair, above ? above : &pair, err)) < 0)
		return r;

	ret->certificate = mem_steal(pair.certificate);
	ret->key = mem_steal(pair.key);
	return 0;
}

/* Extensions of every end certificate: not an authority, and only for `usage`. */
static int add_end_extensions(X509 *certificate, X509 *issuer, const char *usage, struct err *err)
{
	int r;
	if ((r = add_extension(
		     certificate, issuer, NID_basic_constraints, "critical,CA:FALSE", err)) < 0 ||
		(r = add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature",
			 err)) < 0 ||
		(r = add_extension(certificate, issuer, NID_ext_key_usage, usage, err)) < 0 ||
		(r = add_extension(
			 certificate, issuer, NID_authority_key_identifier, "keyid", err)) < 0)
		return r;
	return 0;
}

static int make_server(const char *dir, const struct pair *authority, int days, struct err *err)
{
	struct pair pair_auto pair = {0};
	int r = begin_pair(begin_of(days), days * DAY_S, &pair, err);
	if (r < 0)
		return r;
	X509 *certificate = pair.certificate;
	if ((r = add_name(certificate, "CN", "localhost", err)) < 0 ||
		(r = add_end_extensions(certificate, authority->certificate, "serverAuth", err)) <
			0 ||
		(r = add_extension(certificate, authority->certificate, NID_subject_alt_name,
			 SERVER_NAMES, err)) < 0 ||
		(r = sign(&pair, authority, err)) < 0)
		return r;
	return write_pair(dir, "server", &pair, err);
}

static bool push_string(ASN1_SEQUENCE_ANY *sequence, const char *text)
{
	ASN1_STRING *string = ASN1_UTF8STRING_new();
	ASN1_TYPE *type = ASN1_TYPE_new();
	if (!string || !type || !ASN1_STRING_set(string, text, -1)) {
		ASN1_STRING_free(string);
		ASN1_TYPE_free(type);
		return false;
	}
	ASN1_TYPE_set(type, V_ASN1_UTF8STRING, string);
	if (sk_ASN1_TYPE_push(sequence, type) <= 0) {
		ASN1_TYPE_free(type);
		return false;
	}
	return true;
}

static bool push_sequence(ASN1_SEQUENCE_ANY *outer, const ASN1_SEQUENCE_ANY *inner)
{
	uint8_t *der = NULL;
	int size = i2d_ASN1_SEQUENCE_ANY(inner, &der);
	ASN1_STRING *string = ASN1_STRING_type_new(V_ASN1_SEQUENCE);
	ASN1_TYPE *type = ASN1_TYPE_new();
	if (size < 0 || !string || !type) {
		OPENSSL_free(der);
		ASN1_STRING_free(string);
		ASN1_TYPE_free(type);
		return false;
	}
	ASN1_STRING_set0(string, der, size);
	ASN1_TYPE_set(type, V_ASN1_SEQUENCE, string);
	if (sk_ASN1_TYPE_push(outer, type) <= 0) {
		ASN1_TYPE_free(type);
		return false;
	}
	return true;
}

static int add_topics(X509 *certificate, const char *topic, struct err *err)
{
	mem_auto char *voip = mem_printf("%s.voip", topic);
	const char *const topics[][2] = {{topic, "app"}, {voip, "voip"}};
	sequence_auto ASN1_SEQUENCE_ANY *all = sk_ASN1_TYPE_new_null();
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
		sequence_auto ASN1_SEQUENCE_ANY *options = sk_ASN1_TYPE_new_null();
		if (!all || !options || !push_string(options, topics[i][1]) ||
			!push_string(all, topics[i][0]) || !push_sequence(all, options))
			return openssl_failed(err, "cannot put the topics into the certificate");
	}

	uint8_t *der = NULL;
	int size = i2d_ASN1_SEQUENCE_ANY(all, &der);
	if (size < 0)
		return openssl_failed(err, "cannot put the topics into the certificate");
	int r = add_der_extension(certificate, OID_TOPICS, der, size, err);
	OPENSSL_free(der);
	return r;
}

static int make_client(const struct pair *authority, const struct certs_client *client,
	struct pair *ret, struct err *err)
{
	static const uint8_t null[] = {0x05, 0x00};
	struct pair pair_auto pair = {0};
	int r = client->has_seconds
		? begin_pair(client->begin_s, client->end_s, &pair, err)
		: begin_pair(begin_of(client->days), client->days * DAY_S, &pair, err);
	if (r < 0)
		return r;

	/* X.520 allows 64 characters of common name, which topics often exceed. */
	mem_auto char *name = client->name
		? mem_dup(client->name)
		: mem_printf("Apple Push Services: %.42s", client->topic);
	X509 *certificate = pair.certificate;
	if ((r = add_name(certificate, "UID", client->topic, err)) < 0 ||
		(r = add_name(certificate, "CN", name, err)) < 0 ||
		(r = add_end_extensions(certificate, authority->certificate, "clientAuth", err)) <
			0 ||
		(r = add_der_extension(certificate, OID_PRODUCTION, null, sizeof(null), err)) < 0 ||
		(r = add_topics(certificate, client->topic, err)) < 0 ||
		(r = sign(&pair, authority, err)) < 0)
		return r;
	ret->certificate = mem_steal(pair.certificate);
	ret->key = mem_steal(pair.key);
	return 0;
}

/* NAME.pem with the certificate of another authority behind it, and NAME.key. */
static int make_chained(const char *dir, const struct pair *authority,
	const struct certs_client *client, struct err *err)
{
	struct pair pair_auto middle = {0};
	struct pair pair_auto pair = {0};
	mem_auto char *name = mem_printf("%s-chained", client->file);
	mem_auto char *path = mem_printf("%s/%s.pem", dir, name);
	int r;
	if ((r = make_authority("apns-sim trial middle authority", authority, &middle, err)) < 0 ||
		(r = make_client(&middle, client, &pair, err)) < 0 ||
		(r = write_pair(dir, name, &pair, err)) < 0)
		return r;
	FILE *file = fopen(path, "ae");
	int written = file && PEM_write_X509(file, middle.certificate);
	if (!file || fclose(file) || !written)
		return err_set(err, -EIO, "cannot write '%s'", path);
	return 0;
}

struct encryption {
	const char *suffix;
	int of_key;
	int of_certificate;
	const EVP_MD *(*of_mac)(void);
};

static const struct encryption encryptions[] = {
	{"", NID_aes_256_cbc, NID_aes_256_cbc, EVP_sha256},
	{"-old", NID_pbe_WithSHA1And3_Key_TripleDES_CBC, NID_pbe_WithSHA1And40BitRC2_CBC, EVP_sha1},
};

static int write_pkcs12(const char *dir, const char *name, const struct pair *pair,
	const struct encryption *encryption, OSSL_LIB_CTX *context, struct err *err)
{
	mem_auto char *path = mem_printf("%s/%s%s.p12", dir, name, encryption->suffix);
	PKCS12 *pkcs12 = PKCS12_create_ex(CERTS_PASSPHRASE, name, pair->key, pair->certificate,
		NULL, encryption->of_key, encryption->of_certificate, 0, -1, 0, context, NULL);
	if (!pkcs12 ||
		!PKCS12_set_mac(pkcs12, CERTS_PASSPHRASE, -1, NULL, 0, 0, encryption->of_mac())) {
		PKCS12_free(pkcs12);
		return openssl_failed(err, path);
	}
	FILE *file = open_for_writing(path, 0600, err);
	int written = file ? i2d_PKCS12_fp(file, pkcs12) : 0;
	PKCS12_free(pkcs12);
	if (!file)
		return -EIO;
	if (fclose(file) || !written)
		return openssl_failed(err, path);
	return 0;
}

/* The old ciphers are in the legacy provider, loaded into a context of its own. */
static int write_pkcs12s(
	const char *dir, const char *name, const struct pair *pair, struct err *err)
{
	OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();
	OSSL_PROVIDER *usual = OSSL_PROVIDER_load(context, "default");
	OSSL_PROVIDER *legacy = OSSL_PROVIDER_load(context, "legacy");
	int r = usual && legacy ? 0
				: err_set(err, -ENOENT,
					  "OpenSSL's legacy provider cannot be loaded; install "
					  "legacy.so of OpenSSL");
	for (size_t i = 0; r == 0 && i < sizeof(encryptions) / sizeof(encryptions[0]); i++)
		r = write_pkcs12(dir, name, pair, &encryptions[i], context, err);
	if (legacy)
		OSSL_PROVIDER_unload(legacy);
	if (usual)
		OSSL_PROVIDER_unload(usual);
	OSSL_LIB_CTX_free(context);
	return r;
}

static int write_passphrase(const char *dir, struct err *err)
{
	mem_auto char *path = mem_printf("%s/passphrase", dir);
	FILE *file = open_for_writing(path, 0600, err);
	if (!file)
		return -EIO;
	int written = fputs(CERTS_PASSPHRASE "\n", file) >= 0;
	if (fclose(file) || !written)
		return err_set(err, -EIO, "cannot write '%s'", path);
	return 0;
}

int certs_add_key(const char *dir, const char *key_id, struct err *err)
{
	key_auto EVP_PKEY *key = EVP_EC_gen("P-256");
	if (!key)
		return openssl_failed(err, "cannot create a key");
	mem_auto char *path = mem_printf("%s/AuthKey_%s.p8", dir, key_id);
	FILE *file = open_for_writing(path, 0600, err);
	if (!file)
		return -EIO;
	int written = PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	if (fclose(file) || !written)
		return openssl_failed(err, path);
	mem_auto char *public_path = mem_printf("%s/AuthKey_%s.pub", dir, key_id);
	file = open_for_writing(public_path, 0644, err);
	if (!file)
		return -EIO;
	written = PEM_write_PUBKEY(file, key);
	if (fclose(file) || !written)
		return openssl_failed(err, public_path);
	return 0;
}

int certs_init(const char *dir, const struct certs_client *client, struct err *err)
{
	if (mkdir(dir, 0700) && errno != EEXIST)
		return err_set(err, -errno, "cannot create '%s': %s", dir, strerror(errno));
	struct pair pair_auto authority = {0};
	struct pair pair_auto pair = {0};
	int r;
	if ((r = make_authority("apns-sim trial authority", NULL, &authority, err)) < 0 ||
		(r = write_pair(dir, "ca", &authority, err)) < 0 ||
		(r = make_server(dir, &authority, client->days, err)) < 0 ||
		(r = make_client(&authority, client, &pair, err)) < 0 ||
		(r = write_pair(dir, client->file, &pair, err)) < 0 ||
		(r = write_pkcs12s(dir, client->file, &pair, err)) < 0 ||
		(r = write_passphrase(dir, err)) < 0 ||
		(r = make_chained(dir, &authority, client, err)) < 0)
		return r;
	return certs_add_key(dir, BEARER_KEY_ID, err);
}

int certs_add_client(const char *dir, const struct certs_client *client, struct err *err)
{
	struct pair pair_auto authority = {0};
	struct pair pair_auto pair = {0};
	int r;
	if ((r = read_authority(dir, &authority, err)) < 0 ||
		(r = make_client(&authority, client, &pair, err)) < 0)
		return r;
	return write_pair(dir, client->file, &pair, err);
}

static void add_topic(struct peer *peer, const ASN1_STRING *string)
{
	int size = ASN1_STRING_length(string);
	if (peer->topics == CERTS_TOPICS_MAX || size <= 0 || size > SERVICE_TOPIC_MAX)
		return;
	peer->topic = mem_realloc_array(peer->topic, peer->topics + 1, sizeof(char *));
	peer->topic[peer->topics++] = mem_dup_n(ASN1_STRING_get0_data(string), (size_t)size);
}

static void read_uid(X509 *certificate, struct peer *peer)
{
	X509_NAME *subject = X509_get_subject_name(certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_userId, -1);
	if (at >= 0)
		add_topic(peer, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

static void read_extension(X509 *certificate, struct peer *peer)
{
	object_auto ASN1_OBJECT *object = OBJ_txt2obj(OID_TOPICS, 1);
	int at = object ? X509_get_ext_by_OBJ(certificate, object, -1) : -1;
	if (at < 0)
		return;
	const ASN1_OCTET_STRING *string = X509_EXTENSION_get_data(X509_get_ext(certificate, at));
	const uint8_t *der = ASN1_STRING_get0_data(string);
	sequence_auto ASN1_SEQUENCE_ANY *topics =
		d2i_ASN1_SEQUENCE_ANY(NULL, &der, ASN1_STRING_length(string));
	for (int i = 0; i < sk_ASN1_TYPE_num(topics); i++) {
		const ASN1_TYPE *type = sk_ASN1_TYPE_value(topics, i);
		if (type->type == V_ASN1_UTF8STRING)
			add_topic(peer, type->value.utf8string);
	}
	ERR_clear_error();
}

void certs_read_topics(X509 *certificate, struct peer *peer)
{
	read_uid(certificate, peer);
	read_extension(certificate, peer);
}

void certs_peer_fini(struct peer *peer)
{
	for (size_t i = 0; i < peer->topics; i++)
		free(peer->topic[i]);
	free(peer->topic);
	peer->topic = NULL;
	peer->topics = 0;
}
