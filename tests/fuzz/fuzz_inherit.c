/* LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, a line each, as somebody may pass them in. */
#include "intake/inherit.h"

#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SELF 4711

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	char *rest = text;
	const char *pid = strsep(&rest, "\n");
	const char *fds = strsep(&rest, "\n");
	const char *names = rest;

	unsigned count = INHERIT_FDS_MAX + 1;
	struct err err = {.text = ""};
	int r = inherit_count(pid, fds, SELF, &count, &err);
	assert(r ? count == INHERIT_FDS_MAX + 1 && *err.text : count <= INHERIT_FDS_MAX);
	for (unsigned i = 0; i < 8; i++) {
		char name[16];
		inherit_name(names, i, name, sizeof(name));
		assert(*name && strlen(name) < sizeof(name) && !strchr(name, ':'));
	}
	free(text);
	return 0;
}
