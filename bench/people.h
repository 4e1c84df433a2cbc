/*
 * people - the users, phones and events that the measuring tools agree on.
 *
 * Number n of a site has one user, one phone and one registration; all names follow from n, so
 * that what bench_fill wrote and what bench_senders sends fit together without a file in between.
 * The site is one with unixhierarchysep.  n is below 100 million.
 */
#ifndef MAILPUSH_BENCH_PEOPLE_H
#define MAILPUSH_BENCH_PEOPLE_H

#include <stddef.h>
#include <stdint.h>

#define PEOPLE_USER_SIZE 16
#define PEOPLE_TOKEN_SIZE 65
#define PEOPLE_ACCOUNT_SIZE 37
#define PEOPLE_EVENT_SIZE 512

/* `ret` has room for PEOPLE_USER_SIZE and so on; all are NUL-terminated. */
void people_user(uint32_t n, char *ret);
void people_token(uint32_t n, char *ret);
void people_account(uint32_t n, char *ret);

/* The JSON of a MessageNew to the INBOX of n, as Cyrus 3.6 writes it; returns its length. */
size_t people_event(uint32_t n, char *ret);

/*
 * The i-th of 0..count-1 in an order that looks like chance: each comes once, and neighbours in
 * time are none on disk.
 */
uint32_t people_shuffled(uint32_t i, uint32_t count);

#endif
