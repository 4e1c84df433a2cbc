#include "trace/trace_entry.h"

#include <string.h>

enum { HAS_KEY = 1 << 0, HAS_ID = 1 << 1, HAS_ALL = HAS_KEY | HAS_ID };

/* Behind it: key, id, hashes, then the texts, each with its NUL.  In the machine's own byte order:
 * the file does not travel. */
struct head {
	uint16_t size; /* of all of it */
	uint16_t status;
	uint8_t kind;
	uint8_t event;
	uint8_t what;
	uint8_t ending;
	uint8_t hash_count;
	uint8_t has;
	uint16_t zero;
	uint32_t count;
	uint32_t left_out;
	uint32_t zeros;
	int64_t at_ms;
	int64_t other_ms;
};

_Static_assert(sizeof(struct head) == 40, "no padding");
_Static_assert(sizeof(struct head) + REGISTRY_KEY_SIZE + TRACE_ENTRY_ID_SIZE +
			TRACE_ENTRY_HASHES_MAX * sizeof(uint64_t) + 2 * (MAILBOX_USER_MAX + 1) +
			TRACE_ENTRY_FOLDER_MAX + 1 + TRACE_ENTRY_TEXT_MAX + 1 <=
		TRACE_ENTRY_SIZE_MAX,
	"the longest fits");

static const uint8_t nothing[TRACE_ENTRY_ID_SIZE];

bool trace_entry_has_key(const struct trace_entry *entry)
{
	return memcmp(entry->key.bytes, nothing, REGISTRY_KEY_SIZE) != 0;
}

static unsigned digit(char c)
{
	return c <= '9' ? (unsigned)(c - '0') & 15 : (unsigned)(c - 'a' + 10) & 15;
}

uint64_t trace_entry_hash(const char hash[MAILBOX_HASH_SIZE])
{
	uint64_t value = 0;
	for (int i = 0; i < 16 && hash[i]; i++)
		value = value << 4 | digit(hash[i]);
	return value;
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t size)
{
	memcpy(at, bytes, size);
	return at + size;
}

/* Cut at the beginning of a character. */
static uint8_t *put_text(uint8_t *at, const char *text, size_t most)
{
	size_t size = text ? strnlen(text, most + 1) : 0;
	if (size > most) {
		size = most;
		while (size && ((unsigned char)text[size] & 0xc0) == 0x80)
			size--;
	}
	if (size)
		memcpy(at, text, size);
	at[size] = '\0';
	return at + size + 1;
}

size_t trace_entry_write(const struct trace_entry *entry, uint8_t *ret)
{
	unsigned hash_count = entry->hash_count < TRACE_ENTRY_HASHES_MAX ? entry->hash_count
									 : TRACE_ENTRY_HASHES_MAX;
	struct head head = {.kind = (uint8_t)entry->kind,
		.event = (uint8_t)entry->event,
		.what = (uint8_t)entry->what,
		.ending = (uint8_t)entry->ending,
		.hash_count = (uint8_t)hash_count,
		.status = (uint16_t)entry->status,
		.count = entry->count,
		.left_out = entry->left_out,
		.at_ms = entry->at_ms,
		.other_ms = entry->other_ms};
	uint8_t *at = ret + sizeof(head);
	if (trace_entry_has_key(entry)) {
		head.has |= HAS_KEY;
		at = put(at, entry->key.bytes, REGISTRY_KEY_SIZE);
	}
	if (memcmp(entry->apns_id, nothing, TRACE_ENTRY_ID_SIZE) != 0) {
		head.has |= HAS_ID;
		at = put(at, entry->apns_id, TRACE_ENTRY_ID_SIZE);
	}
	at = put(at, entry->hashes, hash_count * sizeof(uint64_t));
	at = put_text(at, entry->user, MAILBOX_USER_MAX);
	at = put_text(at, entry->owner, MAILBOX_USER_MAX);
	at = put_text(at, entry->folder, TRACE_ENTRY_FOLDER_MAX);
	at = put_text(at, entry->text, TRACE_ENTRY_TEXT_MAX);
	head.size = (uint16_t)(at - ret);
	memcpy(ret, &head, sizeof(head));
	return head.size;
}

struct reader {
	const uint8_t *at;
	size_t left;
	bool has_failed;
};

static void take(struct reader *reader, void *ret, size_t size)
{
	if (reader->left < size) {
		reader->has_failed = true;
		return;
	}
	memcpy(ret, reader->at, size);
	reader->at += size;
	reader->left -= size;
}

static const char *take_text(struct reader *reader)
{
	const char *text = (const char *)reader->at;
	size_t size = strnlen(text, reader->left);
	if (size == reader->left) {
		reader->has_failed = true;
		return "";
	}
	reader->at += size + 1;
	reader->left -= size + 1;
	return text;
}

static bool is_possible(const struct head *head)
{
	static const unsigned most[TRACE_KINDS] = {[TRACE_EVENT] = TRACE_OUTCOMES,
		[TRACE_REGISTRATION] = TRACE_RECEIVED_KINDS,
		[TRACE_ANSWER] = TRACE_THENS,
		[TRACE_SUSPENDED] = 1,
		[TRACE_RESUMED] = 1,
		[TRACE_UNLISTED] = 1,
		[TRACE_NUDGED] = 1,
		[TRACE_GAP] = 1};
	return head->kind < TRACE_KINDS && head->what < most[head->kind] &&
		head->event < EVENT_KINDS && head->ending <= APNS_SILENT &&
		head->hash_count <= TRACE_ENTRY_HASHES_MAX && !(head->has & ~HAS_ALL) &&
		!head->zero && !head->zeros;
}

size_t trace_entry_read(const uint8_t *bytes, size_t size, struct trace_entry *ret)
{
	struct head head;
	if (size < sizeof(head))
		return 0;
	memcpy(&head, bytes, sizeof(head));
	if (head.size < sizeof(head) || head.size > size || head.size > TRACE_ENTRY_SIZE_MAX ||
		!is_possible(&head))
		return 0;
	struct trace_entry entry = {.kind = (enum trace_kind)head.kind,
		.at_ms = head.at_ms,
		.event = (enum event_kind)head.event,
		.what = head.what,
		.other_ms = head.other_ms,
		.ending = (enum apns_ending)head.ending,
		.status = head.status,
		.count = head.count,
		.left_out = head.left_out,
		.hash_count = head.hash_count};
	struct reader reader = {bytes + sizeof(head), head.size - sizeof(head), false};
	if (head.has & HAS_KEY)
		take(&reader, entry.key.bytes, REGISTRY_KEY_SIZE);
	if (head.has & HAS_ID)
		take(&reader, entry.apns_id, TRACE_ENTRY_ID_SIZE);
	take(&reader, entry.hashes, entry.hash_count * sizeof(uint64_t));
	entry.user = take_text(&reader);
	entry.owner = take_text(&reader);
	entry.folder = take_text(&reader);
	entry.text = take_text(&reader);
	if (reader.has_failed || reader.left)
		return 0;
	*ret = entry;
	return head.size;
}
