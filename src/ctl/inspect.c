#include "ctl/inspect.h"

#include "apns/credential.h"
#include "base/clock.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static json_t *name_of(const X509_NAME *name)
{
	char text[512] = "";
	BIO *bio = BIO_new(BIO_s_mem());
	if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
		int n = BIO_read(bio, text, sizeof(text) - 1);
		text[n > 0 ? n : 0] = '\0';
	}
	BIO_free(bio);
	json_t *json = json_string(text);
	return json ? json : json_string("?");
}

static json_t *time_of(const ASN1_TIME *time)
{
	struct tm broken_down;
	if (ASN1_TIME_to_tm(time, &broken_down) != 1)
		return json_null();
	return json_integer((json_int_t)timegm(&broken_down));
}

static X509 *read_certificate(const char *path)
{
	BIO *bio = BIO_new_file(path, "r");
	X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	return certificate;
}

static bool has_key(const char *path)
{
	char line[256];
	bool found = false;
	FILE *file = fopen(path, "r");
	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, "PRIVATE KEY-----") != NULL;
	if (file)
		fclose(file);
	return found;
}

/* Without a key the daemon's rules cannot be asked: the dates are what is left. */
static void judge_certificate(const X509 *certificate, json_t *json)
{
	char topic[256];
	json_t *topics = json_array();
	const X509_NAME *subject = X509_get_subject_name(certificate);
	if (X509_NAME_get_text_by_NID((X509_NAME *)subject, NID_userId, topic, sizeof(topic)) > 0)
		json_array_append_new(topics, json_string(topic));
	json_object_set_new(json, "topics", topics);
	if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
		json_object_set_new(json, "why", json_string("it has expired; renew it"));
	else if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
		json_object_set_new(json, "why", json_string("it is not valid yet"));
	else if (!json_array_size(topics))
		json_object_set_new(json, "why",
			json_string("its subject has no UID, so it has no topic: it is no "
				    "certificate for push"));
}

/* By the daemon's own rules, with the key that stands in the same file. */
static void judge(const char *path, json_t *json)
{
	const struct credential_files files = {.name = path, .certificate = path, .key = path};
	__attribute__((cleanup(credential_cleanup))) struct credential *credential = NULL;
	struct err err;
	if (credential_load(&files, &credential, &err) ||
		credential_check_dates(credential, clock_unix_ms(), &err)) {
		json_object_set_new(json, "why", json_string(err.text));
		return;
	}
	json_t *topics = json_array();
	for (unsigned i = 0; i < credential->topics.count; i++)
		json_array_append_new(topics, json_string(credential->topics.topic[i]));
	json_object_set_new(json, "topics", topics);
}

int inspect_file(const char *path, json_t **ret, struct err *err)
{
	FILE *file = fopen(path, "r");
	if (!file)
		return err_set(err, -errno, "cannot open %s: %s", path, strerror(errno));
	fclose(file);
	X509 *certificate = read_certificate(path);
	if (!certificate)
		return err_set(err, -EINVAL,
			"%s holds no certificate in PEM; `openssl pkcs12 -in FILE -out FILE.pem` "
			"makes one from a .p12",
			path);
	json_t *json = json_object();
	json_object_set_new(json, "file", json_string(path));
	json_object_set_new(json, "subject", name_of(X509_get_subject_name(certificate)));
	json_object_set_new(json, "issuer", name_of(X509_get_issuer_name(certificate)));
	json_object_set_new(json, "valid_from", time_of(X509_get0_notBefore(certificate)));
	json_object_set_new(json, "expires", time_of(X509_get0_notAfter(certificate)));
	json_object_set_new(json, "has_key", json_boolean(has_key(path)));
	if (has_key(path))
		judge(path, json);
	else
		judge_certificate(certificate, json);
	X509_free(certificate);
	*ret = json;
	return 0;
}
