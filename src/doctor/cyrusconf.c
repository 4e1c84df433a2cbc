#include "doctor/cyrusconf.h"

#include "base/buf.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define SECTION "SERVICES"
#define BLANK " \t\r"

/* The next word of a line, NUL-terminated in place; NULL at the end.  Quotes hold blanks together.
 */
static char *next_word(char **at)
{
	char *from = *at + strspn(*at, BLANK);
	if (!*from)
		return NULL;
	char *to = from;
	bool is_quoted = false;
	char *c = from;
	for (; *c && (is_quoted || !strchr(BLANK, *c)); c++) {
		if (*c == '"')
			is_quoted = !is_quoted;
		else
			*to++ = *c;
	}
	*at = *c ? c + 1 : c;
	*to = '\0';
	return from;
}

static void set(struct cyrusconf_service *service, char *word)
{
	const struct {
		const char *key;
		char **text;
	} members[] = {
		{"cmd", &service->cmd}, {"listen", &service->listen}, {"proto", &service->proto}};
	char *value = strchr(word, '=');
	if (!value)
		return;
	*value++ = '\0';
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (strcasecmp(word, members[i].key) != 0)
			continue;
		free(*members[i].text);
		*members[i].text = mem_dup(value);
	}
}

static int add_service(struct cyrusconf *conf, const char *file, unsigned line, char *name,
	char *rest, struct err *err)
{
	if (conf->count == CYRUSCONF_SERVICES_MAX)
		return err_set(err, -E2BIG, "%s:%u: more than %d services; is this cyrus.conf?",
			file, line, CYRUSCONF_SERVICES_MAX);
	struct cyrusconf_service *service = &conf->services[conf->count++];
	*service = (struct cyrusconf_service){.name = mem_dup(name),
		.cmd = mem_dup(""),
		.listen = mem_dup(""),
		.proto = mem_dup(""),
		.line = line};
	char *word;
	while ((word = next_word(&rest)))
		set(service, word);
	return 0;
}

int cyrusconf_parse(
	const char *file, const char *text, size_t size, struct cyrusconf **ret, struct err *err)
{
	if (size > CYRUSCONF_TEXT_MAX)
		return err_set(err, -EMSGSIZE, "%s: larger than %d bytes; is this cyrus.conf?",
			file, CYRUSCONF_TEXT_MAX);
	if (memchr(text, '\0', size))
		return err_set(err, -EINVAL, "%s: holds a NUL byte; is this cyrus.conf?", file);
	__attribute__((cleanup(cyrusconf_cleanup))) struct cyrusconf *conf =
		mem_alloc_zero(1, sizeof(*conf));
	mem_auto char *copy = mem_dup_n(text, size);
	bool is_inside = false;
	unsigned number = 0;
	for (char *line = copy, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		number++;
		char *rest = line;
		char *word = next_word(&rest);
		if (!word || *word == '#')
			continue;
		if (*word == '}') {
			is_inside = false;
		} else if (strchr(rest, '{') && !strchr(rest, '=')) {
			is_inside = !strcasecmp(word, SECTION);
		} else if (is_inside) {
			int status = add_service(conf, file, number, word, rest, err);
			if (status)
				return status;
		}
	}
	*ret = mem_steal(conf);
	return 0;
}

void cyrusconf_free(struct cyrusconf *conf)
{
	if (!conf)
		return;
	for (unsigned i = 0; i < conf->count; i++) {
		free(conf->services[i].name);
		free(conf->services[i].cmd);
		free(conf->services[i].listen);
		free(conf->services[i].proto);
	}
	free(conf);
}

bool cyrusconf_runs(const struct cyrusconf_service *service, const char *program)
{
	size_t size = strcspn(service->cmd, BLANK);
	const char *name = service->cmd;
	for (size_t i = 0; i < size; i++)
		if (service->cmd[i] == '/')
			name = service->cmd + i + 1;
	return (size_t)(service->cmd + size - name) == strlen(program) &&
		!strncmp(name, program, strlen(program));
}

bool cyrusconf_option(
	const struct cyrusconf_service *service, const char *option, char *ret, size_t size)
{
	mem_auto char *copy = mem_dup(service->cmd);
	char *rest = copy;
	char *word;
	while ((word = next_word(&rest))) {
		if (strncmp(word, option, strlen(option)) != 0)
			continue;
		const char *value = word[strlen(option)] ? word + strlen(option) : next_word(&rest);
		if (!value || strlen(value) >= size)
			return false;
		strcpy(ret, value);
		return true;
	}
	return false;
}
