#include "ctl/copy.h"

#include "base/mem.h"
#include "config/config_file.h"
#include "config/input_files.h"
#include "config/process.h"
#include "database/database.h"
#include "driver/ops.h"
#include "transfer/registry_copy.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/mailpush/mailpush.conf"
#define FROZEN_ALARM "registry:frozen"
#define PROGRESS_EVERY 10000

struct copying {
	const struct copy_request *request;
	struct config *config;
	char *site;
	struct registry_db *from;
	struct registry_db *to;
	struct registry_copy_counts counts;
	uint64_t shown; /* progress, up to here */
	/* When the copy began, of the registry: Unix time; 0: mailpushd does not run. */
	double frozen_since;
};

static enum client_exit complain(const char *text)
{
	fprintf(stderr, "mailpushctl: %s\n", text);
	return CLIENT_FAILED;
}

/* A url is not repeated: there may be a password in it. */
static enum client_exit check_url(const char *which, const char *url)
{
	struct err err;
	if (!database_check(url, &err))
		return CLIENT_FINE;
	fprintf(stderr, "mailpushctl: the registry to copy %s %s\n", which, err.text);
	return CLIENT_USAGE;
}

static enum client_exit read_config(struct copying *copying)
{
	const struct copy_request *request = copying->request;
	struct err err;
	if (config_file_read(request->config ? request->config : DEFAULT_CONFIG, "--config",
		    &copying->config, &err))
		return complain(err.text);
	if (!request->is_socket_given && *copying->config->control_socket)
		client_use(copying->config->control_socket);
	return CLIENT_FINE;
}

/* 0: it is not. */
static double frozen_since(const json_t *status)
{
	size_t i;
	const json_t *alarm;
	json_array_foreach(json_object_get(status, "alarms"), i, alarm)
	{
		const char *name = json_string_value(json_object_get(alarm, "name"));
		if (name && !strcmp(name, FROZEN_ALARM))
			return json_number_value(json_object_get(alarm, "since"));
	}
	return 0;
}

static bool is_used(const char *registry, const json_t *settings)
{
	size_t i;
	const json_t *setting;
	json_array_foreach(json_object_get(settings, "settings"), i, setting)
	{
		const char *key = json_string_value(json_object_get(setting, "key"));
		const char *value = json_string_value(json_object_get(setting, "value"));
		if (key && value && !strcmp(key, "registry"))
			return !strcmp(value, registry);
	}
	return false;
}

/* The last copy is of a registry that does not change, so that nothing is missed. */
static enum client_exit check_rest(struct copying *copying, const json_t *status)
{
	if (!copying->request->is_last)
		return CLIENT_FINE;
	copying->frozen_since = frozen_since(status);
	if (copying->frozen_since == 0)
		return complain("mailpushd works with its registry, so what it changes would be "
				"missed: first run mailpushctl registry freeze");
	json_t *settings = NULL;
	enum client_exit result = client_ask("GET", "/config", NULL, &settings);
	if (!result && !is_used(copying->request->from, settings))
		result = complain("mailpushd uses another registry than the one to copy from, as "
				  "mailpushctl config shows; give its url as it stands there");
	json_decref(settings);
	return result;
}

/* It stood still until the last copy was over: mailpushd may have been restarted meanwhile. */
static enum client_exit check_rest_again(const struct copying *copying)
{
	json_t *status = NULL;
	struct err err;
	enum client_exit result = client_try("GET", "/status", NULL, &status, &err);
	if (result && result != CLIENT_NOT_RUNNING)
		return complain(err.text);
	bool is_as_before = result
		? copying->frozen_since == 0
		: copying->frozen_since != 0 && frozen_since(status) == copying->frozen_since;
	json_decref(status);
	return is_as_before
		? CLIENT_FINE
		: complain("mailpushd was started, stopped or thawed meanwhile, and what its "
			   "registry took in then may be missing: run the last copy again, "
			   "with mailpushd stopped or its registry frozen");
}

/* mailpushd's, or else what it would be. */
static enum client_exit find_site(struct copying *copying)
{
	json_t *status = NULL;
	struct err err;
	enum client_exit result = client_try("GET", "/status", NULL, &status, &err);
	if (!result) {
		const char *site = json_string_value(json_object_get(status, "site"));
		copying->site = site ? mem_dup(site) : NULL;
		result = check_rest(copying, status);
		json_decref(status);
		return result || copying->site ? result
					       : complain("mailpushd does not say its site");
	}
	if (result != CLIENT_NOT_RUNNING)
		return complain(err.text);
	struct input_files *files = input_files_read(copying->config);
	copying->site = mem_steal(files->site);
	result = copying->site ? CLIENT_FINE : complain(files->imapdconf_error.text);
	input_files_free(files);
	return result;
}

static enum client_exit open_registry(const struct copying *copying, const char *url,
	const char *password_file, struct registry_db **ret)
{
	const struct config *config = copying->config;
	const char *place = NULL;
	const struct registry_ops *driver = database_driver(url, &place);
	struct registry_settings settings = {.ops = driver,
		.place = place,
		.site = copying->site,
		.registration_ttl_ms = config->registration_ttl_ms,
		.deleted_user_grace_ms = config->deleted_user_grace_ms,
		.registrations_per_user = config->registrations_per_user,
		.password_file = password_file,
		.timeout_ms = config->registry_timeout_ms};
	struct err err;
	if (!password_file && !strcmp(url, config->registry))
		settings.password_file = config->registry_password_file;
	return driver->open(place, &settings, ret, &err) ? complain(err.text) : CLIENT_FINE;
}

static void show_progress(void *ctx, const struct registry_copy_counts *so_far)
{
	struct copying *copying = ctx;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%llu read", (unsigned long long)so_far->read);
	else if (so_far->read / PROGRESS_EVERY > copying->shown / PROGRESS_EVERY)
		fprintf(stderr, "%llu read\n",
			(unsigned long long)(so_far->read / PROGRESS_EVERY * PROGRESS_EVERY));
	copying->shown = so_far->read;
}

static void print_summary(const struct copying *copying)
{
	const struct registry_copy_counts *counts = &copying->counts;
	const struct copy_request *request = copying->request;
	printf("%llu read: %llu new, %llu renewed, ", (unsigned long long)counts->read,
		(unsigned long long)counts->new_ones, (unsigned long long)counts->renewed);
	if (request->is_last)
		printf("%llu changed, ", (unsigned long long)counts->changed);
	printf("%llu known", (unsigned long long)counts->known);
	if (counts->forgotten)
		printf(", %llu forgotten there since", (unsigned long long)counts->forgotten);
	putchar('\n');
	if (request->is_last)
		printf("%llu forgotten here, and removed there\n",
			(unsigned long long)counts->removed);
	if (counts->others)
		printf("%llu there that are not here: of other servers, or of a user who was "
		       "removed meanwhile\n",
			(unsigned long long)counts->others);
	if (request->is_dry_run)
		puts("dry run: nothing was changed");
}

static void print_json_summary(const struct copying *copying)
{
	const struct registry_copy_counts *counts = &copying->counts;
	json_t *summary = json_pack("{sI,sI,sI,sI,sI,sI,sI,sI,sb,sb}", "read",
		(json_int_t)counts->read, "new", (json_int_t)counts->new_ones, "renewed",
		(json_int_t)counts->renewed, "changed", (json_int_t)counts->changed, "known",
		(json_int_t)counts->known, "forgotten", (json_int_t)counts->forgotten, "removed",
		(json_int_t)counts->removed, "others", (json_int_t)counts->others, "last",
		copying->request->is_last, "dry_run", copying->request->is_dry_run);
	json_dumpf(summary, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(summary);
}

static enum client_exit copy_all(struct copying *copying)
{
	const struct copy_request *request = copying->request;
	const struct registry_copy_settings settings = {.from = copying->from,
		.to = copying->to,
		.is_last = request->is_last,
		.is_dry_run = request->is_dry_run,
		.progress = show_progress,
		.ctx = copying};
	struct err err;
	int failed = registry_copy_run(&settings, &copying->counts, &err);
	if (isatty(STDERR_FILENO) && copying->shown)
		fputs("\r", stderr);
	if (request->is_json)
		print_json_summary(copying);
	else
		print_summary(copying);
	if (!failed)
		return request->is_last ? check_rest_again(copying) : CLIENT_FINE;
	complain(err.text);
	return complain("not all was copied; what was stays, and it may be done again");
}

enum client_exit copy_run(const struct copy_request *request)
{
	struct copying copying = {.request = request};
	enum client_exit result = check_url("from", request->from);
	struct err err;
	/* A database that goes away is an error, not a signal. */
	signal(SIGPIPE, SIG_IGN);
	if (!result)
		result = check_url("to", request->to);
	/* The driver would make it. */
	if (!result && database_file(request->from) && access(database_file(request->from), F_OK))
		result = complain("there is no file of the registry to copy from");
	if (!result && !strcmp(request->from, request->to)) {
		complain("the two registries are one");
		result = CLIENT_USAGE;
	}
	if (!result)
		result = read_config(&copying);
	if (!result)
		result = find_site(&copying);
	/* So that files are its own, and passwords are read as it reads them. */
	if (!result && process_become(copying.config->user, &err))
		result = complain(err.text);
	if (!result)
		result = open_registry(
			&copying, request->from, request->from_password_file, &copying.from);
	if (!result)
		result = open_registry(&copying, request->to, request->password_file, &copying.to);
	if (!result)
		result = copy_all(&copying);
	if (copying.to)
		copying.to->ops->close(copying.to);
	if (copying.from)
		copying.from->ops->close(copying.from);
	free(copying.site);
	config_file_free(copying.config);
	return result;
}

static enum client_exit steer(const char *path, const char *said, bool is_json)
{
	json_t *answer = NULL;
	enum client_exit result = client_ask("POST", path, NULL, &answer);
	if (result)
		return result;
	if (is_json) {
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		puts(said);
	}
	json_decref(answer);
	return CLIENT_FINE;
}

enum client_exit copy_freeze(bool is_json)
{
	return steer("/registry/freeze",
		"frozen: events are parked until mailpushd is restarted, or `mailpushctl registry "
		"thaw`",
		is_json);
}

enum client_exit copy_thaw(bool is_json)
{
	return steer("/registry/thaw", "thawed: mailpushd works with its registry", is_json);
}
