#include "credential/pkcs12.h"

#include "base/mem.h"
#include "credential/secret.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <string.h>

/* What one file held, in the context that it was read in. */
struct content {
	EVP_PKEY *key;
	X509 *certificate;
	STACK_OF(X509) * chain;
};

static void content_fini(struct content *content)
{
	EVP_PKEY_free(content->key);
	X509_free(content->certificate);
	sk_X509_pop_free(content->chain, X509_free);
}

/* A library context with the old ciphers beside the usual ones. */
struct workshop {
	OSSL_LIB_CTX *context;
	OSSL_PROVIDER *usual;
	OSSL_PROVIDER *legacy; /* NULL: not installed */
};

static void workshop_fini(struct workshop *workshop)
{
	if (workshop->legacy)
		OSSL_PROVIDER_unload(workshop->legacy);
	if (workshop->usual)
		OSSL_PROVIDER_unload(workshop->usual);
	OSSL_LIB_CTX_free(workshop->context);
}

static void workshop_init(struct workshop *workshop)
{
	workshop->context = OSSL_LIB_CTX_new();
	workshop->usual = OSSL_PROVIDER_load(workshop->context, "default");
	workshop->legacy = OSSL_PROVIDER_load(workshop->context, "legacy");
}

static X509 *moved_certificate(X509 *certificate)
{
	unsigned char *der = NULL;
	int size = i2d_X509(certificate, &der);
	const unsigned char *at = der;
	X509 *moved = size > 0 ? d2i_X509(NULL, &at, size) : NULL;
	OPENSSL_free(der);
	return moved;
}

static EVP_PKEY *moved_key(EVP_PKEY *key)
{
	unsigned char *der = NULL;
	int size = i2d_PrivateKey(key, &der);
	const unsigned char *at = der;
	EVP_PKEY *moved = size > 0 ? d2i_AutoPrivateKey(NULL, &at, size) : NULL;
	if (size > 0)
		OPENSSL_clear_free(der, (size_t)size);
	return moved;
}

static void add_moved(STACK_OF(X509) * to, X509 *certificate)
{
	X509 *moved = moved_certificate(certificate);
	if (moved)
		sk_X509_push(to, moved);
}

static int check_passphrase(const char *path, const char *passphrase_file, PKCS12 *file,
	const char *passphrase, size_t size, struct err *err)
{
	if (!PKCS12_mac_present(file) || PKCS12_verify_mac(file, passphrase, (int)size) ||
		(size == 0 && PKCS12_verify_mac(file, NULL, 0)))
		return 0;
	ERR_clear_error();
	if (!passphrase_file)
		return err_set(err, -EINVAL,
			"PKCS#12 file '%s' is encrypted; set passphrase_file to a file with its "
			"passphrase in the first line",
			path);
	return err_set(err, -EKEYREJECTED,
		"the passphrase in '%s' does not open PKCS#12 file '%s'; correct its first line",
		passphrase_file, path);
}

static int parse(const char *path, const char *passphrase_file, const struct workshop *workshop,
	const struct secret *bytes, const struct secret *passphrase, struct content *ret,
	struct err *err)
{
	const unsigned char *at = (const unsigned char *)bytes->bytes;
	PKCS12 *file = PKCS12_init_ex(NID_pkcs7_data, workshop->context, NULL);
	if (!file)
		abort();
	if (!d2i_PKCS12(&file, &at, (long)bytes->size)) {
		ERR_clear_error(); /* `file` is freed and NULL then */
		return err_set(err, -EINVAL,
			"'%s' is not a PKCS#12 file; for PEM set certificate and key instead",
			path);
	}
	const char *word = passphrase->bytes ? passphrase->bytes : "";
	int r = check_passphrase(path, passphrase_file, file, word, passphrase->size, err);
	if (r == 0 && !PKCS12_parse(file, word, &ret->key, &ret->certificate, &ret->chain)) {
		const char *reason = ERR_reason_error_string(ERR_peek_error());
		r = err_set(err, -EINVAL, "cannot decrypt PKCS#12 file '%s': %s; %s", path,
			reason ? reason : "unknown",
			workshop->legacy ? "convert it to PEM with openssl pkcs12 -legacy"
					 : "OpenSSL's legacy provider is not installed: convert it "
					   "elsewhere to PEM with openssl pkcs12 -legacy");
	}
	ERR_clear_error();
	PKCS12_free(file);
	return r;
}

int pkcs12_read(const char *path, const char *passphrase_file, EVP_PKEY **ret_key,
	STACK_OF(X509) * *ret_certificates, bool *ret_is_exposed, struct err *err)
{
	struct secret secret_auto passphrase = {0};
	struct secret secret_auto bytes = {0};
	int r = passphrase_file ? secret_read_passphrase(passphrase_file, &passphrase, err) : 0;
	if (r == 0)
		r = secret_read("PKCS#12 file", path, "give the path of a .p12 file", &bytes, err);
	if (r < 0)
		return r;

	__attribute__((cleanup(workshop_fini))) struct workshop workshop = {0};
	__attribute__((cleanup(content_fini))) struct content content = {0};
	workshop_init(&workshop);
	r = parse(path, passphrase_file, &workshop, &bytes, &passphrase, &content, err);
	if (r < 0)
		return r;
	if (!content.key || !content.certificate)
		return err_set(err, -EINVAL,
			"PKCS#12 file '%s' holds no %s; export certificate and key together", path,
			content.key ? "certificate that fits its key" : "private key");
	EVP_PKEY *key = moved_key(content.key);
	if (!key)
		return err_set(
			err, -EINVAL, "PKCS#12 file '%s' holds a key that cannot be used", path);
	STACK_OF(X509) *certificates = sk_X509_new_null();
	add_moved(certificates, content.certificate);
	for (int i = 0; i < sk_X509_num(content.chain); i++)
		add_moved(certificates, sk_X509_value(content.chain, i));
	ERR_clear_error();
	*ret_key = key;
	*ret_certificates = certificates;
	*ret_is_exposed = bytes.is_exposed || passphrase.is_exposed;
	return 0;
}
