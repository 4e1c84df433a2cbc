/* What is imported: the first byte says from where, the rest is the file. */
#include "admin/registration_json.h"
#include "transfer/source.h"

#include "fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct mailbox_namespace names = {
	.defaultdomain = "", .userprefix = "Other Users", .sharedprefix = "Shared Folders"};

static void check(json_t *json)
{
	struct registration_json read;
	struct err err = {.text = ""};
	json_object_set_new(json, "topic", json_string("com.apple.mail.XServer.one"));
	if (registration_json_read(&names, json, &read, &err)) {
		assert(*err.text);
		return;
	}
	const struct event_registration *registration = &read.event->registration;
	assert(strlen(registration->token) >= EVENT_TOKEN_MIN &&
		strlen(registration->token) <= EVENT_TOKEN_MAX);
	assert(*registration->account_id && *registration->user);
	assert(registration->mailbox_count <= EVENT_MAILBOXES_MAX);
	assert(read.past.is_undated == (read.renewed_ms == 0));
	assert(read.past.created_ms >= 0 && read.past.created_ms <= read.renewed_ms);
	registration_json_fini(&read);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	const struct source_ops *ops = source_kind(data[0] == 'x' ? "xapsd" : "export");
	struct source_settings settings = {.place = "the file"};
	struct source *source = NULL;
	struct err err = {.text = ""};
	settings.file = fmemopen((void *)(data + 1), size - 1, "r");
	assert(settings.file);
	if (ops->open(&settings, &source, &err) == 0) {
		enum source_found found = SOURCE_FOUND;
		while (found == SOURCE_FOUND || found == SOURCE_REFUSED) {
			json_t *json = NULL;
			char where[SOURCE_WHERE_MAX];
			found = ops->next(source, &json, &err);
			ops->where(source, where);
			assert(strlen(where) < sizeof(where));
			assert((found == SOURCE_FOUND) == (json != NULL));
			if (json)
				check(json);
			json_decref(json);
		}
		ops->warning(source);
		ops->close(source);
	}
	fclose(settings.file);
	return 0;
}
