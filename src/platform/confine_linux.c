#include "platform/confine.h"

#include <fcntl.h>
#include <sys/prctl.h>

int confine_open(const char *program)
{
	return open(program, O_PATH | O_CLOEXEC);
}

bool confine_rights(void)
{
	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
