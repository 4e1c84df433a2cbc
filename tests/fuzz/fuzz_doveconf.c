/* What doveconf prints, and what stands in a module's file. */
#include "base/mem.h"
#include "doctor_dovecot/doveconf_text.h"
#include "doctor_dovecot/dovecot_abi.h"

#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned major = 0;
	unsigned minor = 0;
	char abi[DOVECOT_ABI_SIZE];
	mem_auto char *text = mem_dup_n(data, size);
	mem_auto char *value = doveconf_text_value(text, "mail_uid");
	mem_auto char *plugins = doveconf_text_list(text, "mail_plugins", NULL);
	mem_auto char *of_section = doveconf_text_list(text, "mail_plugins", " notify mailpush ");
	mem_auto char *uid = doveconf_text_id(text, "uid");
	mem_auto char *error = doveconf_text_error(text);
	assert(!value || !strchr(value, '\n'));
	assert(plugins[0] == ' ' && plugins[strlen(plugins) - 1] == ' ' && !strstr(plugins, "  "));
	assert(of_section[0] == ' ' && of_section[strlen(of_section) - 1] == ' ');
	assert(!strchr(plugins, '\n') && !strchr(error, '\n'));
	assert(!uid || (*uid && !strchr(uid, ' ')));
	doveconf_text_version(text, &major, &minor);
	assert(major < 1000 && minor < 1000);
	assert(!dovecot_abi_find((const char *)data, size, abi) || strstr(abi, ".ABIv"));
	return 0;
}
