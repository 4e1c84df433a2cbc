#include "config/config_credential.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const kinds[] = {"certificate", "pkcs12", "p8"};

#define DOMAIN_MAX 255
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* The keys that each kind allows and needs. */
static const struct rule {
	const char *key;
	const char *kind; /* NULL: any */
	bool is_needed;
	bool is_path;
} rules[] = {
	{"certificate", "certificate", true, true},
	{"key", "certificate", false, true},
	{"pkcs12", "pkcs12", true, true},
	{"p8", "p8", true, true},
	{"key_id", "p8", true, false},
	{"team_id", "p8", true, false},
	{"topic", "p8", true, false},
	{"passphrase_file", NULL, false, true},
};

static bool is_id(const char *id)
{
	size_t size = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
	return size == CREDENTIAL_ID_SIZE && !id[size];
}

static const char *value_of(cfg_t *section, const char *key)
{
	return cfg_getstr(section, key);
}

static bool choose_kind(cfg_t *section, const char **ret, char *why, size_t why_size)
{
	const char *kind = NULL;
	for (size_t i = 0; i < KINDS; i++) {
		if (!*value_of(section, kinds[i]))
			continue;
		if (kind) {
			snprintf(why, why_size,
				"%s and %s are both set; keep one, or make two sections", kind,
				kinds[i]);
			return false;
		}
		kind = kinds[i];
	}
	if (!kind) {
		snprintf(why, why_size,
			"certificate is missing; write certificate = "
			"\"/etc/mailpush/certificate.pem\", or set pkcs12 or p8");
		return false;
	}
	*ret = kind;
	return true;
}

static bool check_key(
	cfg_t *section, const struct rule *rule, const char *kind, char *why, size_t why_size)
{
	const char *value = value_of(section, rule->key);
	bool is_its_own = rule->kind && strcmp(rule->kind, kind) == 0;
	if (!*value && is_its_own && rule->is_needed) {
		snprintf(why, why_size, "%s needs %s as well; see mailpush.conf(5)", kind,
			rule->key);
		return false;
	}
	/* Every kind allows a topic. */
	if (*value && rule->kind && !is_its_own && strcmp(rule->key, "topic") != 0) {
		snprintf(why, why_size, "%s does not go with %s; remove it", rule->key, kind);
		return false;
	}
	if (*value && rule->is_path && *value != '/') {
		snprintf(why, why_size,
			"%s is not an absolute path; write it with a leading /, such as "
			"\"/etc/mailpush/%.100s\"",
			rule->key, value);
		return false;
	}
	return true;
}

static bool check_id(cfg_t *section, const char *key, char *why, size_t why_size)
{
	const char *value = value_of(section, key);
	if (!*value || is_id(value))
		return true;
	snprintf(why, why_size,
		"%s '%.40s' is not one of Apple's; write the %d capital letters and digits that "
		"its developer pages show",
		key, value, CREDENTIAL_ID_SIZE);
	return false;
}

static char *dup_or_null(cfg_t *section, const char *key)
{
	const char *text = value_of(section, key);
	return *text ? mem_dup(text) : NULL;
}

bool config_credential_take(
	cfg_t *section, struct credential_files *ret, char *why, size_t why_size)
{
	const char *kind;
	if (!choose_kind(section, &kind, why, why_size))
		return false;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (!check_key(section, &rules[i], kind, why, why_size))
			return false;
	}
	if (!check_id(section, "key_id", why, why_size) ||
		!check_id(section, "team_id", why, why_size))
		return false;
	*ret = (struct credential_files){
		.name = mem_dup(cfg_title(section)),
		.certificate = dup_or_null(section, "certificate"),
		.key = dup_or_null(section, "key"),
		.pkcs12 = dup_or_null(section, "pkcs12"),
		.p8 = dup_or_null(section, "p8"),
		.key_id = dup_or_null(section, "key_id"),
		.team_id = dup_or_null(section, "team_id"),
		.passphrase_file = dup_or_null(section, "passphrase_file"),
		.topic = dup_or_null(section, "topic"),
	};
	return true;
}

static bool is_domain(const char *name)
{
	size_t size = strlen(name);
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr(".-_", *c) &&
			!((unsigned char)*c & 0x80))
			return false;
	return size && size <= DOMAIN_MAX && *name != '.' && name[size - 1] != '.';
}

static int find_domain(const struct config *config, const char *name)
{
	for (unsigned i = 0; i < config->domain_count; i++)
		if (!strcasecmp(config->domains[i].name, name))
			return (int)config->domains[i].credential;
	return -1;
}

bool config_credential_has_domains(const struct config *config, unsigned credential)
{
	for (unsigned i = 0; i < config->domain_count; i++)
		if (config->domains[i].credential == credential)
			return true;
	return false;
}

bool config_credential_all_have_domains(const struct config *config)
{
	for (unsigned i = 0; i < config->credential_count; i++)
		if (!config_credential_has_domains(config, i))
			return false;
	return config->credential_count;
}

int config_credential_of(const struct config *config, const char *user)
{
	const char *at = strrchr(user, '@');
	return at ? find_domain(config, at + 1) : -1;
}

bool config_credential_take_domains(
	cfg_t *section, struct config *config, char *why, size_t why_size)
{
	unsigned count = cfg_size(section, "domains");
	for (unsigned i = 0; i < count; i++) {
		const char *name = cfg_getnstr(section, "domains", i);
		int other = find_domain(config, name);
		if (!is_domain(name)) {
			snprintf(why, why_size,
				"domains: '%.100s' is not a domain; write what stands behind the @ "
				"of "
				"its users, such as \"example.org\"",
				name);
			return false;
		}
		if (other >= 0) {
			snprintf(why, why_size,
				"domains: '%s' is in credential \"%.100s\" already; a domain has "
				"one "
				"topic",
				name, config->credentials[other].name);
			return false;
		}
		if (config->domain_count == CONFIG_DOMAINS_MAX) {
			snprintf(why, why_size, "domains: more than %d in all credentials",
				CONFIG_DOMAINS_MAX);
			return false;
		}
		config->domains = mem_realloc_array(
			config->domains, config->domain_count + 1, sizeof(*config->domains));
		config->domains[config->domain_count++] = (struct config_domain){
			.name = mem_dup(name), .credential = config->credential_count - 1};
	}
	return true;
}

static char *copy_or_null(const char *text)
{
	return text ? mem_dup(text) : NULL;
}

void config_credential_copy(const struct credential_files *files, struct credential_files *ret)
{
	*ret = (struct credential_files){
		.name = mem_dup(files->name),
		.certificate = copy_or_null(files->certificate),
		.key = copy_or_null(files->key),
		.pkcs12 = copy_or_null(files->pkcs12),
		.p8 = copy_or_null(files->p8),
		.key_id = copy_or_null(files->key_id),
		.team_id = copy_or_null(files->team_id),
		.passphrase_file = copy_or_null(files->passphrase_file),
		.topic = copy_or_null(files->topic),
	};
}

void config_credential_fini(struct credential_files *files)
{
	const char *const texts[] = {files->name, files->certificate, files->key, files->pkcs12,
		files->p8, files->key_id, files->team_id, files->passphrase_file, files->topic};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free((char *)texts[i]);
}
