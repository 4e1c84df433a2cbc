#include "registry/password_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int password_file_read(const char *path, char ret[PASSWORD_FILE_MAX], struct err *err)
{
	FILE *file = fopen(path, "re");
	bool is_read = file && fgets(ret, PASSWORD_FILE_MAX, file);
	int code = errno;
	if (file)
		fclose(file);
	if (!is_read)
		return err_set(err, -ENOTCONN,
			"cannot read the password in '%s': %s; the daemon's user must be able to "
			"read it, and its first line is the password",
			path, file ? "it is empty" : strerror(code));
	ret[strcspn(ret, "\r\n")] = '\0';
	return 0;
}
