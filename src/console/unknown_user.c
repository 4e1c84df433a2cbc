#include "console/unknown_user.h"

#include "console/format.h"
#include "console/print.h"

#include <stdio.h>

enum client_exit unknown_user_explain(const char *user)
{
	char printable[PRINT_MAX];
	format_printable(user, printable, sizeof(printable));
	fprintf(stderr,
		"mailpushctl: nothing is known of a user '%s': no phone is registered, none was in "
		"the last 30 days, and the trace has no entry; give the name as the mail server "
		"has it, and see `mailpushctl doctor --user`\n",
		printable);
	return CLIENT_FAILED;
}
