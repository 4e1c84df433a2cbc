/*
 * standing - what a daemon that starts finds, by the daemon's own modules.
 *
 *	standing FOLDER SITE
 *
 * Opens registry.sqlite, queue.sqlite and spool of the folder as the daemon does, and prints what
 * stands there; a key is in hexadecimal, raw an event that waits to be taken in:
 *
 *	registration KEY TOKEN		subscription KEY HASH		raw BYTES (hexadecimal)
 *	push KEY TOKEN			news KEY HASH			trouble TEXT
 *
 * It ends without closing anything, as nothing of the folder is used any more.
 */
#include "base/mem.h"
#include "intake/dlist.h"
#include "intake/spool.h"
#include "intake/spooldisk.h"
#include "queue/store.h"
#include "sqlite/sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print_bytes(const void *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *at = bytes;
	for (size_t i = 0; i < size; i++) {
		putc_unlocked(digits[at[i] >> 4], stdout);
		putc_unlocked(digits[at[i] & 15], stdout);
	}
}

static void print_key(const char *what, const struct registry_key *key, const char *of_it)
{
	printf("%s ", what);
	print_bytes(key->bytes, sizeof(key->bytes));
	printf(" %s\n", of_it);
}

static void print_raw(const void *bytes, size_t size)
{
	printf("raw ");
	print_bytes(bytes, size);
	printf("\n");
}

static void print_trouble(const char *text)
{
	printf("trouble %s\n", text);
}

/* The registry. */

struct keys {
	struct registry_key *keys;
	size_t count;
};

static void on_registration(void *ctx, size_t index, const struct registry_row *row)
{
	struct keys *keys = ctx;
	(void)index;
	print_key("registration", &row->key, row->token);
	keys->keys = mem_realloc_array(keys->keys, keys->count + 1, sizeof(*keys->keys));
	keys->keys[keys->count++] = row->key;
}

static void on_subscription(
	void *ctx, size_t index, const struct registry_subscription *subscription)
{
	const struct keys *keys = ctx;
	print_key("subscription", &keys->keys[index], subscription->hash);
}

static int print_registry(const char *path, const char *site, struct err *err)
{
	static const struct registry_key first;
	struct registry_db *db;
	struct keys keys = {0};
	int code = sqlite_ops.open(path, &(struct registry_settings){.site = site}, &db, err);
	if (!code)
		code = sqlite_ops.begin(db, REGISTRY_READS, err);
	if (!code)
		code = sqlite_ops.list(db, "", &first, SIZE_MAX / 2, on_registration, &keys, err);
	if (!code)
		code = sqlite_ops.load_lists(
			db, keys.keys, keys.count, on_subscription, &keys, err);
	free(keys.keys);
	return code;
}

/* The queue. */

static void on_push(void *ctx, int64_t row, struct push_target *target,
	const uint8_t apns_id[QUEUE_APNS_ID_SIZE], int64_t due_ms, unsigned attempts,
	bool is_doubted, int64_t first_ms, int64_t last_push_ms)
{
	(void)ctx, (void)row, (void)apns_id, (void)due_ms, (void)attempts, (void)first_ms;
	(void)is_doubted, (void)last_push_ms;
	print_key("push", &target->key, target->token);
	push_target_free(target);
}

static void on_news(
	void *ctx, const struct registry_key *key, int64_t row, const struct queue_news *news)
{
	(void)ctx, (void)row;
	print_key("news", key, news->hash);
}

static void on_parked(
	void *ctx, uint64_t parked_id, int64_t received_ms, const char *raw, size_t raw_size)
{
	(void)ctx, (void)parked_id, (void)received_ms;
	print_raw(raw, raw_size);
}

static int print_queue(const char *path, struct err *err)
{
	static const struct store_loader loader = {on_push, on_news, on_parked};
	struct store_file *file;
	int code = store_file_open(path, &file, err);
	return code ? code : store_file_load(file, &loader, NULL, err);
}

/* The spool. */

static void print_file(const struct spool_file *file)
{
	struct dlist_scan scan = {0};
	struct notification notification;
	size_t size;
	struct err err;
	if (file->fate != SPOOLDISK_TAKEN) {
		print_trouble(file->reason);
	} else if (dlist_parse(&scan, file->bytes, file->size, &notification, &size, &err) != 1) {
		print_trouble("a file of the spool is no whole request");
	} else {
		print_raw(file->bytes, file->size);
	}
	dlist_scan_fini(&scan);
}

static void print_spool(const char *path)
{
	static const uint8_t seed[16];
	struct peer_rules peers = {0};
	struct spooldisk disk;
	struct spooldisk_work work;
	peer_allow(&peers, getuid());
	spooldisk_init(&disk, path, (gid_t)-1, &peers, false, seed);
	spooldisk_work_init(&work);
	work.is_look = true;
	work.files_max = SPOOL_FILES_MAX;
	work.bytes_max = SPOOL_BYTES_MAX;
	spooldisk_do(&disk, &work);
	if (*work.trouble.text)
		print_trouble(work.trouble.text);
	const struct spool_file *file;
	TAILQ_FOREACH(file, &work.found, link)
		print_file(file);
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fputs("usage: standing FOLDER SITE\n", stderr);
		return 2;
	}
	mem_auto char *registry = mem_printf("%s/registry.sqlite", argv[1]);
	mem_auto char *queue = mem_printf("%s/queue.sqlite", argv[1]);
	mem_auto char *spool = mem_printf("%s/spool", argv[1]);
	struct err err;
	if (print_registry(registry, argv[2], &err))
		print_trouble(err.text);
	if (print_queue(queue, &err))
		print_trouble(err.text);
	print_spool(spool);
	fflush(stdout);
	_exit(0);
}
