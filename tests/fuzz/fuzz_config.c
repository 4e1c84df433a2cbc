/*
 * The text of mailpush.conf.  What it takes must be within its bounds, and what it refuses has a
 * text that names the file.
 */
#include "base/clock.h"
#include "base/units.h"
#include "config/config_file.h"

#include "fuzz.h"

#include <assert.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#define PATH "mailpush.conf"

/*
 * The system's users and groups, as few of them: to look them up in files for each input takes
 * longer than all else, and what is found would depend on the machine.
 */
struct passwd *getpwnam(const char *name)
{
	static struct passwd cyrus = {.pw_name = "cyrus", .pw_uid = 101};
	return strcmp(name, cyrus.pw_name) ? NULL : &cyrus;
}

struct group *getgrnam(const char *name)
{
	static struct group mail = {.gr_name = "mail", .gr_gid = 8};
	return strcmp(name, mail.gr_name) ? NULL : &mail;
}

static void check_within(int64_t value, int64_t least, int64_t most)
{
	assert(value >= least && value <= most);
}

static bool is_path_or_none(const char *path)
{
	return !path || *path == '/';
}

/* Of one kind, and with what that needs. */
static void check_credential(const struct credential_files *files)
{
	assert(*files->name);
	assert(!!files->certificate + !!files->pkcs12 + !!files->p8 == 1);
	assert(!files->key || files->certificate);
	assert(!files->p8 || (files->key_id && files->team_id && files->topic));
	assert(!files->key_id || strlen(files->key_id) == CREDENTIAL_ID_SIZE);
	assert(!files->team_id || strlen(files->team_id) == CREDENTIAL_ID_SIZE);
	assert(is_path_or_none(files->certificate) && is_path_or_none(files->key));
	assert(is_path_or_none(files->pkcs12) && is_path_or_none(files->p8));
	assert(is_path_or_none(files->passphrase_file));
}

static void check(const struct config *config)
{
	check_within(config->ack_timeout_ms, 50, CLOCK_MINUTE_MS);
	check_within((int64_t)config->max_waiting, 1000, 100000000);
	check_within(config->registration_ttl_ms, 7 * CLOCK_DAY_MS, 3650 * CLOCK_DAY_MS);
	check_within(config->deleted_user_grace_ms, 0, 365 * CLOCK_DAY_MS);
	check_within(config->registrations_per_user, 1, 10000);
	check_within(config->min_interval_ms, 0, CLOCK_HOUR_MS);
	check_within(config->deferred_delay_ms, 0, CLOCK_DAY_MS);
	check_within(config->max_push_rate, 0, 1000000);
	check_within(config->apns_port, 1, 65535);
	check_within(config->connections, 1, 16);
	check_within(config->subtopic_count, 1, CONFIG_SUBTOPICS_MAX);
	check_within(config->credential_count, 0, CONFIG_CREDENTIALS_MAX);
	assert(config->socket_mode <= 0777);
	assert(config->peers.count >= 1 && config->peers.count <= PEER_UIDS_MAX);
	assert(!*config->notify_socket || *config->notify_socket == '/');
	assert(strlen(config->notify_socket) <= 107 && strlen(config->stream_socket) <= 107);
	assert(*config->notify_socket || *config->stream_socket);
	assert(*config->queue == '/' || !*config->queue);
	assert(strchr(config->registry, '/'));
	assert(*config->apns_host);
	for (unsigned i = 0; i < config->credential_count; i++)
		check_credential(&config->credentials[i]);
}

/* The input as one value too: what is printed of a duration is read as the same again. */
static void check_units(const uint8_t *data, size_t size)
{
	char text[32];
	char printed[32];
	int64_t ms;
	int64_t again;
	if (size >= sizeof(text))
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	if (!units_parse_duration(text, &ms))
		return;
	assert(ms >= 0);
	units_print_duration(ms, printed, sizeof(printed));
	bool is_read = units_parse_duration(printed, &again);
	/* At most 10^9 of a unit are read. */
	assert(!is_read || again == ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_units(data, size);
	struct config *config = NULL;
	struct err err = {.text = ""};
	if (config_file_read_text(PATH, (const char *)data, size, &config, &err)) {
		assert(!config);
		assert(!strncmp(err.text, PATH ":", strlen(PATH ":")));
		return 0;
	}
	check(config);
	config_file_free(config);
	return 0;
}
