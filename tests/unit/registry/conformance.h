/*
 * conformance - what every database behind the registry must do, rule by rule.
 *
 * A test has a world: a store with a site of its own, so that a database need not be empty, and the
 * jobs that it makes.  A job is made by the word for what happened (phone, news, at, moved, ...),
 * waits in the batch until `run`, and may be looked at until the test ends.
 */
#ifndef MAILPUSH_TESTS_REGISTRY_CONFORMANCE_H
#define MAILPUSH_TESTS_REGISTRY_CONFORMANCE_H

#include "base/clock.h"
#include "base/mem.h"
#include "registry/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DAY CLOCK_DAY_MS
#define NOW (INT64_C(20000) * DAY)
#define TTL (30 * DAY)
#define GRACE (7 * DAY)
#define PER_USER 4
/* A busy machine may take its time for a large statement. */
#define PATIENT_MS 60000

#define TOKEN_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define TOKEN_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define TOPIC "com.apple.mail.XServer.one"
#define OTHER_TOPIC "com.apple.mail.XServer.two"

#define BOXES(...) ((const struct registry_subscription[]){__VA_ARGS__, {.name = NULL}})
#define INBOX_OF(user) BOXES({.name = "INBOX", .owner = user, .folder = ""})
#define NO_BOXES BOXES({.name = NULL})

/* A job with what it borrows. */
struct made {
	struct made *next;
	struct registry_job job;
	struct mail_event event;
	struct registry_subscription *boxes;
	struct push_target *target;
	char text[64];
};

struct world {
	char site[64];
	struct registry_settings settings;
	struct registry_store *store;
	struct made *made;
	struct job_list batch;
	const char *topic; /* of the registrations to come */
	/* The present: set by a test, else the newest time that a job came with. */
	int64_t now_ms;
	bool now_is_set;
};

void open_store(struct world *w);
/* The same database by the driver alone, of the world's site; close it. */
struct registry_db *open_db(struct world *w, int64_t timeout_ms);
int set_up(void **state);
int tear_down(void **state);
void free_made(struct world *w);
struct made *add(struct world *w, enum registry_job_kind kind, int64_t received_ms);
void run(struct world *w);
/* From here on this is the present. */
void set_clock(struct world *w, int64_t now_ms);
/* Stands for the MD5 of the name. */
const char *hash_of(const char *name);
/* The name of the account is the name of the registration in these tests. */
struct registry_job *phone(struct world *w, int64_t received_ms, const char *user,
	const char *token, const char *account_id, const struct registry_subscription *boxes);
struct registry_job *at(struct world *w, enum registry_job_kind kind, int64_t received_ms,
	const char *owner, const char *folder);
struct registry_job *news(
	struct world *w, int64_t received_ms, const char *owner, const char *folder);
struct registry_job *moved(struct world *w, int64_t received_ms, const char *owner,
	const char *folder, const char *new_owner, const char *new_folder);
struct registry_job *verdict(struct world *w, enum registry_job_kind kind, const char *token,
	const char *topic, int64_t before_ms);
/* As verdict, on a push to that account of the user's. */
struct registry_job *verdict_on(struct world *w, enum registry_job_kind kind, const char *user,
	const char *token, const char *account_id, int64_t before_ms);
/* Asked for, and so done. */
struct registry_job *tidy(struct world *w, int64_t received_ms);
/* Phones that are nothing but there: user0000, user0001, ... */
void crowd(struct world *w, int64_t received_ms, unsigned first, unsigned count);
const struct registry_match *match_of(const struct registry_job *job, const char *account_id);
bool is_told(struct world *w, int64_t now_ms, const char *owner, const char *folder,
	const char *account_id);
bool is_gone(const struct world *w, const struct registry_job *job, const char *user,
	const char *token, const char *account_id);
bool has_hash(const struct registry_match *match, const char *name);

#define RULE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* The number of rules that failed. */
int conformance_batch(void);
int conformance_news(void);
int conformance_user(void);
int conformance_mailbox(void);
int conformance_tidy(void);
int conformance_nodes(void);
int conformance_clock(void);
int conformance_listing(void);
int conformance_tombstones(void);
int conformance_import(void);
int conformance_malformed(void);
int conformance_trouble(void);

#endif
