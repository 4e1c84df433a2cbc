#include "doctor_dovecot/doveconf_text.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define BLANKS " \t"

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');
	return end ? end + 1 : line + strlen(line);
}

/* What stands behind "key =" in this line, and its length; NULL: it is another line. */
static const char *value_in(const char *line, const char *key, size_t *ret_size)
{
	line += strspn(line, BLANKS);
	if (strncmp(line, key, strlen(key)) != 0)
		return NULL;
	line += strlen(key);
	line += strspn(line, BLANKS);
	if (*line != '=')
		return NULL;
	line += 1 + strspn(line + 1, BLANKS);
	*ret_size = strcspn(line, "\n");
	while (*ret_size && strchr(BLANKS "\r", line[*ret_size - 1]))
		--*ret_size;
	return line;
}

bool doveconf_text_version(const char *text, unsigned *ret_major, unsigned *ret_minor)
{
	unsigned major;
	unsigned minor;
	if (sscanf(text, "%3u.%3u", &major, &minor) != 2)
		return false;
	*ret_major = major;
	*ret_minor = minor;
	return true;
}

char *doveconf_text_value(const char *text, const char *key)
{
	size_t size;
	for (const char *line = text; *line; line = next_line(line)) {
		const char *value = value_in(line, key, &size);
		if (value)
			return mem_dup_n(value, size);
	}
	return NULL;
}

/* ---- lists ---- */

bool doveconf_text_has(const char *list, const char *name)
{
	mem_auto char *word = mem_printf(" %s ", name);
	return strstr(list, word) != NULL;
}

/* In its place, a list with or without the name. */
static char *with(char *list, const char *name, size_t size, bool is_in)
{
	mem_auto char *before = list;
	mem_auto char *word = mem_printf(" %.*s ", (int)size, name);
	const char *at = strstr(before, word);
	if (is_in == (at != NULL) || !size)
		return mem_dup(before);
	if (is_in)
		return mem_printf("%s%.*s ", before, (int)size, name);
	return mem_printf("%.*s %s", (int)(at - before), before, at + strlen(word));
}

static char *of_line(const char *value, size_t size)
{
	char *list = mem_dup(" ");
	for (size_t at = 0, length; at < size; at += length) {
		at += strspn(value + at, BLANKS ",");
		length = strcspn(value + at, BLANKS ",\n");
		if (at + length <= size)
			list = with(list, value + at, length, true);
	}
	return list;
}

/* The lines "NAME = yes" up to the brace. */
static char *of_block(const char *line, const char *inherited)
{
	char *list = mem_dup(inherited ? inherited : " ");
	for (; *line; line = next_line(line)) {
		const char *name = line + strspn(line, BLANKS);
		size_t size = strcspn(name, BLANKS "=\n");
		size_t value_size;
		mem_auto char *key = mem_dup_n(name, size);
		const char *value = value_in(line, key, &value_size);
		if (*name == '}')
			break;
		if (value)
			list = with(list, name, size, value_size == 3 && !strncmp(value, "yes", 3));
	}
	return list;
}

char *doveconf_text_list(const char *text, const char *key, const char *inherited)
{
	size_t size;
	mem_auto char *block = mem_printf("%s {", key);
	for (const char *line = text; *line; line = next_line(line)) {
		const char *value = value_in(line, key, &size);
		const char *name = line + strspn(line, BLANKS);
		if (value)
			return of_line(value, size);
		if (!strncmp(name, block, strlen(block)))
			return of_block(next_line(line), inherited);
	}
	return mem_dup(inherited ? inherited : " ");
}

/* ---- others ---- */

char *doveconf_text_id(const char *userdb, const char *key)
{
	for (const char *at = userdb; (at = strstr(at, key)); at += strlen(key)) {
		size_t size;
		bool is_word = at == userdb || strchr(BLANKS "=\n", at[-1]);
		const char *value = value_in(at, key, &size);
		if (!is_word || !value)
			continue;
		size_t length = strcspn(value, BLANKS "\n");
		/* Of a variable only Dovecot knows the value. */
		if (length && !memchr(value, '%', length))
			return mem_dup_n(value, length);
	}
	return NULL;
}

static bool is_passwd(const char *name, size_t size)
{
	return size == strlen("passwd") && !strncmp(name, "passwd", size);
}

bool doveconf_text_is_passwd(const char *userdb)
{
	static const char block[] = "userdb ";
	bool is_first = true;
	bool is_system = false; /* the block that is being read */
	for (const char *line = userdb; *line; line = next_line(line)) {
		size_t size;
		const char *driver = value_in(line, "driver", &size);
		if (!driver)
			driver = value_in(line, "userdb_driver", &size);
		if (driver) {
			is_system = is_passwd(driver, size);
		} else if (!strncmp(line, block, strlen(block))) {
			if (!is_first && !is_system)
				return false;
			is_first = false;
			/* In 2.4 it has a name, which is its driver unless a line says another. */
			const char *name = line + strlen(block);
			is_system = is_passwd(name, strcspn(name, BLANKS "{\n"));
		}
	}
	return is_system;
}

char *doveconf_text_error(const char *text)
{
	const char *found = text;
	for (const char *line = text; *line; line = next_line(line))
		if (strstr(line, "Fatal: ") && strstr(line, "Fatal: ") < next_line(line)) {
			found = line;
			break;
		}
	return mem_dup_n(found, strcspn(found, "\n"));
}
