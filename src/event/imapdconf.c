#include "event/imapdconf.h"

#include "base/map.h"
#include "base/mem.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Characters of the name of a setting. */
#define NAME "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-@"

/* Where a key was set first. */
struct place {
	char *key; /* lower case */
	char *file;
	unsigned line;
};

struct parser {
	struct imapdconf *conf;
	imapdconf_read_fn *read;
	void *ctx;
	char *included[IMAPDCONF_FILES_MAX];
	size_t included_count;
	struct map *places;
};

static int parse_file(
	struct parser *parser, const char *file, const char *text, size_t size, struct err *err);

MEM_DEFINE_CLEANUP(conf_cleanup, struct imapdconf, imapdconf_free)

static void parser_fini(struct parser *parser)
{
	for (size_t i = 0; i < parser->included_count; i++)
		free(parser->included[i]);
	size_t position = 0;
	for (struct place *place; (place = map_next(parser->places, &position));) {
		free(place->key);
		free(place->file);
		free(place);
	}
	map_free(parser->places);
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Cuts white space off both ends, in place. */
static char *trim(char *text)
{
	while (is_space(*text))
		text++;
	size_t size = strlen(text);
	while (size && is_space(text[size - 1]))
		size--;
	text[size] = '\0';
	return text;
}

static bool is_one_of(const char *value, const char *const *words)
{
	for (; *words; words++)
		if (strcasecmp(value, *words) == 0)
			return true;
	return false;
}

static int parse_switch(const char *value, bool *ret)
{
	static const char *const on[] = {"yes", "on", "t", "true", "1", NULL};
	static const char *const off[] = {"no", "off", "f", "false", "0", NULL};
	bool is_on = is_one_of(value, on);
	if (!is_on && !is_one_of(value, off))
		return -EINVAL;
	*ret = is_on;
	return 0;
}

static void set_text(char **text, const char *value)
{
	free(*text);
	*text = mem_dup(value);
}

static const char *const found_keys[] = {"servername", "cyrus_user", "configdirectory", "aps_topic",
	"notifysocket", "notify_external", "sievenotifier", "mailnotifier", "event_notifier",
	"event_groups", "event_exclude_flags", "event_exclude_specialuse", "suppress_capabilities"};

#define FOUND_KEYS (sizeof(found_keys) / sizeof(found_keys[0]))
_Static_assert(FOUND_KEYS <= IMAPDCONF_SETTINGS, "all have room");

/* Cyrus takes SERVICE_KEY for KEY in the processes of that service. */
static bool is_of_one_service(const char *key, const char *name)
{
	size_t size = strlen(key);
	size_t name_size = strlen(name);
	return size > name_size + 1 && key[size - name_size - 1] == '_' &&
		strcasecmp(key + size - name_size, name) == 0;
}

static void remember(struct imapdconf *conf, const char *key, const char *value, const char *file,
	unsigned number)
{
	for (unsigned i = 0; i < conf->setting_count; i++) {
		struct imapdconf_setting *setting = &conf->settings[i];
		if (is_of_one_service(key, setting->key)) {
			free(conf->of_one_service);
			conf->of_one_service = mem_printf("%.64s in %s:%u", key, file, number);
		}
		if (strcasecmp(key, setting->key) != 0)
			continue;
		set_text(&setting->value, value);
		set_text(&setting->file, file);
		setting->line = number;
	}
}

/* Cyrus accepts each key once. */
static void remember_place(
	struct parser *parser, const char *key, const char *file, unsigned number)
{
	mem_auto char *lower = mem_dup(key);
	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	const struct place *first = map_get(parser->places, lower, strlen(lower));
	if (first) {
		if (!parser->conf->doubled)
			parser->conf->doubled = mem_printf("%s:%u sets %.64s, as %s:%u does", file,
				number, key, first->file, first->line);
		return;
	}
	struct place *place = mem_alloc(sizeof(*place));
	*place = (struct place){.key = mem_steal(lower), .file = mem_dup(file), .line = number};
	map_add(parser->places, place->key, strlen(place->key), place);
}

static int set(struct imapdconf *conf, const char *key, const char *value)
{
	struct mailbox_namespace *names = &conf->names;
	if (strcasecmp(key, "altnamespace") == 0)
		return parse_switch(value, &names->altnamespace);
	if (strcasecmp(key, "unixhierarchysep") == 0)
		return parse_switch(value, &names->unixhierarchysep);
	if (strcasecmp(key, "virtdomains") == 0) {
		bool is_userid = strcasecmp(value, "userid") == 0;
		return parse_switch(is_userid ? "on" : value, &names->virtdomains);
	}
	const struct {
		const char *key;
		char **text;
	} texts[] = {
		{"servername", &conf->servername},
		{"aps_topic", &conf->aps_topic},
		{"defaultdomain", &conf->defaultdomain},
		{"userprefix", &conf->userprefix},
		{"sharedprefix", &conf->sharedprefix},
		{"admins", &conf->admins},
		{"imap_admins", &conf->imap_admins},
		{"imaps_admins", &conf->imaps_admins},
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcasecmp(key, texts[i].key) == 0)
			set_text(texts[i].text, value);
	return 0;
}

static int include(struct parser *parser, const char *path, struct err *err)
{
	for (size_t i = 0; i < parser->included_count; i++)
		if (strcmp(parser->included[i], path) == 0)
			return 0;
	if (parser->included_count == IMAPDCONF_FILES_MAX)
		return err_set(err, -E2BIG, "more than %d files are included", IMAPDCONF_FILES_MAX);
	parser->included[parser->included_count++] = mem_dup(path);

	buf_auto struct buf text;
	buf_init(&text);
	int r = parser->read(parser->ctx, path, &text, err);
	return r < 0 ? r : parse_file(parser, path, buf_text(&text), text.used, err);
}

/* As Cyrus itself looks at a line, before its blanks are cut off. */
static void judge_line(struct imapdconf *conf, const char *file, unsigned number, const char *line)
{
	const char *key = line;
	while (is_space(*key))
		key++;
	const char *end = key + strspn(key, NAME);
	if (conf->fatal_line || !*key || *key == '#')
		return;
	if (*end != ':') {
		conf->fatal_line =
			mem_printf("%s:%u is not of the form \"key: value\"", file, number);
		return;
	}
	const char *value = end + 1;
	while (is_space(*value))
		value++;
	if (!*value)
		conf->fatal_line =
			mem_printf("%s:%u: %.*s has no value", file, number, (int)(end - key), key);
}

static int parse_line(
	struct parser *parser, const char *file, unsigned number, char *line, struct err *err)
{
	judge_line(parser->conf, file, number, line);
	char *key = trim(line);
	char *colon = strchr(key, ':');
	if (*key == '#' || !colon)
		return 0;
	*colon = '\0';
	key = trim(key);
	const char *value = trim(colon + 1);
	if (strcasecmp(key, "@include") == 0) {
		int r = include(parser, value, err);
		return r < 0 ? err_prefix(err, r, "%s:%u: @include", file, number) : 0;
	}
	remember(parser->conf, key, value, file, number);
	remember_place(parser, key, file, number);
	int r = set(parser->conf, key, value);
	if (r < 0)
		return err_set(err, r,
			"%s:%u: '%.40s' is not a value of %s; Cyrus accepts yes, no%s", file,
			number, value, key,
			strcasecmp(key, "virtdomains") == 0 ? " or userid" : "");
	return 0;
}

/* Appends the line at `text` to `line`; returns its size with the newline. */
static size_t take_line(const char *text, size_t size, struct buf *line, bool *ret_continues)
{
	const char *newline = memchr(text, '\n', size);
	size_t length = newline ? (size_t)(newline - text) : size;
	*ret_continues = newline && length && text[length - 1] == '\\';
	buf_append(line, text, *ret_continues ? length - 1 : length);
	return newline ? length + 1 : length;
}

static int parse_file(
	struct parser *parser, const char *file, const char *text, size_t size, struct err *err)
{
	if (size > IMAPDCONF_TEXT_MAX)
		return err_set(err, -EMSGSIZE, "%s: larger than %d bytes; is this imapd.conf?",
			file, IMAPDCONF_TEXT_MAX);
	if (memchr(text, '\0', size))
		return err_set(err, -EINVAL, "%s: holds a NUL byte; is this imapd.conf?", file);

	buf_auto struct buf line;
	buf_init(&line);
	unsigned number = 0;
	for (size_t at = 0; at < size;) {
		bool continues;
		unsigned first = number + 1;
		buf_clear(&line);
		do {
			at += take_line(text + at, size - at, &line, &continues);
			number++;
		} while (continues && at < size);
		buf_append(&line, "", 1);
		int r = parse_line(parser, file, first, (char *)line.data, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_nothing(void *ctx, const char *path, struct buf *ret, struct err *err)
{
	(void)ctx;
	(void)ret;
	return err_set(err, -EINVAL, "'%.200s' is not read here", path);
}

int imapdconf_parse(const char *file, const char *text, size_t size, imapdconf_read_fn *read,
	void *ctx, struct imapdconf **ret, struct err *err)
{
	__attribute__((cleanup(conf_cleanup))) struct imapdconf *conf =
		mem_alloc_zero(1, sizeof(*conf));
	*conf = (struct imapdconf){
		.names = {.altnamespace = true, .unixhierarchysep = true},
		.servername = mem_dup(""),
		.aps_topic = mem_dup(""),
		.defaultdomain = mem_dup("internal"),
		.userprefix = mem_dup("Other Users"),
		.sharedprefix = mem_dup("Shared Folders"),
	};
	for (size_t i = 0; i < FOUND_KEYS; i++)
		conf->settings[conf->setting_count++].key = found_keys[i];
	__attribute__((cleanup(parser_fini))) struct parser parser = {
		.conf = conf,
		.read = read ? read : read_nothing,
		.ctx = ctx,
		.places = map_new((const uint8_t[16]){0}), /* the administrator's own keys */
	};
	int r = parse_file(&parser, file, text, size, err);
	if (r < 0)
		return r;
	conf->names.defaultdomain = conf->defaultdomain;
	conf->names.userprefix = conf->userprefix;
	conf->names.sharedprefix = conf->sharedprefix;
	*ret = mem_steal(conf);
	return 0;
}

const struct imapdconf_setting *imapdconf_find(const struct imapdconf *conf, const char *key)
{
	unsigned i = 0;
	while (strcmp(conf->settings[i].key, key) != 0) {
		i++;
		assert(i < conf->setting_count);
	}
	return &conf->settings[i];
}

static bool lists(const char *admins, const struct groups *groups, const char *user)
{
	static const char group[] = "group:";
	const size_t group_size = sizeof(group) - 1;
	const size_t user_size = strlen(user);
	for (const char *at = admins; at && *at;) {
		const char *word = at;
		while (*at && !is_space(*at))
			at++;
		size_t size = (size_t)(at - word);
		if (size == user_size && strncasecmp(word, user, size) == 0)
			return true;
		if (size > group_size && memcmp(word, group, group_size) == 0 &&
			groups_has(groups, word + group_size, size - group_size, user))
			return true;
		while (is_space(*at))
			at++;
	}
	return false;
}

bool imapdconf_is_admin(const struct imapdconf *conf, const struct groups *groups, const char *user)
{
	return *user &&
		(lists(conf->imap_admins ? conf->imap_admins : conf->admins, groups, user) ||
			lists(conf->imaps_admins ? conf->imaps_admins : conf->admins, groups,
				user));
}

void imapdconf_free(struct imapdconf *conf)
{
	if (!conf)
		return;
	for (unsigned i = 0; i < conf->setting_count; i++) {
		free(conf->settings[i].value);
		free(conf->settings[i].file);
	}
	free(conf->of_one_service);
	free(conf->fatal_line);
	free(conf->doubled);
	free(conf->servername);
	free(conf->aps_topic);
	free(conf->defaultdomain);
	free(conf->userprefix);
	free(conf->sharedprefix);
	free(conf->admins);
	free(conf->imap_admins);
	free(conf->imaps_admins);
	free(conf);
}
