#include "intake/dlist.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/*
 * The functions here return what dlist_parse does: 1 took it, 0 a literal goes on after the bytes,
 * negative errno.  Nothing but a literal may contain a newline and the bytes end with one, so
 * nothing else can run into their end.
 */
struct cursor {
	const char *bytes; /* the last one is a newline */
	size_t size;
	size_t at;
	size_t need; /* where an incomplete literal ends */
	size_t in_literals;
	struct dlist_scan
		*scan; /* allocated once the request is complete; NULL: nothing is unescaped yet */
	size_t unescaped; /* bytes of scan->unescaped in use */
	unsigned values;
	struct err *err;
};

enum key {
	KEY_METHOD,
	KEY_CLASS,
	KEY_PRIORITY,
	KEY_USER,
	KEY_MAILBOX,
	KEY_OPTIONS,
	KEY_MESSAGE,
	KEY_FILEPATH,
	KEY_RECEIVED,
	KEYS
};

static const char *const key_name[KEYS] = {"METHOD", "CLASS", "PRIORITY", "USER", "MAILBOX",
	"OPTIONS", "MESSAGE", "FILEPATH", "RECEIVED"};

static int malformed(struct cursor *c, const char *what)
{
	return err_set(c->err, -EBADMSG, "malformed request: %s at byte %zu", what, c->at);
}

static char here(const struct cursor *c)
{
	assert(c->at < c->size);
	return c->bytes[c->at];
}

static int take_char(struct cursor *c, char wanted, const char *otherwise)
{
	if (here(c) != wanted)
		return malformed(c, otherwise);
	c->at++;
	return 1;
}

static void skip_blanks(struct cursor *c)
{
	while (here(c) == ' ')
		c->at++;
}

static int count_value(struct cursor *c)
{
	if (++c->values > DLIST_VALUES_MAX)
		return malformed(c, "too many values");
	return 1;
}

static int take_line_end(struct cursor *c)
{
	if (here(c) == '\r')
		c->at++;
	return take_char(c, '\n', "no end of line");
}

static bool is_atom_char(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f && c != '(' && c != ')' && c != '{' && c != '"';
}

static int take_atom(struct cursor *c, struct notification_field *ret)
{
	size_t from = c->at;
	while (is_atom_char(here(c)))
		c->at++;
	if (c->at == from)
		return malformed(c, "no value");
	*ret = (struct notification_field){c->bytes + from, c->at - from};
	return 1;
}

/* The unescaped text of a request is shorter than the request. */
static void unescape(struct cursor *c, struct notification_field *field)
{
	if (!c->scan->unescaped)
		c->scan->unescaped = mem_alloc(c->size);
	char *to = c->scan->unescaped + c->unescaped;
	size_t used = 0;
	for (size_t i = 0; i < field->size; i++) {
		if (field->bytes[i] == '\\')
			i++;
		to[used++] = field->bytes[i];
	}
	c->unescaped += used;
	*field = (struct notification_field){to, used};
}

static int take_quoted(struct cursor *c, struct notification_field *ret)
{
	size_t from = ++c->at;
	bool is_escaped = false;
	for (; here(c) != '"'; c->at++) {
		if (here(c) == '\\') {
			is_escaped = true;
			c->at++;
		}
		if (here(c) == '\r' || here(c) == '\n' || here(c) == '\0')
			return malformed(c, "a quoted string that does not end in its line");
	}
	*ret = (struct notification_field){c->bytes + from, c->at - from};
	c->at++;
	if (is_escaped && c->scan)
		unescape(c, ret);
	return 1;
}

static int take_literal(struct cursor *c, struct notification_field *ret)
{
	size_t from = ++c->at;
	size_t n = 0;
	for (; here(c) >= '0' && here(c) <= '9'; c->at++) {
		if (n <= DLIST_REQUEST_MAX)
			n = n * 10 + (size_t)(here(c) - '0');
	}
	if (c->at == from)
		return malformed(c, "a literal without a size");
	if (here(c) == '+')
		c->at++;
	int r = take_char(c, '}', "a literal whose size does not end");
	if (r > 0)
		r = take_line_end(c);
	if (r <= 0)
		return r;
	if (c->at - c->in_literals > DLIST_OUTSIDE_MAX)
		return err_set(c->err, -EMSGSIZE,
			"the request has more than %d bytes before a literal, other literals not "
			"counted",
			DLIST_OUTSIDE_MAX);
	if (n > DLIST_REQUEST_MAX - c->at)
		return err_set(c->err, -EMSGSIZE, "a literal exceeds the %d bytes of a request",
			DLIST_REQUEST_MAX);
	if (n >= c->size - c->at) {
		c->need = c->at + n;
		return 0;
	}
	*ret = (struct notification_field){c->bytes + c->at, n};
	c->at += n;
	c->in_literals += n;
	return 1;
}

static int take_string(struct cursor *c, struct notification_field *ret)
{
	int r = count_value(c);
	if (r <= 0)
		return r;
	switch (here(c)) {
	case '"':
		return take_quoted(c, ret);
	case '{':
		return take_literal(c, ret);
	case '(':
	case '%':
		return malformed(c, "a list where a string belongs");
	default:
		r = take_atom(c, ret);
		if (r > 0 && ret->size == 3 && strncasecmp(ret->bytes, "NIL", 3) == 0)
			*ret = (struct notification_field){0};
		return r;
	}
}

/* A blank or the end of the list must follow a value. */
static int take_gap(struct cursor *c, bool *ret_list_ends)
{
	bool blank = here(c) == ' ';
	skip_blanks(c);
	*ret_list_ends = here(c) == ')';
	if (*ret_list_ends)
		c->at++;
	else if (!blank)
		return malformed(c, "no blank after a value");
	return 1;
}

/* The blanks that a list may begin with. */
static int take_list_start(struct cursor *c, bool *ret_list_ends)
{
	skip_blanks(c);
	*ret_list_ends = here(c) == ')';
	if (*ret_list_ends)
		c->at++;
	return 1;
}

static int take_options(struct cursor *c, struct notification *n)
{
	if (here(c) != '(') {
		struct notification_field nil;
		int r = take_string(c, &nil);
		return r > 0 && nil.bytes ? malformed(c, "OPTIONS is not a list") : r;
	}
	c->at++;
	bool ends;
	int r = take_list_start(c, &ends);
	while (r > 0 && !ends) {
		if (n->option_count == NOTIFICATION_OPTIONS_MAX)
			return malformed(c, "too many options");
		r = take_string(c, &n->options[n->option_count++]);
		if (r > 0)
			r = take_gap(c, &ends);
	}
	return r;
}

static int take_received(struct cursor *c, struct notification *n)
{
	struct notification_field text = {0};
	int r = take_atom(c, &text);
	if (r <= 0)
		return r;
	if (text.size > DLIST_RECEIVED_DIGITS)
		return malformed(c, "RECEIVED is not a time");
	for (size_t i = 0; i < text.size; i++) {
		if (text.bytes[i] < '0' || text.bytes[i] > '9')
			return malformed(c, "RECEIVED is not a time");
		n->received_ms = n->received_ms * 10 + (text.bytes[i] - '0');
	}
	return 1;
}

static int skip_value(struct cursor *c, unsigned depth)
{
	if (here(c) != '(' && here(c) != '%') {
		struct notification_field ignored;
		return take_string(c, &ignored);
	}
	if (depth == DLIST_DEPTH_MAX)
		return malformed(c, "lists too deep");
	int r = count_value(c);
	if (r > 0 && here(c) == '%')
		c->at++;
	if (r > 0)
		r = take_char(c, '(', "something unknown after '%'");
	bool ends = false;
	if (r > 0)
		r = take_list_start(c, &ends);
	while (r > 0 && !ends) {
		r = skip_value(c, depth + 1);
		if (r > 0)
			r = take_gap(c, &ends);
	}
	return r;
}

static struct notification_field *field_of(struct notification *n, enum key key)
{
	switch (key) {
	case KEY_METHOD:
		return &n->method;
	case KEY_CLASS:
		return &n->class;
	case KEY_PRIORITY:
		return &n->priority;
	case KEY_USER:
		return &n->user;
	case KEY_MAILBOX:
		return &n->mailbox;
	case KEY_MESSAGE:
		return &n->message;
	case KEY_FILEPATH:
		return &n->filepath;
	case KEY_OPTIONS:
	case KEY_RECEIVED:
	case KEYS:
		break;
	}
	return NULL;
}

static enum key find_key(const struct notification_field *name)
{
	unsigned key = 0;
	while (key < KEYS &&
		(strlen(key_name[key]) != name->size ||
			strncasecmp(key_name[key], name->bytes, name->size) != 0))
		key++;
	return (enum key)key;
}

/* One key and its value; `*seen` has a bit for each key there was. */
static int take_pair(struct cursor *c, struct notification *n, unsigned *seen)
{
	struct notification_field name = {0};
	int r = take_atom(c, &name);
	if (r <= 0)
		return r;
	if (here(c) != ' ')
		return malformed(c, "no blank after a key");
	skip_blanks(c);

	enum key key = find_key(&name);
	if (key == KEYS)
		return skip_value(c, 0);
	if (*seen & 1u << key)
		return malformed(c, "a key given twice");
	*seen |= 1u << key;
	if (key == KEY_OPTIONS)
		return take_options(c, n);
	if (key == KEY_RECEIVED)
		return take_received(c, n);
	return take_string(c, field_of(n, key));
}

static const char start[] = "NOTIFY ";
#define START_SIZE (sizeof(start) - 1)

static bool has_start(const char *bytes, size_t size)
{
	return strncasecmp(bytes, start, size < START_SIZE ? size : START_SIZE) == 0;
}

static int take_request(struct cursor *c, struct notification *n)
{
	assert(c->size > START_SIZE && has_start(c->bytes, c->size));
	c->at = START_SIZE;
	skip_blanks(c);
	int r = take_char(c, '%', "no %( after NOTIFY");
	if (r > 0)
		r = take_char(c, '(', "no %( after NOTIFY");

	n->option_count = 0;
	n->received_ms = 0;
	for (unsigned key = 0; key < KEYS; key++) {
		struct notification_field *field = field_of(n, key);
		if (field)
			*field = (struct notification_field){0};
	}
	unsigned seen = 0;
	bool ends = false;
	if (r > 0)
		r = take_list_start(c, &ends);
	while (r > 0 && !ends) {
		r = take_pair(c, n, &seen);
		if (r > 0)
			r = take_gap(c, &ends);
	}
	if (r > 0)
		r = take_line_end(c);
	if (r > 0 && (!n->class.bytes || !n->message.bytes))
		return malformed(c, "no CLASS or no MESSAGE");
	return r;
}

void dlist_scan_fini(struct dlist_scan *scan)
{
	free(mem_steal(scan->unescaped));
}

int dlist_parse(struct dlist_scan *scan, const char *bytes, size_t size, struct notification *ret,
	size_t *ret_size, struct err *err)
{
	size_t looked_at = size < DLIST_REQUEST_MAX ? size : DLIST_REQUEST_MAX;
	struct cursor c = {.bytes = bytes, .size = looked_at, .err = err};
	struct notification n;
	int r = 0;

	if (!has_start(bytes, looked_at))
		return malformed(&c, "no NOTIFY");
	if (scan->skip < looked_at) {
		const char *newline = memrchr(bytes + scan->skip, '\n', looked_at - scan->skip);
		if (newline) {
			/* Bytes behind it belong to the next request, in one piece or not. */
			c.size = (size_t)(newline - bytes) + 1;
			r = take_request(&c, &n);
		}
		scan->skip = c.need > looked_at ? c.need : looked_at;
	}
	if (r == 0 && looked_at == DLIST_REQUEST_MAX)
		return err_set(
			err, -EMSGSIZE, "the request is larger than %d bytes", DLIST_REQUEST_MAX);
	if (r <= 0)
		return r;

	size_t request_size = c.at;
	assert(!scan->unescaped);
	c = (struct cursor){.bytes = bytes, .size = request_size, .scan = scan, .err = err};
	r = take_request(&c, ret);
	assert(r == 1 && c.at == request_size);
	ret->raw = (struct notification_field){bytes, request_size};
	ret->is_dlist = true;
	*ret_size = request_size;
	return 1;
}
