#include "mariadb/mariacode.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

static const struct {
	unsigned number;
	int code;
} numbers[] = {
	{1213, -EAGAIN}, /* deadlock; of a cluster at the commit too */
	{1205, -EAGAIN}, /* a lock was not given in time */
	{1467, -EAGAIN}, /* nor that of the next id */
	{1020, -EAGAIN}, /* changed since this transaction first read */
	{1062, -EEXIST}, /* somebody made the same at the same time */
	{1412, -EAGAIN}, /* a table changed meanwhile */

	{1969, -ETIMEDOUT}, /* max_statement_time */

	{1021, -ENOTCONN}, /* the disk is full */
	{1030, -ENOTCONN}, /* an error of the storage engine */
	{1037, -ENOTCONN}, /* no memory */
	{1038, -ENOTCONN},
	{1040, -ENOTCONN}, /* too many connections */
	{1041, -ENOTCONN},
	{1047, -ENOTCONN}, /* of a cluster, not ready */
	{1053, -ENOTCONN}, /* shuts down */
	{1114, -ENOTCONN}, /* a table is full */
	{1129, -ENOTCONN}, /* this host is shut out, for too many errors */
	{1180, -ENOTCONN}, /* an error at the commit */
	{1203, -ENOTCONN}, /* too many connections of this user */
	{1226, -ENOTCONN}, /* this user has used up what is allowed */
	{1290, -ENOTCONN}, /* read-only: it is not the writer any more */
	{1317, -ENOTCONN}, /* somebody ended the statement */
	{1836, -ENOTCONN}, /* read-only */
	{1927, -ENOTCONN}, /* somebody ended the connection */

	{1044, -EACCES}, /* not this user with this database */
	{1045, -EACCES}, /* not who we say */
	{1049, -EACCES}, /* no such database */
	{1130, -EACCES}, /* not from this host */
	{1142, -EACCES}, /* rights are missing */
	{1143, -EACCES},
	{1227, -EACCES},
	{1370, -EACCES},
	{1524, -EACCES}, /* the way in which the user is known is missing */
	{1698, -EACCES},
	{1820, -EACCES}, /* the password has expired */
	{1862, -EACCES},
	{4151, -EACCES}, /* the account is locked */
	{2058, -EACCES}, /* the same in the library */
	{2059, -EACCES},
	{2061, -EACCES},

	{1054, -ENOTSUP}, /* no such column */
	{1064, -ENOTSUP}, /* not understood: an older server */
	{1146, -ENOTSUP}, /* no such table */
	{1176, -ENOTSUP}, /* no such index */
	{1193, -ENOTSUP}, /* no such variable: an older server */
	{1305, -ENOTSUP}, /* no such function */

	{1048, -EILSEQ}, /* NULL where there may be none */
	{1153, -EILSEQ}, /* larger than max_allowed_packet */
	{1264, -EILSEQ}, /* out of range */
	{1265, -EILSEQ}, /* cut off */
	{1292, -EILSEQ}, /* a value that it does not take */
	{1366, -EILSEQ},
	{1406, -EILSEQ}, /* too long */
	{1451, -EILSEQ}, /* a table of the administrator's refers to the row */
	{1452, -EILSEQ}, /* a rule of the administrator's refuses it */
	{1644, -EILSEQ},
	{1690, -EILSEQ},
	{4025, -EILSEQ},
};

int mariacode_of(unsigned number)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (numbers[i].number == number)
			return numbers[i].code;
	}
	/* Of the library; of ProxySQL, which finds no server that it may ask. */
	bool is_of_way = (number >= 2000 && number < 3000) || (number >= 9000 && number < 10000);
	return is_of_way ? -ENOTCONN : -EPROTO;
}

const char *mariacode_remedy(int code)
{
	switch (code) {
	case -EAGAIN:
		return "it is tried again";
	case -EEXIST:
		return "it is tried again; if that goes on, look for a rule that was added to the "
		       "tables";
	case -EACCES:
		return "give the user the rights on the database that docs/databases.md names";
	case -ENOTSUP:
		return "its tables are not those of this mailpushd, or it is older than "
		       "MariaDB 10.11; restore them, or correct the url";
	case -EILSEQ:
		return "the database refuses a value";
	case -ENOTCONN:
	case -ETIMEDOUT:
		return "look at the server and the way to it";
	default:
		return "look into the server's log";
	}
}
