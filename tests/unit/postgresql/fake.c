#include "fake.h"

#include "base/buf.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct fake {
	char folder[32];
	char path[64];
	char place[96];
	int listener;
	pthread_t thread;
	_Atomic(const struct fake_answer *) answer;
	/* Of the connection: */
	int socket;
	char *sql;
	struct buf out;
	bool is_tried;	/* by the last statement */
	bool is_silent; /* from now on */
};

static bool read_all(int socket, void *to, size_t size)
{
	for (size_t used = 0; used < size;) {
		ssize_t got = read(socket, (char *)to + used, size - used);
		if (got <= 0)
			return false;
		used += (size_t)got;
	}
	return true;
}

static void put_16(struct buf *to, unsigned number)
{
	uint16_t wire = htons((uint16_t)number);
	buf_append(to, &wire, sizeof(wire));
}

static void put_32(struct buf *to, unsigned number)
{
	uint32_t wire = htonl(number);
	buf_append(to, &wire, sizeof(wire));
}

static void put_text(struct buf *to, const char *text)
{
	buf_append(to, text, strlen(text) + 1);
}

/* A message; `body` (NULL: it has none) is used up. */
static void put(struct fake *fake, char kind, struct buf *body)
{
	buf_append(&fake->out, &kind, 1);
	put_32(&fake->out, 4 + (unsigned)(body ? body->used : 0));
	if (body) {
		buf_append(&fake->out, body->data, body->used);
		buf_clear(body);
	}
}

static void put_parameter(struct fake *fake, const char *name, const char *value)
{
	buf_auto struct buf body;
	buf_init(&body);
	put_text(&body, name);
	put_text(&body, value);
	put(fake, 'S', &body);
}

static void put_done(struct fake *fake, const char *tag)
{
	buf_auto struct buf body;
	buf_init(&body);
	put_text(&body, tag);
	put(fake, 'C', &body);
}

static void put_ready(struct fake *fake)
{
	buf_auto struct buf body;
	buf_init(&body);
	buf_append(&body, "I", 1);
	put(fake, 'Z', &body);
}

static void greet(struct fake *fake)
{
	buf_auto struct buf body;
	buf_init(&body);
	put_32(&body, 0);
	put(fake, 'R', &body);
	put_parameter(fake, "server_version", "15.0");
	put_parameter(fake, "server_encoding", "UTF8");
	put_parameter(fake, "client_encoding", "UTF8");
	put_parameter(fake, "in_hot_standby", "off");
	put_parameter(fake, "default_transaction_read_only", "off");
	put_32(&body, 1);
	put_32(&body, 1);
	put(fake, 'K', &body);
	put_ready(fake);
}

static unsigned oid_of(char kind)
{
	switch (tolower(kind)) {
	case 'n':
		return 20;
	case 'b':
		return 16;
	case 'k':
		return 17;
	case 'i':
		return 23;
	default:
		return 25;
	}
}

static void put_rows(struct fake *fake, const struct fake_answer *answer)
{
	size_t columns = strlen(answer->columns);
	buf_auto struct buf body;
	buf_init(&body);
	put_16(&body, (unsigned)columns);
	for (size_t i = 0; i < columns; i++) {
		put_text(&body, "column");
		put_32(&body, 0);
		put_16(&body, 0);
		put_32(&body, oid_of(answer->columns[i]));
		put_16(&body, UINT16_MAX);
		put_32(&body, UINT32_MAX);
		put_16(&body, islower(answer->columns[i]) ? 1 : 0);
	}
	put(fake, 'T', &body);
	for (size_t i = 0; i < answer->rows; i++) {
		put_16(&body, (unsigned)columns);
		for (size_t j = 0; j < columns; j++) {
			const struct fake_value *value = &answer->values[i * columns + j];
			put_32(&body, (unsigned)value->size);
			if (value->size > 0)
				buf_append(&body, value->bytes, (size_t)value->size);
		}
		put(fake, 'D', &body);
	}
	put_done(fake, "SELECT 1");
}

static void put_copy(struct fake *fake, char kind)
{
	buf_auto struct buf body;
	buf_init(&body);
	buf_append(&body, "", 1);
	put_16(&body, 0);
	put(fake, kind, &body);
}

static void put_tried(struct fake *fake, const struct fake_answer *answer)
{
	switch (answer->course) {
	case FAKE_ROWS:
		put_rows(fake, answer);
		break;
	case FAKE_NO_ANSWER:
		put_ready(fake);
		break;
	case FAKE_TWO_ANSWERS:
		put_rows(fake, answer);
		put_rows(fake, answer);
		break;
	case FAKE_COPY_OUT:
		put_copy(fake, 'H');
		break;
	case FAKE_COPY_IN:
		put_copy(fake, 'G');
		break;
	case FAKE_COPY_BOTH:
		put_copy(fake, 'W');
		break;
	case FAKE_SILENCE:
		fake->is_silent = true;
		break;
	}
}

/* What is asked when all is well. */
static void put_well(struct fake *fake)
{
	static const uint8_t version[] = {0, 0, 0, 1};
	static const struct fake_value value = {version, sizeof(version)};
	static const struct fake_answer schema = {.columns = "i", .values = &value, .rows = 1};
	if (strncmp(fake->sql, "SELECT version", strlen("SELECT version")) == 0) {
		put_rows(fake, &schema);
		return;
	}
	put(fake, 'n', NULL);
	put_done(fake, strcmp(fake->sql, "COMMIT") == 0 ? "COMMIT" : "SET");
}

static void execute(struct fake *fake)
{
	const struct fake_answer *answer = atomic_load(&fake->answer);
	fake->is_tried = answer && strstr(fake->sql, answer->to);
	put(fake, '1', NULL);
	put(fake, '2', NULL);
	if (fake->is_tried)
		put_tried(fake, answer);
	else
		put_well(fake);
}

/* False: the client is gone. */
static bool take_message(struct fake *fake)
{
	char kind;
	uint32_t size;
	if (!read_all(fake->socket, &kind, 1) || !read_all(fake->socket, &size, sizeof(size)))
		return false;
	size = ntohl(size) - (uint32_t)sizeof(size);
	mem_auto char *body = mem_alloc_zero(size + 1, 1);
	if (!read_all(fake->socket, body, size) || kind == 'X')
		return false;
	if (kind == 'P') {
		/* Behind the name of the statement, which is "". */
		free(fake->sql);
		fake->sql = mem_dup(body + 1);
	} else if (kind == 'E') {
		execute(fake);
	} else if (kind == 'S' && !fake->is_silent) {
		put_ready(fake);
		ssize_t sent = send(fake->socket, fake->out.data, fake->out.used, MSG_NOSIGNAL);
		buf_clear(&fake->out);
		return sent >= 0;
	}
	return true;
}

static void serve(struct fake *fake)
{
	uint32_t size;
	fake->is_silent = false;
	buf_clear(&fake->out);
	if (!read_all(fake->socket, &size, sizeof(size)))
		return;
	size = ntohl(size) - (uint32_t)sizeof(size);
	mem_auto char *startup = mem_alloc(size);
	if (!read_all(fake->socket, startup, size))
		return;
	greet(fake);
	if (send(fake->socket, fake->out.data, fake->out.used, MSG_NOSIGNAL) < 0)
		return;
	buf_clear(&fake->out);
	while (take_message(fake))
		;
}

static void *run(void *ctx)
{
	struct fake *fake = ctx;
	while ((fake->socket = accept(fake->listener, NULL, NULL)) >= 0) {
		serve(fake);
		close(fake->socket);
	}
	return NULL;
}

struct fake *fake_new(void)
{
	struct fake *fake = mem_alloc_zero(1, sizeof(*fake));
	snprintf(fake->folder, sizeof(fake->folder), "/tmp/mailpush-fake-XXXXXX");
	bool is_made = mkdtemp(fake->folder) != NULL;
	assert(is_made);
	snprintf(fake->path, sizeof(fake->path), "%s/.s.PGSQL.5432", fake->folder);
	snprintf(fake->place, sizeof(fake->place), "//mailpush@/mailpush?host=%s", fake->folder);
	buf_init(&fake->out);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", fake->path);
	fake->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	int failed = bind(fake->listener, (struct sockaddr *)&address, sizeof(address)) ||
		listen(fake->listener, 8) || pthread_create(&fake->thread, NULL, run, fake);
	assert(!failed);
	return fake;
}

/* Its clients are closed before. */
void fake_free(struct fake *fake)
{
	shutdown(fake->listener, SHUT_RDWR);
	pthread_join(fake->thread, NULL);
	close(fake->listener);
	unlink(fake->path);
	rmdir(fake->folder);
	buf_fini(&fake->out);
	free(fake->sql);
	free(fake);
}

const char *fake_place(const struct fake *fake)
{
	return fake->place;
}

void fake_answers(struct fake *fake, const struct fake_answer *answer)
{
	atomic_store(&fake->answer, answer);
}
