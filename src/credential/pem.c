#include "credential/pem.h"

#include "base/mem.h"
#include "credential/secret.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#define CERTIFICATES_MAX 11
#define WANTED "give the path of a PEM file"

static void bio_cleanup(BIO **bio)
{
	BIO_free(*bio);
}

#define bio_auto __attribute__((cleanup(bio_cleanup)))

static void stack_cleanup(STACK_OF(X509) * *stack)
{
	sk_X509_pop_free(*stack, X509_free);
}

static bool is_end_of_blocks(void)
{
	unsigned long code = ERR_peek_last_error();
	return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

struct asked {
	const struct secret *passphrase; /* NULL: none */
	bool was_asked;
};

/* Without a callback OpenSSL would ask on the terminal. */
static int on_passphrase(char *buffer, int size, int is_writing, void *ctx)
{
	struct asked *asked = ctx;
	(void)is_writing;
	asked->was_asked = true;
	if (!asked->passphrase || asked->passphrase->size > (size_t)size)
		return -1;
	memcpy(buffer, asked->passphrase->bytes, asked->passphrase->size);
	return (int)asked->passphrase->size;
}

int pem_read_certificates(const char *path, STACK_OF(X509) * *ret, struct err *err)
{
	struct secret secret_auto file = {0};
	int r = secret_read_text("certificate", path, WANTED, &file, err);
	if (r < 0)
		return r;
	bio_auto BIO *bio = BIO_new_mem_buf(file.bytes, (int)file.size);
	__attribute__((cleanup(stack_cleanup))) STACK_OF(X509) *stack = sk_X509_new_null();
	struct asked asked = {0};
	ERR_clear_error();
	for (;;) {
		/* Also a "TRUSTED CERTIFICATE"; other blocks are passed over. */
		X509 *next = PEM_read_bio_X509_AUX(bio, NULL, on_passphrase, &asked);
		if (!next)
			break;
		sk_X509_push(stack, next);
		if (sk_X509_num(stack) > CERTIFICATES_MAX)
			return err_set(err, -EINVAL,
				"'%s' holds more than %d certificates; leave only Apple's "
				"certificate and its chain in it",
				path, CERTIFICATES_MAX);
	}
	bool is_whole = is_end_of_blocks();
	ERR_clear_error();
	if (asked.was_asked)
		return err_set(err, -EINVAL,
			"'%s' holds an encrypted certificate; decrypt it with openssl x509", path);
	if (!is_whole)
		return err_set(err, -EINVAL,
			"'%s' is damaged after its first %d certificates; copy it again from its "
			"source",
			path, sk_X509_num(stack));
	if (sk_X509_num(stack) == 0)
		return err_set(err, -EINVAL,
			"'%s' holds no certificate in PEM form; convert it, e.g. with openssl x509 "
			"-inform DER",
			path);
	*ret = mem_steal(stack);
	return 0;
}

/*
 * The code that wanted the cipher reports this; errors of its callers follow it.  Decoders report
 * their own when what a wrong passphrase made of the file is no key.
 */
static bool has_outdated_cipher(void)
{
	for (unsigned long code; (code = ERR_get_error());) {
		int reason = ERR_GET_REASON(code);
		if (ERR_GET_LIB(code) == ERR_LIB_EVP &&
			(reason == ERR_R_UNSUPPORTED || reason == EVP_R_UNSUPPORTED_ALGORITHM))
			return true;
	}
	return false;
}

int pem_read_key(const char *path, const char *passphrase_file, EVP_PKEY **ret,
	bool *ret_is_exposed, struct err *err)
{
	struct secret secret_auto passphrase = {0};
	struct secret secret_auto file = {0};
	int r = passphrase_file ? secret_read_passphrase(passphrase_file, &passphrase, err) : 0;
	if (r == 0)
		r = secret_read_text("key", path, WANTED, &file, err);
	if (r < 0)
		return r;

	struct asked asked = {passphrase_file ? &passphrase : NULL, false};
	bio_auto BIO *bio = BIO_new_mem_buf(file.bytes, (int)file.size);
	ERR_clear_error();
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &asked);
	bool is_outdated = has_outdated_cipher();
	ERR_clear_error();
	if (!key && asked.was_asked && !passphrase_file)
		return err_set(err, -EINVAL,
			"key '%s' is encrypted; set passphrase_file, or decrypt it with openssl "
			"pkey",
			path);
	if (!key && asked.was_asked && is_outdated)
		return err_set(err, -EINVAL,
			"key '%s' is encrypted with an old cipher that OpenSSL no longer uses; "
			"encrypt it anew, on the machine that made it, with openssl pkey -aes256",
			path);
	if (!key && asked.was_asked)
		return err_set(err, -EKEYREJECTED,
			"the passphrase in '%s' does not open key '%s'; correct its first line",
			passphrase_file, path);
	if (!key)
		return err_set(err, -EINVAL,
			"'%s' holds no private key in PEM form; set `key` to the key that the "
			"certificate request was made with",
			path);
	*ret = key;
	*ret_is_exposed = file.is_exposed || passphrase.is_exposed;
	return 0;
}
