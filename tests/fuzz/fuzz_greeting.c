/* What a server says when a client connects. */
#include "doctor/greeting.h"

#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct greeting greeting;
	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	greeting_parse(text, &greeting);
	assert(greeting.major < 100000 && greeting.minor < 100000 && greeting.patch < 100000);
	enum greeting_hole hole = greeting_hole(&greeting);
	assert(greeting.has_version ? hole != GREETING_UNKNOWN || greeting.is_packaged
				    : hole == GREETING_UNKNOWN);
	free(text);
	return 0;
}
