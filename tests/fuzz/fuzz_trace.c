/* An entry of the trace, as a damaged file may have it. */
#include "trace/trace_words.h"

#include "fuzz.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trace_entry entry;
	size_t n = trace_entry_read(data, size, &entry);
	assert(n <= size);
	if (!n)
		return 0;
	mem_auto char *text = trace_words_text(&entry);
	mem_auto char *meaning = trace_words_meaning(&entry);
	assert(*text && (!meaning || *meaning) && *trace_words_kind(entry.kind));
	assert(strlen(entry.user) + strlen(entry.owner) + strlen(entry.folder) +
			strlen(entry.text) + 4 <=
		n);

	/* What is short enough to be kept whole is the same when it is written again. */
	if (strlen(entry.user) > MAILBOX_USER_MAX || strlen(entry.owner) > MAILBOX_USER_MAX ||
		strlen(entry.folder) > TRACE_ENTRY_FOLDER_MAX ||
		strlen(entry.text) > TRACE_ENTRY_TEXT_MAX)
		return 0;
	uint8_t written[TRACE_ENTRY_SIZE_MAX];
	struct trace_entry again;
	size_t m = trace_entry_write(&entry, written);
	assert(m <= n && trace_entry_read(written, m, &again) == m);
	assert(!strcmp(again.folder, entry.folder) && again.at_ms == entry.at_ms);
	return 0;
}
