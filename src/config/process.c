#include "config/process.h"

#include "config/accounts.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

int process_become(const char *user, struct err *err)
{
	if (!*user || geteuid() != 0)
		return 0;
	const struct passwd *passwd = accounts_find_account(user);
	if (!passwd)
		return err_set(err, -ENOENT, "user '%s' does not exist; create it", user);
	if (initgroups(passwd->pw_name, passwd->pw_gid) || setgid(passwd->pw_gid) ||
		setuid(passwd->pw_uid)) {
		int code = errno;
		return err_set(err, -code, "cannot become user '%s': %s", user, strerror(code));
	}
	return 0;
}

int process_open_standard_files(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	return fd < 0 ? -errno : close(fd);
}
