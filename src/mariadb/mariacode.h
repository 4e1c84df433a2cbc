/*
 * mariacode - what an error number of MariaDB means for what is done next.
 *
 * Numbers from the server (1000 to 1999, 3000 and more) and from its client's library (2000 to
 * 2999), as in the lists of MariaDB's manual.  Pure.
 */
#ifndef MAILPUSH_MARIADB_MARIACODE_H
#define MAILPUSH_MARIADB_MARIACODE_H

/* A negative errno, as marialink.h has them. */
int mariacode_of(unsigned number);
/* What an administrator may do. */
const char *mariacode_remedy(int code);

#endif
