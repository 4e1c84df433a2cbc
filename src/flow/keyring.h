/*
 * keyring - the credentials in force, and the alarms about them.
 *
 * Each section of mailpush.conf is taken by itself: one whose files are broken, or not valid now,
 * keeps the credential that it had, and an alarm says so.  If it had none, a credential that is not
 * valid yet is taken: its pushes wait until it is.  From 30 days before a credential's end an alarm
 * counts the days.
 *
 * Alarms: credential-file:NAME, credential-expiry:NAME, credential-dates:NAME, no-credential,
 * aps-topic.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_FLOW_KEYRING_H
#define MAILPUSH_FLOW_KEYRING_H

#include "apns/sender.h"
#include "base/clock.h"
#include "config/config.h"
#include "config/input_files.h"
#include "flow/credential_check.h"
#include "flow/delivery.h"

#include <stdbool.h>

#define KEYRING_WARN_BEFORE_MS (30 * CLOCK_DAY_MS)

struct keyring;

struct keyring_needs {
	uv_loop_t *loop;
	const struct config *config;
	struct input_files *input_files;
	struct sender *sender;
	struct delivery *delivery;
	struct credential_check *credential_check;
};

struct keyring *keyring_new(const struct keyring_needs *needs);
/* The loop must run once more for the timer to close. */
void keyring_free(struct keyring *keyring);

/*
 * These sections of mailpush.conf take the place of those of before: call it while `needs.config`
 * still has those, and keyring_take behind the change.  A credential whose section is gone is no
 * longer in force, and its alarms end.
 */
void keyring_configure(struct keyring *keyring, const struct config *fresh);

/*
 * Puts in force what input_files hold (taken out of them).  Files that do not match
 * may be half replaced: with `is_patient` nothing is said about them yet, and true is returned:
 * look again.
 */
bool keyring_take(struct keyring *keyring, bool is_patient);

/*
 * The topic that phones of this user get, borrowed until a credential changes: of the
 * credential that lists the user's domain; if none does, `otherwise`; if that is "", of the first
 * credential in force that lists no domains.  "": there is none.
 */
const char *keyring_topic(const struct keyring *keyring, const char *user, const char *otherwise);

#endif
