#include "event/mailbox.h"

#include "base/digest.h"
#include "base/mem.h"
#include "base/urltext.h"
#include "base/utf8.h"
#include "event/utf7.h"

#include <string.h>
#include <strings.h>

static const char inbox[] = "INBOX";
#define INBOX_SIZE (sizeof(inbox) - 1)

bool mailbox_is_inbox(const struct mailbox *mailbox)
{
	return *mailbox->owner && !*mailbox->folder;
}

static char separator(const struct mailbox_namespace *names)
{
	return names->unixhierarchysep ? '/' : '.';
}

/* ASCII only, and not by the locale: a Turkish one would change the key. */
static void lower(char *text)
{
	for (; *text; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text + ('a' - 'A'));
}

/* A name with the separator `.` has `^` for a dot of the user's own. */
static void restore_dots(const struct mailbox_namespace *names, char *user)
{
	if (names->unixhierarchysep)
		return;
	for (; *user; user++)
		if (*user == '^')
			*user = '.';
}

static bool is_default_domain(const struct mailbox_namespace *names, const char *domain)
{
	return *names->defaultdomain && strcasecmp(domain, names->defaultdomain) == 0;
}

/* Can this text behind the last `@` be a domain at all? */
static bool is_domain(const char *domain)
{
	return *domain && !domain[strcspn(domain, "/ \t")];
}

/* `@domain` of a user of another than the default domain, else "". */
static const char *foreign_domain(const struct mailbox_namespace *names, const char *user)
{
	const char *at = names->virtdomains ? strrchr(user, '@') : NULL;
	return at && !is_default_domain(names, at + 1) ? at : "";
}

void mailbox_owner_of_user(const struct mailbox_namespace *names, const char *user, char *ret)
{
	const char *at = names->virtdomains ? strrchr(user, '@') : NULL;
	bool has_default = at && at != user && is_default_domain(names, at + 1);
	size_t size = has_default ? (size_t)(at - user) : strlen(user);
	memcpy(ret, user, size);
	ret[size] = '\0';
	if (!names->keeps_case)
		lower(ret);
}

/* Finds the mailbox name, still encoded, in `imap://host/name;UIDVALIDITY=n/;UID=n`. */
static bool find_path(const char *uri, size_t size, const char **ret, size_t *ret_size)
{
	static const char scheme[] = "imap://";
	size_t scheme_size = sizeof(scheme) - 1;
	if (size < scheme_size || memcmp(uri, scheme, scheme_size) != 0)
		return false;
	const char *end = uri + size;
	const char *host = uri + scheme_size;
	const char *slash = memchr(host, '/', (size_t)(end - host));
	if (!slash)
		return false;
	const char *path = slash + 1;
	const char *semicolon = memchr(path, ';', (size_t)(end - path));
	if (semicolon)
		end = semicolon;
	if (end > path && end[-1] == '/')
		end--;
	*ret = path;
	*ret_size = (size_t)(end - path);
	return end > path;
}

/* `ret` has room for size + 1 bytes. */
static bool decode_path(const char *path, size_t size, char *ret)
{
	ssize_t length = urltext_decode(path, size, ret);
	return length >= 0 && utf8_is_valid(ret, (size_t)length);
}

/* An admin name taken apart; borrowed from it, not NUL-terminated. */
struct parts {
	const char *owner; /* NULL: a shared folder */
	size_t owner_size;
	const char *folder;
	size_t folder_size;
};

static bool split(
	const struct mailbox_namespace *names, const char *name, size_t size, struct parts *ret)
{
	static const char user[] = "user";
	size_t user_size = sizeof(user) - 1;
	bool has_user = size >= user_size && memcmp(name, user, user_size) == 0;
	if (!has_user || (size > user_size && name[user_size] != separator(names))) {
		*ret = (struct parts){.folder = name, .folder_size = size};
		return true;
	}
	if (size <= user_size + 1)
		return false; /* a bare `user`, which unexpunge sends */

	const char *owner = name + user_size + 1;
	const char *end = name + size;
	const char *owner_end = memchr(owner, separator(names), (size_t)(end - owner));
	const char *folder = owner_end ? owner_end + 1 : end;
	if (!owner_end)
		owner_end = end;
	if (owner_end == owner || owner_end + 1 == end)
		return false;
	*ret = (struct parts){
		.owner = owner,
		.owner_size = (size_t)(owner_end - owner),
		.folder = folder,
		.folder_size = (size_t)(end - folder),
	};
	return true;
}

static bool has_at(const struct parts *parts)
{
	return parts->owner && memchr(parts->owner, '@', parts->owner_size);
}

static bool is_bounded(const struct parts *parts, size_t domain_size)
{
	return parts->owner_size + domain_size <= MAILBOX_USER_MAX &&
		parts->folder_size <= MAILBOX_NAME_MAX;
}

/* The whole name as it is; ends its strings in place. */
static bool read_literally(
	const struct mailbox_namespace *names, char *name, size_t size, struct mailbox *ret)
{
	struct parts parts;
	if (!split(names, name, size, &parts) || !is_bounded(&parts, 0))
		return false;
	if (!parts.owner) {
		*ret = (struct mailbox){.owner = "", .folder = name};
		return true;
	}
	if (names->virtdomains && has_at(&parts))
		return false; /* then it is the domain's mark */
	char *owner = name + (parts.owner - name);
	owner[parts.owner_size] = '\0';
	restore_dots(names, owner);
	lower(owner);
	*ret = (struct mailbox){.owner = owner, .folder = parts.folder};
	return true;
}

/*
 * The name as one of the domain at its very end.  False also where that means the same as the name
 * itself: a shared folder of a domain keeps it.  `memory` has room for size + 1 bytes.
 */
static bool read_with_domain(const struct mailbox_namespace *names, const char *name, size_t size,
	char *memory, bool *ret_is_default, struct mailbox *ret)
{
	const char *at = names->virtdomains ? memrchr(name, '@', size) : NULL;
	if (!at || at == name || !is_domain(at + 1))
		return false;
	bool is_default = is_default_domain(names, at + 1);
	const char *domain = is_default ? "" : at;
	size_t domain_size = strlen(domain);
	struct parts parts;
	if (!split(names, name, (size_t)(at - name), &parts) || has_at(&parts) ||
		!is_bounded(&parts, domain_size) || (!parts.owner && !is_default))
		return false;

	char *owner = memory;
	char *owner_domain = owner + parts.owner_size;
	char *folder = owner_domain + domain_size + 1;
	if (parts.owner)
		memcpy(owner, parts.owner, parts.owner_size);
	*owner_domain = '\0';
	restore_dots(names, owner);
	memcpy(owner_domain, domain, domain_size + 1);
	lower(owner);
	memcpy(folder, parts.folder, parts.folder_size);
	folder[parts.folder_size] = '\0';
	*ret_is_default = is_default;
	*ret = (struct mailbox){.owner = owner, .folder = folder};
	return true;
}

unsigned mailbox_from_uri(const struct mailbox_namespace *names, const char *uri, size_t uri_size,
	char *memory, struct mailbox ret[MAILBOX_READINGS])
{
	const char *path;
	size_t path_size;
	char *name = memory + uri_size + 1;
	if (!find_path(uri, uri_size, &path, &path_size) || !decode_path(path, path_size, name))
		return 0;
	size_t size = strlen(name);

	struct mailbox domain, literal;
	bool is_default = false;
	bool has_domain = read_with_domain(names, name, size, memory, &is_default, &domain);
	bool has_literal = read_literally(names, name, size, &literal);
	unsigned readings = 0;
	if (has_literal && is_default)
		ret[readings++] = literal;
	if (has_domain)
		ret[readings++] = domain;
	if (has_literal && !is_default)
		ret[readings++] = literal;
	return readings;
}

/* Decodes modified UTF-7 into `ret`, which has room for UTF7_DECODED_MAX(size) bytes. */
static void decode_or_copy(const char *name, size_t size, char *ret, size_t *ret_size)
{
	if (utf7_decode(name, size, ret, ret_size) == 0)
		return;
	memcpy(ret, name, size);
	ret[size] = '\0';
	*ret_size = size;
}

/* What follows `prefix` and the separator in `name`, or NULL. */
static const char *behind(
	const struct mailbox_namespace *names, const char *name, const char *prefix)
{
	size_t size = strlen(prefix);
	bool has_prefix = strncmp(name, prefix, size) == 0 && name[size] == separator(names);
	return has_prefix ? name + size + 1 : NULL;
}

static bool begins_with_inbox(const struct mailbox_namespace *names, const char *name)
{
	return strncasecmp(name, inbox, INBOX_SIZE) == 0 && name[INBOX_SIZE] == separator(names);
}

/* What was typed: the name without the domain at its end, and that domain. */
struct typed {
	const char *end;    /* of the name */
	const char *domain; /* with the `@`, or "" */
};

static struct typed take_apart(
	const struct mailbox_namespace *names, const char *name, const char *user)
{
	struct typed typed = {name + strlen(name), foreign_domain(names, user)};
	if (!names->is_admins || !names->virtdomains)
		return typed;
	const char *at = strrchr(name, '@');
	typed.domain = "";
	if (!at || !is_domain(at + 1))
		return typed;
	return (struct typed){at, is_default_domain(names, at + 1) ? "" : at};
}

static void own(const struct mailbox_namespace *names, const char *folder, const char *end,
	const char *user, char *memory, struct mailbox *ret)
{
	char *owner = memory + UTF7_DECODED_MAX((size_t)(end - folder));
	size_t size;
	decode_or_copy(folder, (size_t)(end - folder), memory, &size);
	mailbox_owner_of_user(names, user, owner);
	*ret = (struct mailbox){.owner = owner, .folder = memory};
}

/* `name`: OWNER or OWNER.FOLDER. */
static void others(const struct mailbox_namespace *names, const char *name,
	const struct typed *typed, char *memory, struct mailbox *ret)
{
	char *owner = memory + UTF7_DECODED_MAX((size_t)(typed->end - name));
	size_t size;
	decode_or_copy(name, (size_t)(typed->end - name), memory, &size);
	char *owner_end = strchrnul(memory, separator(names));
	size_t owner_size = (size_t)(owner_end - memory);
	memcpy(owner, memory, owner_size);
	owner[owner_size] = '\0';
	restore_dots(names, owner);
	strcpy(owner + owner_size, typed->domain);
	lower(owner);
	*ret = (struct mailbox){.owner = owner, .folder = *owner_end ? owner_end + 1 : owner_end};
}

static void shared(const char *name, const struct typed *typed, char *memory, struct mailbox *ret)
{
	size_t size;
	decode_or_copy(name, (size_t)(typed->end - name), memory, &size);
	strcpy(memory + size, typed->domain);
	lower(memory + size);
	*ret = (struct mailbox){.owner = "", .folder = memory};
}

void mailbox_from_name(const struct mailbox_namespace *names, const char *name, const char *user,
	char *memory, struct mailbox *ret)
{
	bool is_alternative = names->altnamespace && !names->is_admins;
	const struct typed typed = take_apart(names, name, user);
	size_t size = (size_t)(typed.end - name);
	const char *rest;
	if (size == INBOX_SIZE && strncasecmp(name, inbox, size) == 0) {
		own(names, "", "", user, memory, ret);
	} else if ((rest = behind(names, name, is_alternative ? names->userprefix : "user")) &&
		rest < typed.end && *rest != separator(names)) {
		others(names, rest, &typed, memory, ret);
	} else if (!is_alternative) {
		if (begins_with_inbox(names, name))
			own(names, name + INBOX_SIZE + 1, typed.end, user, memory, ret);
		else
			shared(name, &typed, memory, ret);
	} else if ((rest = behind(names, name, names->sharedprefix)) && *rest) {
		shared(rest, &typed, memory, ret);
	} else {
		own(names, name, typed.end, user, memory, ret);
		if (begins_with_inbox(names, memory))
			memcpy(memory, inbox, INBOX_SIZE);
	}
}

void mailbox_hash(const char *name, char ret[MAILBOX_HASH_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	mem_auto char *decoded = mem_alloc(UTF7_DECODED_MAX(strlen(name)));
	size_t size;
	decode_or_copy(name, strlen(name), decoded, &size);
	uint8_t digest[DIGEST_MD5_SIZE];
	_Static_assert(MAILBOX_HASH_SIZE == 2 * sizeof(digest) + 1, "two digits a byte, and a NUL");
	digest_md5(&(struct digest_part){decoded, size}, 1, digest);
	for (size_t i = 0; i < sizeof(digest); i++) {
		ret[2 * i] = digits[digest[i] >> 4];
		ret[2 * i + 1] = digits[digest[i] & 15];
	}
	ret[MAILBOX_HASH_SIZE - 1] = '\0';
}
