#include "apns/credential.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX (1024 * 1024)
#define CHAIN_MAX 10
#define OID_TOPICS "1.2.840.113635.100.6.3.6"

struct secret {
	char *bytes; /* NUL-terminated; wiped when freed */
	size_t size;
};

static void secret_cleanup(struct secret *secret)
{
	if (secret->bytes)
		OPENSSL_cleanse(secret->bytes, secret->size);
	free(secret->bytes);
}

#define secret_auto __attribute__((cleanup(secret_cleanup)))

static void bio_cleanup(BIO **bio)
{
	BIO_free(*bio);
}

static void close_cleanup(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define PEM_WANTED "give the path of a PEM file"
#define PASSPHRASE_WANTED "give the path of a file with the passphrase in its first line"

static int read_file(
	const char *what, const char *path, const char *wanted, struct secret *ret, struct err *err)
{
	/* Not to hang on a pipe that somebody put there. */
	__attribute__((cleanup(close_cleanup))) int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_set(err, -errno, "cannot read %s '%s': %s; %s", what, path,
			strerror(errno),
			errno == EACCES ? "let the daemon's user read it"
					: "check the path in mailpush.conf");
	struct stat status;
	if (fstat(fd, &status) < 0)
		return err_set(err, -errno, "cannot read %s '%s': %s", what, path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return err_set(err, -EINVAL, "%s '%s' is not a file; %s", what, path, wanted);
	if (status.st_size > FILE_MAX)
		return err_set(err, -EFBIG, "%s '%s' has more than %d bytes; %s", what, path,
			FILE_MAX, wanted);

	struct secret secret_auto secret = {
		.bytes = mem_alloc((size_t)status.st_size + 1), .size = 0};
	while (secret.size < (size_t)status.st_size) {
		ssize_t n =
			read(fd, secret.bytes + secret.size, (size_t)status.st_size - secret.size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, -errno, "cannot read %s '%s': %s", what, path,
				strerror(errno));
		if (n == 0)
			break;
		secret.size += (size_t)n;
	}
	secret.bytes[secret.size] = '\0';
	*ret = secret;
	secret.bytes = NULL;
	return 0;
}

static int load_certificate(const char *path, struct credential *credential, struct err *err)
{
	struct secret secret_auto file = {0};
	int r = read_file("certificate", path, PEM_WANTED, &file, err);
	if (r < 0)
		return r;
	__attribute__((cleanup(bio_cleanup))) BIO *bio =
		BIO_new_mem_buf(file.bytes, (int)file.size);
	credential->certificate = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
	if (!credential->certificate) {
		ERR_clear_error();
		return err_set(err, -EINVAL,
			"'%s' holds no certificate in PEM form; convert it, e.g. with openssl x509 "
			"-inform DER",
			path);
	}
	credential->chain = sk_X509_new_null();
	for (;;) {
		X509 *next = PEM_read_bio_X509(bio, NULL, NULL, NULL);
		if (!next)
			break;
		if (sk_X509_num(credential->chain) >= CHAIN_MAX) {
			X509_free(next);
			return err_set(err, -EINVAL,
				"'%s' holds more than %d certificates; leave only Apple's "
				"certificate and its chain in it",
				path, CHAIN_MAX + 1);
		}
		sk_X509_push(credential->chain, next);
	}
	ERR_clear_error();
	return 0;
}

struct asked {
	const struct secret *passphrase; /* NULL: there is none */
	bool was_asked;
};

/* Without one of our own OpenSSL would ask on the terminal. */
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

static int load_key(
	const struct credential_files *files, struct credential *credential, struct err *err)
{
	struct secret secret_auto passphrase = {0};
	struct secret secret_auto file = {0};
	int r;
	if (files->passphrase_file) {
		r = read_file("passphrase file", files->passphrase_file, PASSPHRASE_WANTED,
			&passphrase, err);
		if (r < 0)
			return r;
		passphrase.size = strcspn(passphrase.bytes, "\r\n");
	}
	r = read_file("key", files->key, PEM_WANTED, &file, err);
	if (r < 0)
		return r;

	struct asked asked = {files->passphrase_file ? &passphrase : NULL, false};
	__attribute__((cleanup(bio_cleanup))) BIO *bio =
		BIO_new_mem_buf(file.bytes, (int)file.size);
	credential->key = PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &asked);
	ERR_clear_error();
	if (credential->key)
		return 0;
	if (asked.was_asked && !files->passphrase_file)
		return err_set(err, -EINVAL,
			"key '%s' is encrypted; set passphrase_file, or decrypt it with openssl "
			"pkey",
			files->key);
	if (asked.was_asked)
		return err_set(err, -EINVAL,
			"the passphrase in '%s' does not open key '%s'; correct its first line",
			files->passphrase_file, files->key);
	return err_set(err, -EINVAL,
		"'%s' holds no private key in PEM form; give the key that the certificate request "
		"was made with",
		files->key);
}

static bool is_topic(const unsigned char *text, int size)
{
	if (size < 1 || size >= CREDENTIAL_TOPIC_SIZE)
		return false;
	for (int i = 0; i < size; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	}
	return true;
}

static bool has_topic(const struct credential *credential, const char *topic)
{
	for (unsigned i = 0; i < credential->topic_count; i++) {
		if (strcmp(credential->topics[i], topic) == 0)
			return true;
	}
	return false;
}

static void add_topic(struct credential *credential, const ASN1_STRING *string)
{
	const unsigned char *text = ASN1_STRING_get0_data(string);
	int size = ASN1_STRING_length(string);
	if (credential->topic_count == CREDENTIAL_TOPICS_MAX || !is_topic(text, size))
		return;
	mem_auto char *topic = mem_dup_n(text, (size_t)size);
	if (!has_topic(credential, topic))
		credential->topics[credential->topic_count++] = mem_steal(topic);
}

static void read_uid(struct credential *credential)
{
	const X509_NAME *subject = X509_get_subject_name(credential->certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_userId, -1);
	if (at >= 0)
		add_topic(credential, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

/*
 * SEQUENCE of (UTF8String topic, SEQUENCE of its options) over and over.  What is not of that shape
 * is passed over: the UID alone makes a credential.
 */
static void read_further_topics(struct credential *credential)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(OID_TOPICS, 1);
	int at = X509_get_ext_by_OBJ(credential->certificate, oid, -1);
	ASN1_OBJECT_free(oid);
	if (at < 0)
		return;
	const ASN1_OCTET_STRING *value =
		X509_EXTENSION_get_data(X509_get_ext(credential->certificate, at));
	const unsigned char *der = ASN1_STRING_get0_data(value);
	ASN1_SEQUENCE_ANY *sequence = d2i_ASN1_SEQUENCE_ANY(NULL, &der, ASN1_STRING_length(value));
	for (int i = 0; i < sk_ASN1_TYPE_num(sequence); i++) {
		const ASN1_TYPE *part = sk_ASN1_TYPE_value(sequence, i);
		if (ASN1_TYPE_get(part) == V_ASN1_UTF8STRING)
			add_topic(credential, part->value.utf8string);
	}
	sk_ASN1_TYPE_pop_free(sequence, ASN1_TYPE_free);
	ERR_clear_error();
}

static int choose_topic(
	const struct credential_files *files, struct credential *credential, struct err *err)
{
	read_uid(credential);
	if (credential->topic_count == 0)
		return err_set(err, -EINVAL,
			"certificate '%s' has no topic (no UID in its subject), so it is not one "
			"for Apple's push service; get one for Mail from Apple",
			files->certificate);
	read_further_topics(credential);
	const char *topic = files->topic ? files->topic : credential->topics[0];
	if (!has_topic(credential, topic))
		return err_set(err, -EINVAL,
			"certificate '%s' is not for topic '%s' but for '%s'; correct `topic`, or "
			"leave it out",
			files->certificate, topic, credential->topics[0]);
	credential->topic = mem_dup(topic);
	return 0;
}

static int read_time(const ASN1_TIME *time, int64_t *ret_unix_ms)
{
	struct tm tm;
	if (!ASN1_TIME_to_tm(time, &tm))
		return -EINVAL;
	*ret_unix_ms = (int64_t)timegm(&tm) * 1000;
	return 0;
}

static const char *day(int64_t unix_ms, char ret[16])
{
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm tm;
	if (!gmtime_r(&seconds, &tm) || !strftime(ret, 16, "%Y-%m-%d", &tm))
		return "a day out of reach";
	return ret;
}

static int check_dates(
	const char *path, struct credential *credential, int64_t now_unix_ms, struct err *err)
{
	char text[16];
	if (read_time(X509_get0_notBefore(credential->certificate),
		    &credential->not_before_unix_ms) < 0 ||
		read_time(X509_get0_notAfter(credential->certificate),
			&credential->not_after_unix_ms) < 0) {
		ERR_clear_error();
		return err_set(err, -EINVAL,
			"certificate '%s' has dates that cannot be read; get a new one from Apple",
			path);
	}
	if (now_unix_ms > credential->not_after_unix_ms)
		return err_set(err, -EINVAL, "certificate '%s' expired on %s; renew it with Apple",
			path, day(credential->not_after_unix_ms, text));
	if (now_unix_ms < credential->not_before_unix_ms)
		return err_set(err, -EINVAL,
			"certificate '%s' is not valid before %s; check this machine's clock", path,
			day(credential->not_before_unix_ms, text));
	return 0;
}

int credential_load(const struct credential_files *files, int64_t now_unix_ms,
	struct credential **ret, struct err *err)
{
	__attribute__((cleanup(credential_cleanup))) struct credential *credential =
		mem_alloc_zero(1, sizeof(*credential));
	credential->shares = 1;
	credential->name = mem_dup(files->name);

	int r;
	if ((r = load_certificate(files->certificate, credential, err)) < 0 ||
		(r = check_dates(files->certificate, credential, now_unix_ms, err)) < 0 ||
		(r = choose_topic(files, credential, err)) < 0 ||
		(r = load_key(files, credential, err)) < 0)
		return r;
	if (X509_check_private_key(credential->certificate, credential->key) != 1) {
		ERR_clear_error();
		return err_set(err, -EINVAL,
			"key '%s' does not fit certificate '%s'; give the key that the certificate "
			"request was made with",
			files->key, files->certificate);
	}
	*ret = mem_steal(credential);
	return 0;
}

struct credential *credential_ref(struct credential *credential)
{
	assert(credential->shares > 0);
	credential->shares++;
	return credential;
}

void credential_free(struct credential *credential)
{
	if (!credential || --credential->shares > 0)
		return;
	for (unsigned i = 0; i < credential->topic_count; i++)
		free(credential->topics[i]);
	X509_free(credential->certificate);
	sk_X509_pop_free(credential->chain, X509_free);
	EVP_PKEY_free(credential->key);
	free(credential->topic);
	free(credential->name);
	free(credential);
}

int credential_equal(const struct credential *a, const struct credential *b)
{
	return X509_cmp(a->certificate, b->certificate) == 0 && strcmp(a->topic, b->topic) == 0;
}
