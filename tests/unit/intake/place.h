/*
 * place - a temporary folder and a loop, for tests with real sockets.
 *
 * place_run_until(place, condition) turns the loop until the condition holds, and fails the test
 * when that takes PLACE_LIMIT_MS: tests wait for what happens, never for time.
 */
#ifndef MAILPUSH_TESTS_INTAKE_PLACE_H
#define MAILPUSH_TESTS_INTAKE_PLACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#define PLACE_LIMIT_MS 20000

struct place {
	char folder[64];
	char path[80]; /* of the socket in it */
	uv_loop_t loop;
	uv_timer_t limit;
	bool is_late;
};

static inline void place_on_limit(uv_timer_t *timer)
{
	struct place *place = timer->data;
	place->is_late = true;
}

static inline void place_init(struct place *place)
{
	memset(place, 0, sizeof(*place));
	snprintf(place->folder, sizeof(place->folder), "/tmp/mailpush-test-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(place->path, sizeof(place->path), "%s/socket", place->folder);
	assert_int_equal(uv_loop_init(&place->loop), 0);
	uv_timer_init(&place->loop, &place->limit);
	place->limit.data = place;
	uv_timer_start(&place->limit, place_on_limit, PLACE_LIMIT_MS, 0);
}

/* Whatever the test made must be freed before; all handles must close. */
static inline void place_fini(struct place *place)
{
	uv_close((uv_handle_t *)&place->limit, NULL);
	uv_run(&place->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&place->loop), 0);
	unlink(place->path);
	assert_int_equal(rmdir(place->folder), 0);
}

#define place_run_until(place, condition)                          \
	do {                                                       \
		while (!(condition)) {                             \
			uv_run(&(place)->loop, UV_RUN_ONCE);       \
			if ((place)->is_late)                      \
				fail_msg("never: %s", #condition); \
		}                                                  \
	} while (0)

/* The same for what the loop is not woken by: the far end of a socket that is none of its own. */
#define place_spin_until(place, condition)                         \
	do {                                                       \
		while (!(condition)) {                             \
			uv_run(&(place)->loop, UV_RUN_NOWAIT);     \
			if ((place)->is_late)                      \
				fail_msg("never: %s", #condition); \
		}                                                  \
	} while (0)

static inline int place_connect(const char *path, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

#endif
