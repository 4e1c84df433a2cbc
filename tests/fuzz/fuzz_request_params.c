/* The JSON body of a request; its first line stands for the values of a query. */
#include "admin/request_params.h"

#include "fuzz.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

static void check_query(const char *text)
{
	int64_t number = 5;
	struct registry_key key = {{7}};
	const char *given = "before";
	if (request_params_number(text, 1, REQUEST_PARAMS_LIMIT_MAX, &number))
		assert(number >= 1 && number <= REQUEST_PARAMS_LIMIT_MAX);
	else
		assert(number == 5);
	if (!request_params_key(text, &key))
		assert(key.bytes[0] == 7);
	if (request_params_text(text, &given))
		assert(given == text && strlen(given) <= REQUEST_PARAMS_TEXT_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mem_auto char *text = mem_dup_n(data, size);
	char *newline = strchr(text, '\n');
	if (newline)
		*newline = '\0';
	check_query(text);
	size_t skipped = newline ? (size_t)(newline + 1 - text) : 0;
	struct request_params ask;
	struct err err;
	if (!request_params_parse(text + skipped, size - skipped, &ask, &err)) {
		assert(strlen(ask.user) <= REQUEST_PARAMS_TEXT_MAX);
		assert(strlen(ask.mailbox) <= REQUEST_PARAMS_TEXT_MAX);
		assert(strlen(ask.level) <= REQUEST_PARAMS_TEXT_MAX);
	}
	request_params_fini(&ask);
	return 0;
}
