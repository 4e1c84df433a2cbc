/*
 * page_login - lets people look at phones and users on the page as page_login says, and writes
 * down who looked at whom.
 *
 * Wrong logins are not limited: a token is too long to be guessed (LOGINS_TOKEN_MIN), and a limit
 * for all would let anyone keep everyone out.  Loop thread only.
 */
#ifndef MAILPUSH_MONITOR_PAGE_LOGIN_H
#define MAILPUSH_MONITOR_PAGE_LOGIN_H

#include "loop/http.h"
#include "monitor/services.h"

/* Are phones to be seen at all?  After a reload that could not bind the new http_listen the former
   one serves on, which may be no loopback address. */
bool page_login_is_on(const struct services *services);
/* It is.  False: the request was answered.  True: it may look, and the log says so. */
bool page_login_admits(const struct services *services, struct http_request *request);

#endif
