/* What an HTTP proxy answers to CONNECT; it may come in any pieces. */
#include "apns/proxy.h"

#include "fuzz.h"

#include <assert.h>
#include <errno.h>

#define PIECES 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	struct err err = {.text = ""};
	size_t used = 0;
	int whole = proxy_read_answer(bytes, size, &used, &err);
	assert(whole == 1 || whole == 0 || whole == -EPROTO || whole == -EACCES);
	assert(whole >= 0 || *err.text);
	if (whole == 1)
		assert(used > 0 && used <= size && used <= PROXY_ANSWER_MAX);

	/* In pieces the same comes out, as soon as it can be known. */
	int piecewise = 0;
	size_t piecewise_used = 0;
	for (size_t n = 0; n <= PIECES && piecewise == 0; n++)
		piecewise = proxy_read_answer(bytes, size * n / PIECES, &piecewise_used, &err);
	assert(piecewise == whole || size > PROXY_ANSWER_MAX);
	assert(whole != 1 || piecewise_used == used);
	return 0;
}
