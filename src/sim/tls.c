#include "sim/tls.h"

#include "base/mem.h"
#include "sim/certs.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

#define READ_BUFFER_SIZE (64 * 1024)

MEM_DEFINE_CLEANUP(context_cleanup, SSL_CTX, SSL_CTX_free)

const char *tls_last_error(char *text, size_t size)
{
	unsigned long code = ERR_get_error();
	text[0] = '\0';
	if (code)
		ERR_error_string_n(code, text, size);
	ERR_clear_error();
	return text;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
	const unsigned char *in, unsigned int in_size, void *arg)
{
	const struct tls_fault *fault = SSL_get_app_data(ssl);
	(void)arg;
	if (fault->has_no_alpn)
		return SSL_TLSEXT_ERR_NOACK;
	if (fault->refuses_h2)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	for (unsigned int i = 0; i < in_size && in_size - i > in[i]; i += 1u + in[i]) {
		if (in[i] == 2 && !memcmp(in + i + 1, "h2", 2)) {
			*out = in + i + 1;
			*out_size = 2;
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

bool tls_fault_parse(const char *name, int *ret)
{
	static const struct {
		const char *name;
		int error;
	} faults[] = {
		{"good", X509_V_OK},
		{"bad", X509_V_ERR_CERT_REJECTED},
		{"expired", X509_V_ERR_CERT_HAS_EXPIRED},
		{"revoked", X509_V_ERR_CERT_REVOKED},
		{"stranger", X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
	};
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (!strcmp(name, faults[i].name)) {
			*ret = faults[i].error;
			return true;
		}
	}
	return false;
}

/* OpenSSL makes the alert of the error. */
static int on_verify(int is_good, X509_STORE_CTX *verify)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(verify, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct tls_fault *fault = SSL_get_app_data(ssl);
	if (fault->verify_error == X509_V_OK)
		return is_good;
	X509_STORE_CTX_set_error(verify, fault->verify_error);
	return 0;
}

SSL *tls_open(SSL_CTX *context, const struct tls_fault *fault)
{
	static const unsigned char another_id_context[] = "fault";
	SSL *ssl = SSL_new(context);
	if (!ssl || SSL_set_app_data(ssl, (void *)(uintptr_t)fault) != 1)
		abort();
	if (SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE)
		SSL_set_verify(ssl, SSL_get_verify_mode(ssl), on_verify);
	/* A resumed session would not be verified again. */
	if (fault->verify_error != X509_V_OK)
		SSL_set_session_id_context(ssl, another_id_context, sizeof(another_id_context));
	return ssl;
}

int tls_new(const char *dir, bool has_client_auth, SSL_CTX **ret, struct err *err)
{
	char text[256];
	mem_auto char *certificate = mem_printf("%s/server.pem", dir);
	mem_auto char *key = mem_printf("%s/server.key", dir);
	mem_auto char *authority = mem_printf("%s/ca.pem", dir);
	__attribute__((cleanup(context_cleanup))) SSL_CTX *context =
		SSL_CTX_new(TLS_server_method());
	if (!context)
		return err_set(
			err, -EIO, "cannot set up TLS: %s", tls_last_error(text, sizeof(text)));

	if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
		SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
		return err_set(err, -EIO,
			"cannot use '%s' and '%s': %s; create them with apns-sim --init %s",
			certificate, key, tls_last_error(text, sizeof(text)), dir);
	if (has_client_auth) {
		STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(authority);
		if (!names || SSL_CTX_load_verify_file(context, authority) != 1) {
			sk_X509_NAME_pop_free(names, X509_NAME_free);
			return err_set(err, -EIO, "cannot use '%s': %s", authority,
				tls_last_error(text, sizeof(text)));
		}
		SSL_CTX_set_client_CA_list(context, names);
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	}

	static const unsigned char session_id_context[] = "apns-sim";
	SSL_CTX_set_session_id_context(context, session_id_context, sizeof(session_id_context));
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(
		context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Otherwise it takes two system calls a record. */
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_default_read_buffer_len(context, READ_BUFFER_SIZE);

	*ret = mem_steal(context);
	return 0;
}

void tls_read_peer(SSL *ssl, bool has_client_auth, struct peer *ret)
{
	*ret = (struct peer){.has_any_topic = !has_client_auth};
	X509 *certificate = SSL_get1_peer_certificate(ssl);
	if (!certificate)
		return;
	ret->has_certificate = true;
	certs_read_topics(certificate, ret);
	X509_free(certificate);
}
