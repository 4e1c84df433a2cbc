#include "monitor/page_login.h"

#include "base/log.h"
#include "config/config.h"
#include "config/listen.h"
#include "credential/logins.h"
#include "monitor/response.h"

#define LINES_A_MINUTE 300 /* of the log; further ones are counted there */

static const char *who_by_header(const struct logins *logins, struct http_request *request)
{
	const char *name = http_header(request, logins_header(logins));
	if (name && logins_is_name(name))
		return name;
	response_error(request, 403,
		"the web server in front gave no name of at most %d bytes in %s (page_login)",
		LOGINS_NAME_MAX, logins_header(logins));
	return NULL;
}

static const char *who_by_token(const struct logins *logins, struct http_request *request)
{
	const char *authorization = http_header(request, "Authorization");
	const char *name = logins_find(logins, authorization);
	if (name)
		return name;
	if (authorization)
		log_seldom(LOG_LEVEL_WARN, "control", "logins to the page refused", "",
			"login to the page refused: no line of the token file has this name and "
			"token");
	http_add_header(request, "WWW-Authenticate", "Basic realm=\"mailpush\", charset=\"UTF-8\"");
	response_error(request, 401, "log in with a name and its token (page_login)");
	return NULL;
}

static void write_down(struct http_request *request, const char *who)
{
	const char *user = http_query(request, "user");
	const char *from = http_query(request, "after_user");
	if (!log_may(LOG_LEVEL_INFO, "looks at the page behind the login", who, LINES_A_MINUTE))
		return;
	if (user)
		log_event(LOG_LEVEL_INFO, "control", "somebody looked at a user on the page",
			log_text("who", who), log_text("user", user),
			log_text("path", http_path(request)));
	else
		log_event(LOG_LEVEL_INFO, "control", "somebody looked at the page behind the login",
			log_text("who", who), log_text("from", from),
			log_text("path", http_path(request)));
}

bool page_login_is_on(const struct services *services)
{
	const struct config *config = services->config;
	return config->page_login && listen_is_loopback(&config->http_listen);
}

bool page_login_admits(const struct services *services, struct http_request *request)
{
	const struct logins *logins = services->config->page_login;
	if (http_query(request, "full")) {
		response_error(request, 403, "only the control socket shows what full=1 does");
		return false;
	}
	const char *who = logins_header(logins) ? who_by_header(logins, request)
						: who_by_token(logins, request);
	if (!who)
		return false;
	write_down(request, who);
	return true;
}
