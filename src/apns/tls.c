#include "apns/tls.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BUFFER_SIZE (64 * 1024)

struct tls {
	SSL_CTX *context;
	SSL_SESSION *session; /* the latest, or NULL */
	const char *host;
	bool is_address;
};

MEM_DEFINE_CLEANUP(tls_cleanup, struct tls, tls_free)
MEM_DEFINE_CLEANUP(store_cleanup, X509_STORE, X509_STORE_free)

int tls_trust(const char *ca_file, X509_STORE **ret, struct err *err)
{
	char text[256];
	__attribute__((cleanup(store_cleanup))) X509_STORE *store = X509_STORE_new();
	if (!store)
		abort();
	/* OpenSSL does not report why a file cannot be opened. */
	struct stat status;
	if (ca_file && (stat(ca_file, &status) < 0 || access(ca_file, R_OK) < 0))
		return err_set(err, -errno, "cannot read apns_ca_file '%s': %s; %s", ca_file,
			strerror(errno),
			errno == EACCES ? "let the daemon's user read it"
					: "check the path in mailpush.conf");
	/* OpenSSL would also hang on a pipe. */
	if (ca_file && !S_ISREG(status.st_mode))
		return err_set(err, -EINVAL,
			"cannot use apns_ca_file '%s': it is not a file; give a file of "
			"certificates in PEM form",
			ca_file);
	ERR_clear_error();
	if (ca_file && X509_STORE_load_file(store, ca_file) != 1)
		return err_set(err, -EINVAL,
			"cannot use apns_ca_file '%s': %s; give a file of certificates in PEM form",
			ca_file, tls_identity_reason(text));
	if (!ca_file && X509_STORE_set_default_paths(store) != 1)
		return err_set(err, -EINVAL,
			"cannot use the system's trusted certificates: %s; install the package "
			"ca-certificates, or set apns_ca_file",
			tls_identity_reason(text));
	*ret = mem_steal(store);
	return 0;
}

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	SSL_SESSION_free(tls->session);
	tls->session = session;
	return 1;
}

static bool is_address(const char *host)
{
	uint8_t bytes[16];
	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

int tls_new(X509_STORE *trust, const struct credential *credential, const char *host,
	struct tls **ret, struct err *err)
{
	static const uint8_t h2[] = {2, 'h', '2'};
	char text[256];
	__attribute__((cleanup(tls_cleanup))) struct tls *tls = mem_alloc_zero(1, sizeof(*tls));
	tls->host = host;
	tls->is_address = is_address(host);
	ERR_clear_error();
	SSL_CTX *context = tls->context = SSL_CTX_new(TLS_client_method());
	if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
		SSL_CTX_set_alpn_protos(context, h2, sizeof(h2)) != 0)
		return err_set(err, -EIO, "cannot set up TLS: %s", tls_identity_reason(text));
	SSL_CTX_set1_cert_store(context, trust);
	if (credential->certificate) {
		const struct tls_identity identity = credential_identity(credential);
		int status = tls_identity_use(context, &identity, err);
		if (status)
			return status;
	}

	SSL_CTX_set_app_data(context, tls);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(
		context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, on_new_session);
	/* Saves one of two system calls a record. */
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_default_read_buffer_len(context, READ_BUFFER_SIZE);
	*ret = mem_steal(tls);
	return 0;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	SSL_SESSION_free(tls->session);
	SSL_CTX_free(tls->context);
	free(tls);
}

SSL *tls_open(struct tls *tls, int fd)
{
	SSL *ssl = SSL_new(tls->context);
	if (!ssl || SSL_set_fd(ssl, fd) != 1)
		abort();
	if (tls->is_address) {
		if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), tls->host) != 1)
			abort();
	} else if (SSL_set1_host(ssl, tls->host) != 1 ||
		SSL_set_tlsext_host_name(ssl, tls->host) != 1) {
		abort();
	}
	if (tls->session)
		SSL_set_session(ssl, tls->session);
	SSL_set_connect_state(ssl);
	return ssl;
}

void tls_forget_session(struct tls *tls)
{
	SSL_SESSION_free(tls->session);
	tls->session = NULL;
}

bool tls_is_h2(const SSL *ssl)
{
	const unsigned char *protocol;
	unsigned size;
	SSL_get0_alpn_selected(ssl, &protocol, &size);
	return size == 2 && memcmp(protocol, "h2", 2) == 0;
}

static bool is_refusal(unsigned long code)
{
	if (ERR_GET_LIB(code) != ERR_LIB_SSL)
		return false;
	switch (ERR_GET_REASON(code)) {
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
	case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
		return true;
	default:
		return false;
	}
}

static const char *trust_remedy(long verified)
{
	switch (verified) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return "check apns_host";
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "check this machine's clock, and apns_host";
	default:
		return "check apns_host, and apns_ca_file or the package ca-certificates";
	}
}

bool tls_explain(SSL *ssl, int result, int saved_errno, struct err *err)
{
	char text[256];
	int kind = SSL_get_error(ssl, result);
	unsigned long code = ERR_peek_last_error();
	long verified = SSL_get_verify_result(ssl);

	if (kind == SSL_ERROR_ZERO_RETURN) {
		err_set(err, -EIO, "the server closed the connection");
	} else if (kind == SSL_ERROR_SYSCALL) {
		err_set(err, -EIO, "%s",
			saved_errno ? strerror(saved_errno) : "the server closed the connection");
	} else if (is_refusal(code)) {
		err_set(err, -EIO,
			"the server refused our certificate (%s); check that it is Apple's for "
			"this service and not revoked",
			tls_identity_reason(text));
		return true;
	} else if (verified != X509_V_OK) {
		err_set(err, -EIO, "the server's certificate is not trusted (%s); %s",
			X509_verify_cert_error_string(verified), trust_remedy(verified));
	} else if (ERR_GET_LIB(code) == ERR_LIB_SSL &&
		ERR_GET_REASON(code) == SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL) {
		err_set(err, -EIO, TLS_NO_H2);
	} else {
		err_set(err, -EIO, "TLS failed: %s", tls_identity_reason(text));
	}
	ERR_clear_error();
	return false;
}
