#include "admin/alarm_test.h"

#include "alert/alarm_mail.h"
#include "base/alarm.h"
#include "base/mem.h"
#include "monitor/response.h"

struct test {
	const struct services *services;
	struct http_request *request;
	json_t *mail; /* NULL: not configured */
	json_t *command;
	bool waits_for_mail;
	bool waits_for_command;
	uv_timer_t timer;
};

static void on_closed(uv_handle_t *handle)
{
	struct test *test = handle->data;
	json_decref(test->mail);
	json_decref(test->command);
	free(test);
}

static void end(struct test *test)
{
	if (test->waits_for_mail)
		alarm_mail_forget_test(test->services->alarm_mail);
	if (test->waits_for_command)
		alarm_forget_test();
	uv_close((uv_handle_t *)&test->timer, on_closed);
}

static void on_gone(void *ctx)
{
	end(ctx);
}

static void set_error(json_t *json, const char *failure)
{
	json_object_set_new(json, "error", failure ? response_text(failure) : json_null());
}

static void answer(struct test *test)
{
	json_t *json = json_object();
	json_object_set(json, "mail", test->mail ? test->mail : json_null());
	json_object_set(json, "command", test->command ? test->command : json_null());
	response_json(test->request, 200, json);
	end(test);
}

static void answer_if_through(struct test *test)
{
	if (!test->waits_for_mail && !test->waits_for_command)
		answer(test);
}

static void on_mailed(void *ctx, const char *failure)
{
	struct test *test = ctx;
	test->waits_for_mail = false;
	set_error(test->mail, failure);
	answer_if_through(test);
}

static void on_run(void *ctx, const char *failure)
{
	struct test *test = ctx;
	test->waits_for_command = false;
	set_error(test->command, failure);
	answer_if_through(test);
}

static void on_timer(uv_timer_t *timer)
{
	struct test *test = timer->data;
	static const char text[] = "no result within 20 s";
	if (test->waits_for_mail)
		set_error(test->mail, text);
	if (test->waits_for_command)
		set_error(test->command, text);
	answer(test);
}

static void begin_mail(struct test *test)
{
	const struct config *config = test->services->config;
	test->mail = json_pack("{so,so,si}", "to", response_text(config->alarm_mail), "server",
		response_text(config->alarm_mail_host), "port", (int)config->alarm_mail_port);
	test->waits_for_mail = alarm_mail_test(test->services->alarm_mail, on_mailed, test);
	if (!test->waits_for_mail)
		set_error(test->mail, "another message is on its way; try again in a moment");
}

static void begin_command(struct test *test)
{
	test->command =
		json_pack("{so}", "path", response_text(test->services->config->alarm_command));
	test->waits_for_command = alarm_test_command(on_run, test) == 0;
	if (!test->waits_for_command)
		set_error(test->command, "another test runs; try again in a moment");
}

void alarm_test(const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	if (!*services->config->alarm_mail && !*services->config->alarm_command) {
		response_error(request, 409,
			"alarms go to the log alone: set alarm_mail or alarm_command in "
			"mailpush.conf, see mailpush.conf(5)");
		return;
	}
	struct test *test = mem_alloc_zero(1, sizeof(*test));
	test->services = services;
	test->request = request;
	uv_timer_init(services->loop, &test->timer);
	test->timer.data = test;
	uv_timer_start(&test->timer, on_timer, ALARM_TEST_WAIT_MS, 0);
	http_defer(request, on_gone, test);
	if (*services->config->alarm_mail)
		begin_mail(test);
	if (*services->config->alarm_command)
		begin_command(test);
	answer_if_through(test);
}
