#include "trace/trace_ring.h"

#include "base/map.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "mptrace1"

/* In the machine's own byte order: the file does not travel. */
struct slot {
	char magic[8];
	uint64_t check; /* of all that follows */
	int64_t number; /* from 1 */
	int64_t first_ms;
	int64_t last_ms;
	uint64_t used; /* of bytes */
	uint64_t reserved[2];
	uint8_t bytes[TRACE_RING_ROOM];
};

_Static_assert(sizeof(struct slot) == TRACE_RING_SLOT, "no padding");
#define HEAD offsetof(struct slot, bytes)
#define CHECKED offsetof(struct slot, number)

struct place {
	int64_t number; /* 0: empty, or damaged */
	int64_t last_ms;
	uint32_t used;
	bool is_damaged;
};

struct trace_ring {
	char *path;
	int fd;
	size_t count;
	struct place *places;
	size_t newest;	     /* the place of `slot` */
	struct slot slot;    /* the newest one, as on disk */
	struct slot scratch; /* what is written, or read */
};

static uint64_t check_of(const struct slot *slot)
{
	static const uint8_t seed[16] = {
		'm', 'a', 'i', 'l', 'p', 'u', 's', 'h', '\'', 's', ' ', 't', 'r', 'a', 'c', 'e'};
	return map_hash(seed, (const uint8_t *)slot + CHECKED, HEAD - CHECKED + slot->used);
}

static int fail(const struct trace_ring *ring, int number, const char *doing, struct err *err)
{
	return err_set(
		err, -number, "cannot %s trace '%s': %s", doing, ring->path, strerror(number));
}

static off_t offset_of(size_t place)
{
	return (off_t)place * TRACE_RING_SLOT;
}

/* All of it, so that nothing stays of what was there. */
static int write_slot(struct trace_ring *ring, size_t place, struct slot *slot, struct err *err)
{
	ssize_t n = pwrite(ring->fd, slot, sizeof(*slot), offset_of(place));
	if (n != (ssize_t)sizeof(*slot))
		return fail(ring, n < 0 ? errno : ENOSPC, "write", err);
	ring->places[place] = (struct place){
		.number = slot->number, .last_ms = slot->last_ms, .used = (uint32_t)slot->used};
	return 0;
}

static int put_slot(struct trace_ring *ring, size_t place, struct slot *slot, struct err *err)
{
	memcpy(slot->magic, MAGIC, sizeof(slot->magic));
	slot->check = check_of(slot);
	int failed = write_slot(ring, place, slot, err);
	if (failed || slot->number < ring->slot.number)
		return failed;
	ring->slot = *slot;
	ring->newest = place;
	return 0;
}

enum slot_state { SLOT_EMPTY, SLOT_SOUND, SLOT_DAMAGED };

/* Reads it into scratch. */
static int read_slot(
	struct trace_ring *ring, size_t place, enum slot_state *ret_state, struct err *err)
{
	static const char empty[sizeof(((struct slot *)NULL)->magic)];
	struct slot *slot = &ring->scratch;
	ssize_t n = pread(ring->fd, slot, sizeof(*slot), offset_of(place));
	if (n < 0 && errno != EIO)
		return fail(ring, errno, "read", err);
	bool is_read = n >= 0;
	memset((char *)slot + (is_read ? n : 0), 0, sizeof(*slot) - (size_t)(is_read ? n : 0));
	if (is_read && !memcmp(slot->magic, empty, sizeof(empty)))
		*ret_state = SLOT_EMPTY;
	else if (!memcmp(slot->magic, MAGIC, sizeof(slot->magic)) && slot->number > 0 &&
		slot->number < INT64_MAX / TRACE_RING_SLOT && slot->used <= TRACE_RING_ROOM &&
		slot->check == check_of(slot))
		*ret_state = SLOT_SOUND;
	else
		*ret_state = SLOT_DAMAGED;
	return 0;
}

static int set_aside(struct trace_ring *ring, struct err *err)
{
	mem_auto char *aside = mem_printf("%s.damaged", ring->path);
	return rename(ring->path, aside) ? fail(ring, errno, "set aside the damaged", err) : 0;
}

/* Reads through all of it: afterwards the newest slot is in `slot`. */
static int take_in(struct trace_ring *ring, size_t *ret_sound, size_t *ret_damaged, struct err *err)
{
	*ret_sound = 0;
	*ret_damaged = 0;
	for (size_t i = 0; i < ring->count; i++) {
		enum slot_state state = SLOT_EMPTY;
		int failed = read_slot(ring, i, &state, err);
		if (failed)
			return failed;
		const struct slot *slot = &ring->scratch;
		ring->places[i].is_damaged = state == SLOT_DAMAGED;
		*ret_damaged += state == SLOT_DAMAGED;
		if (state != SLOT_SOUND)
			continue;
		++*ret_sound;
		ring->places[i] = (struct place){.number = slot->number,
			.last_ms = slot->last_ms,
			.used = (uint32_t)slot->used};
		if (slot->number > ring->slot.number) {
			ring->slot = *slot;
			ring->newest = i;
		}
	}
	return 0;
}

static int open_file(struct trace_ring *ring, struct err *err)
{
	if (ring->fd >= 0)
		close(ring->fd);
	ring->fd = open(ring->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (ring->fd < 0)
		return fail(ring, errno, "open", err);
	if (flock(ring->fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK
			? err_set(err, -EBUSY, "another process has trace '%s' open", ring->path)
			: fail(ring, errno, "lock", err);
	struct stat status;
	if (fstat(ring->fd, &status))
		return fail(ring, errno, "look at", err);
	if (!S_ISREG(status.st_mode))
		return err_set(err, -EINVAL, "trace '%s' is no file", ring->path);
	if (status.st_size > offset_of(ring->count) && ftruncate(ring->fd, offset_of(ring->count)))
		return fail(ring, errno, "cut", err);
	return 0;
}

int trace_ring_open(const char *path, uint64_t size, struct trace_ring **ret, struct err *err)
{
	assert(size >= TRACE_RING_SLOT);
	struct trace_ring *ring = mem_alloc_zero(1, sizeof(*ring));
	ring->path = mem_dup(path);
	ring->fd = -1;
	ring->count = (size_t)(size / TRACE_RING_SLOT);
	ring->places = mem_alloc_zero(ring->count, sizeof(*ring->places));
	size_t sound = 0;
	size_t damaged = 0;
	int failed = open_file(ring, err);
	if (!failed)
		failed = take_in(ring, &sound, &damaged, err);
	if (!failed && damaged && !sound) {
		failed = set_aside(ring, err);
		if (!failed)
			failed = open_file(ring, err);
		memset(ring->places, 0, ring->count * sizeof(*ring->places));
	}
	if (failed) {
		trace_ring_close(ring);
		return failed;
	}
	*ret = ring;
	return 0;
}

void trace_ring_close(struct trace_ring *ring)
{
	if (!ring)
		return;
	if (ring->fd >= 0)
		close(ring->fd);
	free(ring->places);
	free(ring->path);
	free(ring);
}

int trace_ring_check(const struct trace_ring *ring, struct err *err)
{
	struct stat opened;
	struct stat there;
	if (!fstat(ring->fd, &opened) && !lstat(ring->path, &there) &&
		opened.st_dev == there.st_dev && opened.st_ino == there.st_ino)
		return 0;
	return err_set(err, -ESTALE, "trace '%s' was removed or replaced", ring->path);
}

int trace_ring_append(struct trace_ring *ring, const uint8_t *bytes, size_t size, int64_t first_ms,
	int64_t last_ms, struct err *err)
{
	assert(size && size <= TRACE_RING_ROOM);
	struct slot *slot = &ring->scratch;
	size_t place = ring->newest;
	if (ring->slot.number && ring->slot.used + size <= TRACE_RING_ROOM) {
		*slot = ring->slot;
	} else {
		memset(slot, 0, sizeof(*slot));
		slot->number = ring->slot.number + 1;
		if (ring->slot.number)
			place = (place + 1) % ring->count;
	}
	if (!slot->used || slot->first_ms > first_ms)
		slot->first_ms = first_ms;
	if (!slot->used || slot->last_ms < last_ms)
		slot->last_ms = last_ms;
	memcpy(slot->bytes + slot->used, bytes, size);
	slot->used += size;
	return put_slot(ring, place, slot, err);
}

int trace_ring_expire(struct trace_ring *ring, int64_t before_ms, struct err *err)
{
	int failed = 0;
	for (size_t i = 0; i < ring->count && !failed; i++) {
		struct place *place = &ring->places[i];
		bool is_old = place->number && place->used && place->last_ms < before_ms;
		if (!is_old && !place->is_damaged)
			continue;
		memset(&ring->scratch, 0, sizeof(ring->scratch));
		failed = write_slot(ring, i, &ring->scratch, err);
		/* Its number is used up all the same. */
		if (!failed && is_old && i == ring->newest) {
			memset(ring->slot.bytes, 0, sizeof(ring->slot.bytes));
			ring->slot.used = 0;
		}
	}
	return failed;
}

static int compare_numbers(const void *a, const void *b, void *ctx)
{
	const struct place *places = ctx;
	const struct place *x = &places[*(const uint32_t *)a];
	const struct place *y = &places[*(const uint32_t *)b];
	return x->number < y->number ? -1 : x->number > y->number;
}

static int visit_slot(struct trace_ring *ring, size_t place, int64_t after,
	trace_ring_visit_fn *visit, void *ctx, uint64_t *ret_damaged, struct err *err)
{
	enum slot_state state = SLOT_EMPTY;
	int failed = read_slot(ring, place, &state, err);
	if (failed)
		return failed;
	struct slot *slot = &ring->scratch;
	if (state != SLOT_SOUND || slot->number != ring->places[place].number) {
		++*ret_damaged;
		return 0;
	}
	size_t from =
		after / TRACE_RING_SLOT == slot->number ? (size_t)(after % TRACE_RING_SLOT) : 0;
	if (from > slot->used)
		from = slot->used;
	size_t stays = visit(ctx, slot->bytes, slot->used, from);
	assert(stays <= slot->used);
	if (stays == slot->used)
		return 0;
	memset(slot->bytes + stays, 0, slot->used - stays);
	slot->used = stays;
	return put_slot(ring, place, slot, err);
}

int trace_ring_visit(struct trace_ring *ring, int64_t since_ms, int64_t after,
	trace_ring_visit_fn *visit, void *ctx, int64_t *ret_end, uint64_t *ret_damaged,
	struct err *err)
{
	mem_auto uint32_t *order = mem_realloc_array(NULL, ring->count, sizeof(*order));
	size_t count = 0;
	*ret_damaged = 0;
	for (size_t i = 0; i < ring->count; i++) {
		const struct place *place = &ring->places[i];
		*ret_damaged += place->is_damaged;
		if (place->number && place->last_ms >= since_ms &&
			place->number >= after / TRACE_RING_SLOT)
			order[count++] = (uint32_t)i;
	}
	qsort_r(order, count, sizeof(*order), compare_numbers, ring->places);
	for (size_t i = 0; i < count; i++) {
		int failed = visit_slot(ring, order[i], after, visit, ctx, ret_damaged, err);
		if (failed)
			return failed;
	}
	*ret_end = ring->slot.number * TRACE_RING_SLOT + (int64_t)ring->slot.used;
	return 0;
}

uint64_t trace_ring_bytes(const struct trace_ring *ring)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < ring->count; i++)
		bytes += ring->places[i].used;
	return bytes;
}
