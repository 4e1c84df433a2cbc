/*
 * certs - creates the certificates for tests: an authority, a server's, and clients' in the form
 * that Apple issues.
 *
 * A client's certificate names its topic as UID in the subject (0.9.2342.19200300.100.1.1) and
 * lists all its topics in the extension 1.2.840.113635.100.6.3.6; 1.2.840.113635.100.6.3.2 marks
 * it as good for production.  Keys are EC P-256, in files of mode 0600.  Everything here is for
 * tests: the authority's key lies next to what it signs.
 *
 * The first client is written in all the forms that administrators use: PEM, PKCS#12 in today's
 * encryption and in that of old tools (RC2, 3DES), signed through another authority whose
 * certificate follows in the file; and there is a key for provider tokens.
 */
#ifndef MAILPUSH_SIM_CERTS_H
#define MAILPUSH_SIM_CERTS_H

#include "base/err.h"
#include "sim/service.h"

#include <openssl/x509.h>

#define CERTS_DEFAULT_TOPIC "com.apple.mail.XServer.00000000-0000-0000-0000-000000000000"
#define CERTS_DEFAULT_DAYS 365
#define CERTS_TOPICS_MAX 64
#define CERTS_PASSPHRASE "apns-sim" /* of the PKCS#12 files */

struct certs_client {
	const char *file;  /* FILE.pem and FILE.key are written */
	const char *topic; /* at most SERVICE_TOPIC_MAX bytes */
	const char *name;  /* common name; NULL: "Apple Push Services: " and the topic */
	int days;	   /* valid from now; negative: expired that long ago */
	/* In seconds from now, instead of days. */
	bool has_seconds;
	long begin_s, end_s;
};

/*
 * Creates dir if it is missing, and in it ca, server, the client in its forms, and a key for
 * provider tokens; replaces existing files.  client->days also applies to the server's certificate.
 */
int certs_init(const char *dir, const struct certs_client *client, struct err *err);

/* AuthKey_ID.p8 for the sender, AuthKey_ID.pub for the service. */
int certs_add_key(const char *dir, const char *key_id, struct err *err);

/* Creates another client with the authority in dir. */
int certs_add_client(const char *dir, const struct certs_client *client, struct err *err);

/*
 * Fills the topics of a client's certificate into peer, which has none before: its UID, then those
 * of the extension, at most CERTS_TOPICS_MAX.  certs_peer_fini() frees the topics.
 */
void certs_read_topics(X509 *certificate, struct peer *peer);
void certs_peer_fini(struct peer *peer);

#endif
