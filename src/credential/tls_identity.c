#include "credential/tls_identity.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

const char *tls_identity_reason(char ret[256])
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	if (reason)
		strncpy(ret, reason, 255);
	else
		ERR_error_string_n(code, ret, 255);
	ret[255] = '\0';
	ERR_clear_error();
	return ret;
}

int tls_identity_use(SSL_CTX *context, const struct tls_identity *identity, struct err *err)
{
	char text[256];
	ERR_clear_error();
	if (SSL_CTX_use_certificate(context, identity->certificate) == 1 &&
		SSL_CTX_use_PrivateKey(context, identity->key) == 1 &&
		(sk_X509_num(identity->chain) <= 0 ||
			SSL_CTX_set1_chain(context, identity->chain) == 1))
		return 0;
	return err_set(err, -EINVAL,
		"TLS cannot use %s and its key: %s; get a certificate for a new key, of 2048 bits "
		"if it is RSA",
		identity->file, tls_identity_reason(text));
}

int tls_identity_check(const struct tls_identity *identity, struct err *err)
{
	char text[256];
	ERR_clear_error();
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	if (!context)
		return err_set(err, -EIO,
			"cannot set up TLS for %s: %s; see what openssl.cnf allows", identity->file,
			tls_identity_reason(text));
	int status = tls_identity_use(context, identity, err);
	SSL_CTX_free(context);
	return status;
}
