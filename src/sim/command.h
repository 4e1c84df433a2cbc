/*
 * command - what a test may ask for: one JSON object, and its answer.
 *
 * apns-sim(1) lists the commands.  A command has taken effect when its answer is written.
 * behaviour.h and server.h carry it out.  Loop thread.
 */
#ifndef MAILPUSH_SIM_COMMAND_H
#define MAILPUSH_SIM_COMMAND_H

#include "base/buf.h"
#include "sim/server.h"

/* Executes one line, without its newline, and appends the answer, with one, to `reply`. */
void command_execute(struct server *server, const char *line, size_t size, struct buf *reply);

#endif
