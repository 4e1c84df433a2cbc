/*
 * One byte that chooses the namespace, then lines: a user, a name.  The name is read as a uri, as
 * what the user typed, and as a folder of his, whose uri and spelling must lead to the same key.
 */
#include "event/mailbox.h"

#include "base/utf8.h"
#include "encode.h"
#include "fuzz.h"

#include "base/mem.h"

#include <assert.h>
#include <strings.h>

/* All memory is as large as the contract asks for, so that a sanitizer sees one byte more. */

static unsigned from_uri(const struct mailbox_namespace *names, const char *uri, char **ret_memory,
	struct mailbox ret[MAILBOX_READINGS])
{
	size_t size = strlen(uri);
	*ret_memory = mem_alloc(2 * (size + 1));
	unsigned readings = mailbox_from_uri(names, uri, size, *ret_memory, ret);
	assert(readings <= MAILBOX_READINGS);
	for (unsigned i = 0; i < readings; i++) {
		assert(strlen(ret[i].owner) <= MAILBOX_USER_MAX);
		assert(strlen(ret[i].folder) <= MAILBOX_NAME_MAX);
		assert(utf8_is_valid(ret[i].owner, strlen(ret[i].owner)));
		assert(utf8_is_valid(ret[i].folder, strlen(ret[i].folder)));
		assert(*ret[i].owner || *ret[i].folder);
	}
	return readings;
}

static struct mailbox from_name(const struct mailbox_namespace *names, const char *name,
	const char *user, char **ret_memory)
{
	struct mailbox mailbox;
	*ret_memory = mem_alloc(4 * strlen(name) + strlen(user) + 2);
	mailbox_from_name(names, name, user, *ret_memory, &mailbox);
	assert(mailbox.owner && mailbox.folder);
	assert(strlen(mailbox.folder) <= 2 * strlen(name) + strlen(user));
	return mailbox;
}

/* A user whose own name has nothing in it that Cyrus would not have either. */
static bool is_plain_user(const char *user)
{
	for (const char *c = user; *c; c++)
		if ((unsigned char)*c <= 0x20 || *c == 0x7f || strchr("/^@&*%", *c) ||
			(*c >= 'A' && *c <= 'Z'))
			return false;
	return *user && strlen(user) < 100 && utf8_is_valid(user, strlen(user));
}

static bool is_plain_folder(const struct mailbox_namespace *names, const char *folder)
{
	char separator = names->unixhierarchysep ? '/' : '.';
	size_t size = strlen(folder);
	if (!size || size > MAILBOX_NAME_MAX || !utf8_is_valid(folder, size))
		return false;
	if (folder[0] == separator || folder[size - 1] == separator || folder[size - 1] == '/')
		return false;
	/* In the alternative namespace these begin other names. */
	return !names->altnamespace ||
		(strncasecmp(folder, "INBOX", 5) != 0 &&
			strncmp(folder, names->userprefix, strlen(names->userprefix)) != 0 &&
			strncmp(folder, names->sharedprefix, strlen(names->sharedprefix)) != 0);
}

static void check_same_key(const struct mailbox_namespace *names, const char *user,
	const char *domain, const char *folder)
{
	char separator = names->unixhierarchysep ? '/' : '.';
	buf_auto struct buf uri, name, admin;
	buf_init(&uri);
	buf_init(&name);
	buf_init(&admin);

	buf_printf(&admin, "user%c", separator);
	for (const char *c = user; *c; c++)
		buf_append(&admin, *c == '.' && separator == '.' ? "^" : c, 1);
	buf_printf(&admin, "%c%s%s", separator, folder, domain);
	buf_append_text(&uri, "imap://mail.example.com/");
	encode_percent(buf_text(&admin), &uri);
	buf_append_text(&uri, ";UIDVALIDITY=1/;UID=2");

	if (!names->altnamespace)
		buf_printf(&name, "InBoX%c", separator);
	encode_utf7(folder, &name);

	mem_auto char *whole_user = mem_printf("%s%s", user, domain);
	char *uri_memory, *name_memory;
	struct mailbox readings[MAILBOX_READINGS];
	unsigned count = from_uri(names, buf_text(&uri), &uri_memory, readings);
	struct mailbox typed = from_name(names, buf_text(&name), whole_user, &name_memory);

	assert(strcmp(typed.owner, whole_user) == 0);
	assert(strcmp(typed.folder, folder) == 0);
	bool found = false;
	for (unsigned i = 0; i < count; i++)
		found |= strcmp(readings[i].owner, typed.owner) == 0 &&
			strcmp(readings[i].folder, typed.folder) == 0;
	assert(found);
	free(uri_memory);
	free(name_memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	const struct mailbox_namespace names = {
		.altnamespace = data[0] & 1,
		.unixhierarchysep = data[0] & 2,
		.virtdomains = data[0] & 4,
		.defaultdomain = data[0] & 8 ? "example.com" : "",
		.userprefix = "Other Users",
		.sharedprefix = "Shared Folders",
	};
	mem_auto char *user = mem_dup_n(data + 1, size - 1);
	char *newline = strchr(user, '\n');
	if (!newline)
		return 0;
	*newline = '\0';
	const char *name = newline + 1;

	char *memory;
	struct mailbox readings[MAILBOX_READINGS];
	from_uri(&names, name, &memory, readings);
	free(memory);
	from_name(&names, name, user, &memory);
	free(memory);
	struct mailbox_namespace admins = names;
	admins.is_admins = true;
	from_name(&admins, name, user, &memory);
	free(memory);
	char hash[MAILBOX_HASH_SIZE];
	mailbox_hash(name, hash);
	assert(strspn(hash, "0123456789abcdef") == MAILBOX_HASH_SIZE - 1);

	if (is_plain_user(user) && is_plain_folder(&names, name)) {
		check_same_key(&names, user, "", name);
		if (names.virtdomains)
			check_same_key(&names, user, "@example.org", name);
	}
	return 0;
}
