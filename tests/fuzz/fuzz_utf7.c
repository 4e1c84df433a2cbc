/* A name as it came over the wire, or the UTF-8 that such a name stands for. */
#include "event/utf7.h"

#include "base/utf8.h"
#include "encode.h"
#include "fuzz.h"

#include "base/mem.h"

#include <assert.h>

/* What was encoded must be what is decoded. */
static void check_round_trip(const char *text, size_t size)
{
	buf_auto struct buf name;
	buf_init(&name);
	encode_utf7(text, &name);
	mem_auto char *decoded = mem_alloc(UTF7_DECODED_MAX(name.used));
	size_t decoded_size;
	assert(utf7_decode(buf_text(&name), name.used, decoded, &decoded_size) == 0);
	assert(decoded_size == size);
	assert(memcmp(decoded, text, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *name = (const char *)data;
	mem_auto char *decoded = mem_alloc(UTF7_DECODED_MAX(size));
	size_t decoded_size;
	if (utf7_decode(name, size, decoded, &decoded_size) == 0) {
		assert(utf8_is_valid(decoded, decoded_size));
		assert(strlen(decoded) == decoded_size);
		check_round_trip(decoded, decoded_size);
	}
	if (utf8_is_valid(name, size) && !memchr(name, '\0', size)) {
		mem_auto char *text = mem_dup_n(name, size);
		check_round_trip(text, size);
	}
	return 0;
}
