/* The text of cyrus.conf. */
#include "doctor/cyrusconf.h"

#include "fuzz.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cyrusconf *conf = NULL;
	struct err err = {.text = ""};
	if (cyrusconf_parse("cyrus.conf", (const char *)data, size, &conf, &err) < 0) {
		assert(!conf && *err.text);
		return 0;
	}
	for (unsigned i = 0; i < conf->count; i++) {
		const struct cyrusconf_service *service = &conf->services[i];
		char value[16];
		assert(service->name && service->line);
		assert(!strchr(service->cmd, '\n') && !strchr(service->cmd, '"'));
		cyrusconf_runs(service, "notifyd");
		if (cyrusconf_option(service, "-m", value, sizeof(value)))
			assert(strlen(value) < sizeof(value) && strstr(service->cmd, value));
	}
	cyrusconf_free(conf);
	return 0;
}
