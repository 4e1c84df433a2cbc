#include "driver/regular_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int regular_file_check(const char *path, struct err *err)
{
	struct stat status;
	/* Who wants none names /dev/null.  Not opened: a device may do something at that. */
	if (!path || strcmp(path, "/dev/null") == 0 || stat(path, &status) < 0 ||
		S_ISREG(status.st_mode))
		return 0;
	return err_set(err, -ENOTCONN,
		"cannot read '%s': it is not a regular file; put one there, or name another", path);
}
