/*
 * certificates - makes client certificates of Apple's shape, and of wrong shapes, for tests.
 */
#ifndef MAILPUSH_TESTS_CERTIFICATES_H
#define MAILPUSH_TESTS_CERTIFICATES_H

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct certificate_shape {
	const char *uid;		 /* NULL: none */
	const uint8_t *topics_extension; /* DER; NULL: none */
	int topics_extension_size;
	bool is_for_production;
	long begin_s, end_s; /* from now; both 0: a year from now */
};

static EVP_PKEY *make_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	assert(key);
	return key;
}

static void add_extension(X509 *certificate, const char *oid, const uint8_t *der, int size)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	ASN1_OCTET_STRING_set(value, der, size);
	X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, object, 0, value);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(object);
}

static X509 *make_certificate(const struct certificate_shape *shape, EVP_PKEY *key)
{
	static const uint8_t null[] = {0x05, 0x00};
	X509 *certificate = X509_new();
	long end_s = shape->begin_s || shape->end_s ? shape->end_s : 365L * 86400;
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 4711);
	X509_gmtime_adj(X509_getm_notBefore(certificate), shape->begin_s);
	X509_gmtime_adj(X509_getm_notAfter(certificate), end_s);
	X509_set_pubkey(certificate, key);
	X509_NAME *name = X509_get_subject_name(certificate);
	if (shape->uid)
		X509_NAME_add_entry_by_txt(
			name, "UID", MBSTRING_UTF8, (const unsigned char *)shape->uid, -1, -1, 0);
	X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_UTF8, (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(certificate, name);
	if (shape->topics_extension)
		add_extension(certificate, "1.2.840.113635.100.6.3.6", shape->topics_extension,
			shape->topics_extension_size);
	if (shape->is_for_production)
		add_extension(certificate, "1.2.840.113635.100.6.3.2", null, sizeof(null));
	assert(X509_sign(certificate, key, EVP_sha256()));
	return certificate;
}

static void write_certificate(const char *path, const char *mode, X509 *certificate)
{
	FILE *file = fopen(path, mode);
	assert(file && PEM_write_X509(file, certificate));
	fclose(file);
}

/* `passphrase` NULL: not encrypted. */
static void write_key(const char *path, EVP_PKEY *key, const char *passphrase)
{
	FILE *file = fopen(path, "w");
	assert(file && fchmod(fileno(file), 0600) == 0 &&
		PEM_write_PrivateKey(file, key, passphrase ? EVP_aes_128_cbc() : NULL,
			(const unsigned char *)passphrase, passphrase ? (int)strlen(passphrase) : 0,
			NULL, NULL));
	fclose(file);
}

static inline void write_pair(
	const char *certificate_path, const char *key_path, const struct certificate_shape *shape)
{
	EVP_PKEY *key = make_key();
	X509 *certificate = make_certificate(shape, key);
	write_certificate(certificate_path, "w", certificate);
	write_key(key_path, key, NULL);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

#endif
