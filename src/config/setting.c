#include "config/setting.h"

#include "base/mem.h"

#include <string.h>

struct config_setting *setting_find(const struct config *config, const char *key)
{
	for (unsigned i = 0; i < config->setting_count; i++)
		if (!strcmp(config->settings[i].key, key))
			return &config->settings[i];
	return NULL;
}

void setting_add(
	struct config *config, const char *key, const char *value, const char *file, int line)
{
	struct config_setting *before = setting_find(config, key);
	if (before) {
		char *joined = mem_printf("%s, %s", before->value, value);
		free(before->value);
		before->value = joined;
		return;
	}
	config->settings = mem_realloc_array(
		config->settings, config->setting_count + 1, sizeof(*config->settings));
	config->settings[config->setting_count++] = (struct config_setting){.key = mem_dup(key),
		.value = mem_dup(value),
		.line = line,
		.file = file ? mem_dup(file) : NULL};
}

void setting_add_default_list(struct config *config, const char *key)
{
	char value[512] = "";
	if (!strcmp(key, "urgent_events"))
		relay_policy_print(&config->policy, RELAY_URGENT, value, sizeof(value));
	else if (!strcmp(key, "deferred_events"))
		relay_policy_print(&config->policy, RELAY_DEFERRED, value, sizeof(value));
	setting_add(config, key, value, NULL, 0);
}

void setting_free_all(struct config *config)
{
	for (unsigned i = 0; i < config->setting_count; i++) {
		free((char *)config->settings[i].key);
		free(config->settings[i].value);
		free(config->settings[i].file);
	}
	free(config->settings);
}
