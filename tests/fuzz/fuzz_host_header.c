/* The header Host of a request over TCP. */
#include "loop/host_header.h"

#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *host = malloc(size + 1);
	assert(host);
	memcpy(host, data, size);
	host[size] = '\0';
	if (host_header_is_local(host)) {
		/* Nothing but an address or localhost, and a port. */
		assert(strspn(host, "0123456789abcdefABCDEFlLoOcChHsStT.:[]") == strlen(host));
		char *colon = strrchr(host, ':');
		if (colon && *host != '[')
			*colon = '\0';
		assert(host_header_is_local(host));
	}
	free(host);
	return 0;
}
