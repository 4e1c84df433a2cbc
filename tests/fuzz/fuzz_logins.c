/* The file of page_login, up to the first NUL, and behind it the header Authorization. */
#include "credential/logins.h"

#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct logins *logins;
	char why[512] = "";
	char *text = malloc(size + 1);
	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	size_t file = strlen(text);
	const char *authorization = file < size ? text + file + 1 : "";
	if (logins_parse(text, file, &logins, why, sizeof(why))) {
		const char *who = logins_find(logins, authorization);
		/* Only a name of the file, and only of Basic. */
		if (who)
			assert(logins_is_name(who) && strstr(text, who) &&
				strlen(authorization) > strlen("Basic "));
		assert(!logins_header(logins));
		logins_free(logins);
	} else {
		assert(*why);
	}
	/* Without a file. */
	if (logins_of("header:X-Remote-User", &logins, why, sizeof(why))) {
		assert(!logins_find(logins, authorization));
		logins_free(logins);
	}
	free(text);
	return 0;
}
