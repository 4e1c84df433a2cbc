#include "daemon/reload.h"

#include "apns/tls.h"
#include "base/alarm.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config_diff.h"
#include "config/config_file.h"
#include "daemon/file_watch.h"
#include "daemon/systemd.h"
#include "flow/credential_check.h"
#include "flow/delivery.h"
#include "monitor/held_credential.h"

#include <string.h>
#include <unistd.h>

#define SETTLE_MS (2 * CLOCK_SECOND_MS)
#define LOOK_MS (5 * CLOCK_SECOND_MS)
/* For the other file of a pair, and for a trouble that prevents reading. */
#define PATIENCE_MS (10 * CLOCK_SECOND_MS)

/* From the least to the most. */
enum extent {
	FILES_AGAIN,   /* nothing, where they fail as before; no credential is checked for it */
	FILES_PATIENT, /* a pair that does not match is no alarm yet */
	FILES,
	ALL, /* also mailpush.conf */
};

struct reload {
	uv_loop_t *loop;
	struct config *config;
	struct reload_needs needs;
	struct file_watch *watch;
	uv_work_t work;
	struct input_files *fresh;
	struct config *reread; /* NULL: it was not read, or could not be */
	struct err reread_err;
	X509_STORE *trust;   /* of reread, if settings of Apple's changed; else NULL */
	uv_timer_t patience; /* looks again at files that do not match or could not be read */
	bool is_running;
	enum extent extent; /* of the one that runs */
	bool is_wanted;	    /* another one follows it */
	enum extent wanted;
	const char *refused; /* of mailpush.conf as last read: all, or a key; NULL: nothing */
	bool is_stopped;
	bool is_closed; /* its handle */
};

static void run(struct reload *reload, enum extent extent);

static void on_changed(void *ctx)
{
	run(ctx, FILES_PATIENT);
}

static void on_patience(uv_timer_t *timer)
{
	run(timer->data, FILES);
}

static void on_again(uv_timer_t *timer)
{
	run(timer->data, FILES_AGAIN);
}

struct reload *reload_new(uv_loop_t *loop, struct config *config)
{
	static const struct file_watch_settings settings = {
		.settle_ms = SETTLE_MS, .look_ms = LOOK_MS};
	struct reload *reload = mem_alloc_zero(1, sizeof(*reload));
	reload->loop = loop;
	reload->config = config;
	uv_timer_init(loop, &reload->patience);
	reload->patience.data = reload;
	size_t count;
	mem_auto const char **paths = input_files_paths(config, NULL, &count);
	reload->watch = file_watch_new(loop, &settings, paths, count, on_changed, reload);
	return reload;
}

static void watch_files(struct reload *reload)
{
	size_t count;
	mem_auto const char **paths =
		input_files_paths(reload->config, reload->needs.input_files, &count);
	file_watch_set_paths(reload->watch, paths, count);
}

static void put_in_force(struct reload *reload, bool is_patient)
{
	if (keyring_take(reload->needs.keyring, is_patient)) {
		log_event(LOG_LEVEL_INFO, "daemon",
			"files of a credential do not match; perhaps only one was replaced so far");
		uv_timer_start(&reload->patience, on_patience, PATIENCE_MS, 0);
	} else if (input_files_failed_in_passing(reload->needs.input_files)) {
		uv_timer_start(&reload->patience, on_again, PATIENCE_MS, 0);
	} else {
		uv_timer_stop(&reload->patience);
	}
	watch_files(reload);
}

void reload_first(struct reload *reload, const struct reload_needs *needs)
{
	reload->needs = *needs;
	put_in_force(reload, false);
}

static bool concerns_apple(const struct config *config, const struct config *reread)
{
	static const char *const keys[] = {"apns_host", "apns_port", "apns_ca_file", "connections",
		"priority", "proxy", "proxy_password_file", NULL};
	return config_diff_concerns(config->written, reread->written, keys);
}

static void read_config(struct reload *reload)
{
	const struct config *config = reload->config;
	struct config *reread = NULL;
	if (config_file_read(reload->needs.config_path, "-c", &reread, &reload->reread_err))
		return;
	const char *ca_file = *reread->apns_ca_file ? reread->apns_ca_file : NULL;
	if (concerns_apple(config, reread) &&
		tls_trust(ca_file, &reload->trust, &reload->reread_err) < 0) {
		config_file_free(reread);
		return;
	}
	/* The registry was opened for that one. */
	free(reread->site);
	reread->site = mem_dup(config->site);
	/* With Cyrus its sockets would come or go. */
	if (!*reread->imapd_conf != !*config->imapd_conf) {
		log_event(LOG_LEVEL_WARN, "config",
			"whether imapd_conf is \"\" takes effect after a restart of mailpushd");
		free(reread->imapd_conf);
		reread->imapd_conf = mem_dup(config->imapd_conf);
	}
	reload->reread = reread;
}

static void on_work(uv_work_t *work)
{
	struct reload *reload = work->data;
	if (reload->extent == ALL)
		read_config(reload);
	reload->fresh = input_files_read(reload->reread ? reload->reread : reload->config);
}

static void use_config(struct reload *reload, struct config *reread)
{
	mem_auto char *waiting = config_diff_that_wait(reload->config->written, reread->written);
	if (waiting)
		log_event(LOG_LEVEL_WARN, "config",
			"keys of mailpush.conf have changed that take effect after a restart of "
			"mailpushd",
			log_text("keys", waiting));
	keyring_configure(reload->needs.keyring, reread);
	reread->peers.self = reload->config->peers.self;
	peer_allow(&reread->peers, geteuid());
	peer_allow(&reread->dovecot_peers, geteuid());
	peer_allow(&reread->control_peers, geteuid());
	struct sockaddr_storage http_listen = reload->config->http_listen;
	config_diff_take(reload->config, reread);
	log_set_level(reload->config->log_level);
	int failed = reload->needs.configured(
		reload->needs.ctx, mem_steal(reload->trust), &http_listen, &reload->reread_err);
	reload->refused = failed ? "http_listen" : NULL;
	if (failed)
		config_diff_swap_shown(reload->config, reread, reload->refused);
}

/* The registry was opened for the site of the start. */
static void keep_site(struct input_files *input_files, struct input_files *fresh)
{
	if (strcmp(fresh->site, input_files->site) != 0)
		log_event(LOG_LEVEL_WARN, "config",
			"servername of imapd.conf has changed, which is the site of this daemon as "
			"the key site is not set; a restart applies that, and then no phone is "
			"known until it registers again",
			log_text("site", input_files->site), log_text("servername", fresh->site));
	free(fresh->site);
	fresh->site = mem_steal(input_files->site);
}

/* All of mailpush.conf, or this key. */
static const char *what_stays(const char *refused)
{
	return strcmp(refused, "http_listen") == 0 ? "all other settings are in force"
						   : "the previous settings stay in force";
}

static char *describe(const char *refused, bool is_imapdconf_read)
{
	const char *imapdconf = is_imapdconf_read ? NULL : "imapd.conf";
	return mem_printf("reloaded%s%s%s%s", refused || imapdconf ? ", except for " : "",
		refused ? refused : "", refused && imapdconf ? " and " : "",
		imapdconf ? imapdconf : "");
}

static void apply(struct reload *reload, struct input_files *fresh)
{
	const struct reload_needs *needs = &reload->needs;
	bool is_read = fresh->imapdconf;
	struct config *reread = mem_steal(reload->reread);
	/* Files that this reload did not read keep their last state. */
	if (reread)
		use_config(reload, reread);
	else if (reload->extent == ALL)
		reload->refused = "mailpush.conf";
	config_file_free(reread);
	if (is_read && !reload->refused)
		alarm_clear("reload");
	else
		alarm_raise("reload", "%s; %s",
			is_read ? reload->reread_err.text : fresh->imapdconf_error.text,
			is_read ? what_stays(reload->refused)
				: "the previous settings stay in force");
	if (is_read)
		keep_site(needs->input_files, fresh);
	input_files_replace(needs->input_files, fresh);
	put_in_force(reload, reload->extent <= FILES_PATIENT);
	mem_auto char *text = describe(reload->extent == ALL ? reload->refused : NULL, is_read);
	log_event(LOG_LEVEL_INFO, "daemon", text,
		log_text("aps_topic", needs->input_files->imapdconf->aps_topic));
	if (reload->extent > FILES_AGAIN)
		credential_check_soon(needs->credential_check);
	if (reload->extent > FILES_PATIENT) {
		sender_hurry(needs->services->sender);
		held_credential_log(needs->services);
	}
	delivery_wake(needs->services->delivery);
}

/* Is it another look, and all as it was?  Then neither Apple nor the log is bothered. */
static bool is_as_before(struct reload *reload, const struct input_files *fresh)
{
	const struct input_files *input_files = reload->needs.input_files;
	if (reload->extent != FILES_AGAIN || !input_files_fail_alike(fresh, input_files))
		return false;
	log_event(LOG_LEVEL_DEBUG, "daemon", "files still cannot be read");
	if (input_files_failed_in_passing(input_files) &&
		!uv_is_active((uv_handle_t *)&reload->patience))
		uv_timer_start(&reload->patience, on_again, PATIENCE_MS, 0);
	return true;
}

/* Frees only when the pool does not have it and the loop has closed its handle. */
static void free_if_idle(struct reload *reload)
{
	if (!reload->is_running && reload->is_closed)
		free(reload);
}

static void on_done(uv_work_t *work, int status)
{
	struct reload *reload = work->data;
	struct input_files *fresh = mem_steal(reload->fresh);
	reload->is_running = false;
	if (reload->is_stopped || status) {
		input_files_free(fresh);
		config_file_free(mem_steal(reload->reread));
		X509_STORE_free(mem_steal(reload->trust));
		free_if_idle(reload);
		return;
	}
	if (is_as_before(reload, fresh))
		input_files_free(fresh);
	else
		apply(reload, fresh);
	if (reload->extent == ALL)
		systemd_ready(reload->needs.systemd);
	if (reload->is_wanted)
		run(reload, reload->wanted);
}

static void run(struct reload *reload, enum extent extent)
{
	if (reload->is_stopped)
		return;
	if (reload->is_running) {
		if (!reload->is_wanted || extent > reload->wanted)
			reload->wanted = extent;
		reload->is_wanted = true;
		return;
	}
	reload->is_running = true;
	reload->is_wanted = false;
	reload->extent = extent;
	if (extent == ALL)
		systemd_reloading(reload->needs.systemd);
	reload->work.data = reload;
	uv_queue_work(reload->loop, &reload->work, on_work, on_done);
}

void reload_now(struct reload *reload)
{
	run(reload, ALL);
}

void reload_files(struct reload *reload)
{
	run(reload, FILES);
}

void reload_stop(struct reload *reload)
{
	reload->is_stopped = true;
	uv_timer_stop(&reload->patience);
}

bool reload_is_running(const struct reload *reload)
{
	return reload->is_running;
}

static void on_closed(uv_handle_t *handle)
{
	struct reload *reload = handle->data;
	reload->is_closed = true;
	free_if_idle(reload);
}

void reload_free(struct reload *reload)
{
	if (!reload)
		return;
	file_watch_free(reload->watch);
	uv_close((uv_handle_t *)&reload->patience, on_closed);
}
