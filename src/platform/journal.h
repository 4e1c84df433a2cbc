/*
 * journal - systemd's journal, if the system has one.
 */
#ifndef MAILPUSH_PLATFORM_JOURNAL_H
#define MAILPUSH_PLATFORM_JOURNAL_H

#include <stdbool.h>

bool journal_is_here(void);
/* Does what is written to `fd` end in it (systemd.exec(5), JOURNAL_STREAM)? */
bool journal_reads(int fd);
/* A datagram socket for its native protocol, closed on exec; or -errno. */
int journal_open(void);

#endif
