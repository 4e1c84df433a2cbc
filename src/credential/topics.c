#include "credential/topics.h"

#include "base/mem.h"

#include <limits.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <string.h>

#define OID_TOPICS "1.2.840.113635.100.6.3.6"

static const char *const of_mail[] = {"com.apple.mobilemail.push.", "com.apple.mail."};

bool topics_is_for_mail(const char *topic)
{
	for (size_t i = 0; i < sizeof(of_mail) / sizeof(of_mail[0]); i++) {
		if (strncmp(topic, of_mail[i], strlen(of_mail[i])) == 0)
			return true;
	}
	return false;
}

bool topics_is_possible(const void *bytes, size_t size)
{
	const unsigned char *text = bytes;
	if (size < 1 || size >= TOPICS_TOPIC_SIZE)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	}
	return true;
}

bool topics_has(const struct topics *topics, const char *topic)
{
	for (unsigned i = 0; i < topics->count; i++) {
		if (strcmp(topics->topic[i], topic) == 0)
			return true;
	}
	return false;
}

void topics_add(struct topics *topics, const void *text, size_t size)
{
	if (topics->count == TOPICS_MAX || !topics_is_possible(text, size))
		return;
	mem_auto char *topic = mem_dup_n(text, size);
	if (!topics_has(topics, topic))
		topics->topic[topics->count++] = mem_steal(topic);
}

static void add_string(struct topics *topics, const ASN1_STRING *string)
{
	topics_add(topics, ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string));
}

void topics_read_extension(struct topics *topics, const uint8_t *der, size_t size)
{
	if (size > LONG_MAX)
		return;
	ASN1_SEQUENCE_ANY *sequence = d2i_ASN1_SEQUENCE_ANY(NULL, &der, (long)size);
	for (int i = 0; i < sk_ASN1_TYPE_num(sequence); i++) {
		const ASN1_TYPE *part = sk_ASN1_TYPE_value(sequence, i);
		if (ASN1_TYPE_get(part) == V_ASN1_UTF8STRING)
			add_string(topics, part->value.utf8string);
	}
	sk_ASN1_TYPE_pop_free(sequence, ASN1_TYPE_free);
	ERR_clear_error();
}

static void read_extension_of(struct topics *topics, X509 *certificate)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(OID_TOPICS, 1);
	int at = X509_get_ext_by_OBJ(certificate, oid, -1);
	ASN1_OBJECT_free(oid);
	if (at < 0)
		return;
	const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509_get_ext(certificate, at));
	topics_read_extension(
		topics, ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
}

void topics_read(struct topics *topics, X509 *certificate)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_userId, -1);
	if (at >= 0)
		add_string(topics, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	if (topics->count)
		read_extension_of(topics, certificate);
}

void topics_fini(struct topics *topics)
{
	for (unsigned i = 0; i < topics->count; i++)
		free(topics->topic[i]);
	topics->count = 0;
}
