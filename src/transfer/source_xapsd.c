/*
 * xapsd's database.json: {"Users": {user: {"Accounts": {account id: {"DeviceToken": ...,
 * "Mailboxes":
 * [...] or null, "RegistrationTime": ...}}}}}.
 *
 * It names no topic and no subtopic.  The time is missing in old files.  Files of 2021 to 2025 also
 * hold certificates with their private keys, which it skips.  The file may be large, so jansson
 * gets one user after another.
 */
#include "base/mem.h"
#include "transfer/source.h"
#include "transfer/time_text.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define SUBTOPIC "com.apple.mobilemail"
#define MAY_HOLD_KEYS                                                                           \
	"this file also holds certificates and their private keys: they were not copied; keep " \
	"it secret, or destroy it when it is no longer needed"

struct xapsd {
	struct source source;
	FILE *file;
	const char *place;
	bool is_in_users;
	bool is_first; /* of the members of the object that is being read */
	bool holds_keys;
	size_t left;   /* bytes left for the value being read */
	json_t *user;  /* whose accounts are given; NULL: none */
	char *name;    /* of the user */
	void *account; /* iterator, the next to be given */
	json_t *accounts;
};

static struct xapsd *xapsd_of(struct source *source)
{
	return MEM_CONTAINER(source, struct xapsd, source);
}

static int skip_space(struct xapsd *x)
{
	int c;
	while ((c = getc(x->file)) != EOF && isspace(c))
		;
	return c;
}

static int malformed(const struct xapsd *x, struct err *err)
{
	if (ferror(x->file))
		return err_set(err, -EIO, "cannot read %s: %s", x->place, strerror(errno));
	return err_set(err, -EINVAL, "%s is not a database.json of xapsd, or is damaged", x->place);
}

static int expect(struct xapsd *x, int wanted, struct err *err)
{
	return skip_space(x) == wanted ? 0 : malformed(x, err);
}

/* A byte at a time, so that nothing behind the value is consumed. */
static size_t give_byte(void *buffer, size_t size, void *ctx)
{
	struct xapsd *x = ctx;
	(void)size;
	int c = x->left > 0 ? getc(x->file) : EOF;
	if (c == EOF)
		return 0;
	x->left--;
	*(char *)buffer = (char)c;
	return 1;
}

/* A text, a list or an object; NULL: it is none, or larger than SOURCE_OBJECT_MAX. */
static json_t *read_value(struct xapsd *x)
{
	x->left = SOURCE_OBJECT_MAX;
	return json_load_callback(give_byte, x, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, NULL);
}

/* The next member's name, with its colon.  1: there is one; 0: the object ends. */
static int next_member(struct xapsd *x, char **ret, struct err *err)
{
	int c = skip_space(x);
	if (c == '}')
		return 0;
	if (!x->is_first && c != ',')
		return malformed(x, err);
	if (x->is_first)
		ungetc(c, x->file);
	x->is_first = false;
	json_t *name = read_value(x);
	const char *text = json_string_value(name);
	int failed = text ? expect(x, ':', err) : malformed(x, err);
	if (!failed)
		*ret = mem_dup(text);
	json_decref(name);
	return failed ? failed : 1;
}

/* jansson would take a byte behind a number or a word. */
static int pass_over(struct xapsd *x, struct err *err)
{
	int c = skip_space(x);
	if (c == '"' || c == '{' || c == '[') {
		ungetc(c, x->file);
		json_t *value = read_value(x);
		json_decref(value);
		return value ? 0 : malformed(x, err);
	}
	while (c != EOF && c != ',' && c != '}')
		c = getc(x->file);
	ungetc(c, x->file);
	return c == EOF ? malformed(x, err) : 0;
}

/* Up to the first user; 1: there are users, 0: the file ends. */
static int find_users(struct xapsd *x, struct err *err)
{
	for (;;) {
		char *name = NULL;
		int found = next_member(x, &name, err);
		if (found != 1)
			return found;
		bool is_users = !strcmp(name, "Users");
		x->holds_keys = x->holds_keys || (!is_users && strstr(name, "Cert"));
		free(name);
		int c = is_users ? skip_space(x) : 0;
		if (c == '{') {
			x->is_in_users = true;
			x->is_first = true;
			return 1;
		}
		if (is_users)
			ungetc(c, x->file);
		int failed = pass_over(x, err);
		if (failed)
			return failed;
	}
}

static void forget_user(struct xapsd *x)
{
	json_decref(mem_steal(x->user));
	free(mem_steal(x->name));
	x->account = NULL;
}

/* 1: there is one; 0: the file ends. */
static int next_user(struct xapsd *x, struct err *err)
{
	forget_user(x);
	for (;;) {
		int found = x->is_in_users ? next_member(x, &x->name, err) : find_users(x, err);
		if (found < 0 || (found == 0 && !x->is_in_users))
			return found;
		if (found == 0) {
			x->is_in_users = false;
			x->is_first = false;
			continue;
		}
		if (!x->name)
			continue;
		if (expect(x, '{', err))
			return -EINVAL;
		ungetc('{', x->file);
		x->user = read_value(x);
		if (!x->user)
			return malformed(x, err);
		x->accounts = json_object_get(x->user, "Accounts");
		x->account = json_object_iter(x->accounts);
		return 1;
	}
}

static int open_xapsd(const struct source_settings *settings, struct source **ret, struct err *err)
{
	struct xapsd *x = mem_alloc_zero(1, sizeof(*x));
	x->source.ops = &source_xapsd_ops;
	x->file = settings->file;
	x->place = settings->place;
	x->is_first = true;
	int failed = expect(x, '{', err);
	if (failed) {
		free(x);
		return failed;
	}
	*ret = &x->source;
	return 0;
}

/* Old files have no list: xapsd pushes for INBOX alone. */
static json_t *mailboxes_of(const json_t *account)
{
	json_t *mailboxes = json_object_get(account, "Mailboxes");
	if (!mailboxes || json_is_null(mailboxes))
		return json_pack("[s]", "INBOX");
	return json_incref(mailboxes);
}

static int registration_of(const char *user, const char *account_id, const json_t *account,
	json_t **ret, struct err *err)
{
	double renewed = 0;
	const json_t *time = json_object_get(account, "RegistrationTime");
	if (!json_is_object(account))
		return err_set(err, -EINVAL, "not an account");
	if (time && !json_is_null(time) &&
		(!json_string_value(time) || !time_text_read(json_string_value(time), &renewed)))
		return err_set(err, -EINVAL, "RegistrationTime is no time");
	json_t *json = json_pack("{ss,ss,ss,si,so}", "user", user, "account_id", account_id,
		"subtopic", SUBTOPIC, "version", 2, "mailboxes", mailboxes_of(account));
	json_t *token = json_object_get(account, "DeviceToken");
	if (token)
		json_object_set(json, "token", token);
	/* Go's time of nothing is in the year 1. */
	if (renewed > 0)
		json_object_set_new(json, "renewed", json_real(renewed));
	*ret = json;
	return 0;
}

static enum source_found next_account(struct source *source, json_t **ret, struct err *err)
{
	struct xapsd *x = xapsd_of(source);
	while (!x->account) {
		int found = next_user(x, err);
		if (found <= 0)
			return found < 0 ? SOURCE_FAILED : SOURCE_END;
		if (!json_is_object(x->accounts)) {
			err_set(err, -EINVAL, "the user has no Accounts");
			return SOURCE_REFUSED;
		}
	}
	const char *account_id = json_object_iter_key(x->account);
	const json_t *account = json_object_iter_value(x->account);
	x->account = json_object_iter_next(x->accounts, x->account);
	return registration_of(x->name, account_id, account, ret, err) ? SOURCE_REFUSED
								       : SOURCE_FOUND;
}

static void where(const struct source *source, char ret[SOURCE_WHERE_MAX])
{
	const struct xapsd *x = xapsd_of((struct source *)source);
	snprintf(ret, SOURCE_WHERE_MAX, "user %.50s", x->name ? x->name : "?");
}

static const char *warning(const struct source *source)
{
	return xapsd_of((struct source *)source)->holds_keys ? MAY_HOLD_KEYS : NULL;
}

static void close_xapsd(struct source *source)
{
	struct xapsd *x = xapsd_of(source);
	forget_user(x);
	free(x);
}

const struct source_ops source_xapsd_ops = {
	.name = "xapsd",
	.open = open_xapsd,
	.next = next_account,
	.where = where,
	.warning = warning,
	.close = close_xapsd,
};
