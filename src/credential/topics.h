/*
 * topics - the topics that one of Apple's certificates is good for, and those that Mail listens to.
 *
 * The first is the UID of the subject; extension 1.2.840.113635.100.6.3.6 of newer certificates
 * names further ones: SEQUENCE of (UTF8String topic, SEQUENCE of its options) over and over
 * (APPLE-MAIL.md "Certificates and topics").
 *
 * Pure.
 */
#ifndef MAILPUSH_CREDENTIAL_TOPICS_H
#define MAILPUSH_CREDENTIAL_TOPICS_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOPICS_MAX 32
#define TOPICS_TOPIC_SIZE 256

struct topics {
	char *topic[TOPICS_MAX]; /* each once; the UID first */
	unsigned count;
};

/* None, if the subject has no UID. */
/* 1 to TOPICS_TOPIC_SIZE - 1 visible ASCII characters. */
bool topics_is_possible(const void *bytes, size_t size);
void topics_read(struct topics *topics, X509 *certificate);
/* The topics of the extension.  One of another shape is skipped: the UID alone is enough. */
void topics_read_extension(struct topics *topics, const uint8_t *der, size_t size);
void topics_add(struct topics *topics, const void *text, size_t size);
bool topics_has(const struct topics *topics, const char *topic);
void topics_fini(struct topics *topics);

/* iOS Mail drops a push on any other topic. */
bool topics_is_for_mail(const char *topic);

#endif
