/* The text of imapd.conf; files that it includes hold the part behind the first blank line. */
#include "event/imapdconf.h"

#include "fuzz.h"

#include <assert.h>
#include <string.h>

struct text {
	const char *bytes;
	size_t size;
};

static int read_rest(void *ctx, const char *path, struct buf *ret, struct err *err)
{
	const struct text *text = ctx;
	assert(strlen(path) <= text->size);
	if (!*path)
		return err_set(err, -2, "no path");
	const char *blank = memmem(text->bytes, text->size, "\n\n", 2);
	if (blank)
		buf_append(ret, blank + 2, (size_t)(text->bytes + text->size - blank - 2));
	return 0;
}

static void check_value(const char *value)
{
	assert(value);
	assert(!strchr(value, '\n'));
	size_t size = strlen(value);
	assert(!size || (value[0] != ' ' && value[size - 1] != ' '));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text text = {(const char *)data, size};
	struct imapdconf *conf = NULL;
	struct err err = {.text = ""};
	int r = imapdconf_parse("imapd.conf", text.bytes, size, read_rest, &text, &conf, &err);
	if (r < 0) {
		assert(!conf);
		assert(*err.text);
		return 0;
	}
	check_value(conf->servername);
	check_value(conf->aps_topic);
	check_value(conf->names.defaultdomain);
	check_value(conf->names.userprefix);
	check_value(conf->names.sharedprefix);
	if (conf->admins)
		check_value(conf->admins);
	if (imapdconf_is_admin(conf, NULL, "cyrus"))
		assert(conf->admins || conf->imap_admins || conf->imaps_admins);
	for (unsigned i = 0; i < conf->setting_count; i++) {
		const struct imapdconf_setting *setting = &conf->settings[i];
		assert(imapdconf_find(conf, setting->key) == setting);
		if (setting->value)
			check_value(setting->value);
	}
	imapdconf_free(conf);
	return 0;
}
