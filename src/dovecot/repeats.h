/*
 * repeats - news that repeats itself: sent when it begins, and again at the end of each second.
 *
 * A client that changes a thousand messages one by one makes a thousand times the same news of one
 * mailbox, and to a phone it is one.  So it costs Dovecot next to nothing.  What is held back is
 * sent when its second is over, at the latest when the user goes; news of flags then has all the
 * flags of that second.
 *
 * One for each user; it tells through the function that it was given.
 */
#ifndef MAILPUSH_DOVECOT_REPEATS_H
#define MAILPUSH_DOVECOT_REPEATS_H

#include "dovecot/api.h"
#include "dovecot/json_text.h"

#define REPEATS_MS 1000
#define REPEATS_MAX 16		  /* different news that is remembered; more is sent at once */
#define REPEATS_KEYWORDS_MAX 32	  /* the rest does not matter to a push */
#define REPEATS_KEYWORD_BYTES 255 /* nor does a longer one */

/* Those that an event carries, of one command or of a second.  All zero: none. */
struct repeats_flags {
	enum mail_flags flags;
	char *keywords[REPEATS_KEYWORDS_MAX];
	unsigned count; /* of the keywords */
};

void repeats_flags_add_keyword(struct repeats_flags *set, const char *keyword);
void repeats_flags_clear(struct repeats_flags *set);
/* As the event's member. */
void repeats_flags_write(const struct repeats_flags *set, struct buf *json);

struct repeats;

typedef void repeats_tell_fn(struct mail_user *user, const char *json, size_t size);

struct repeats *repeats_new(struct mail_user *user, repeats_tell_fn *tell);
/* Tells what is held back. */
void repeats_free(struct repeats **repeats);

/*
 * Was news with this key sent within the last second?  Then it will be again, at its end.  `flags`
 * are NULL if it is not of flags.
 */
bool repeats_holds(struct repeats *repeats, const char *key, const struct repeats_flags *flags);
/* This was sent just now: an object that lacks its flags and its end. */
void repeats_note(struct repeats *repeats, const char *key, const char *json);

/* Sends what is held back, so that it does not come after what is sent next. */
void repeats_flush(struct repeats *repeats);

#endif
