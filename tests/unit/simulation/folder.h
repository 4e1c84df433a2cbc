/*
 * folder - the spool folder in memory, and mailpush-notify, which puts events into it.
 *
 * Stands in for spooldisk.h and for how libuv watches a folder.  What is kept survives the daemon;
 * when it dies, of the files that it was about to remove any may be gone already.  Files and the
 * folder cannot be read or removed at times, and some are no events at all.
 */
#ifndef MAILPUSH_TESTS_SIMULATION_FOLDER_H
#define MAILPUSH_TESTS_SIMULATION_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool_file;

/* Keeps the event of that number. */
void folder_keep(uint64_t number, const char *json, size_t size);
/* Something that is no event. */
void folder_litter(void);
/* Some files, also of those that come, or all, cannot be read or removed for so long. */
void folder_trouble(int64_t ms);
void folder_forgive(void);

/* The daemon has it now. */
void folder_taken(const struct spool_file *file);
/* The daemon is done with it. */
void folder_done(const struct spool_file *file);
/* Its place among all that happens since the daemon has it; 0: it has not, in this life. */
uint64_t folder_order(uint64_t number);
/* From now on each file that is to be removed is or is not. */
void folder_die(void);
void folder_start(void);
/* It takes no more. */
void folder_stop(void);
/* Now and then: does each file go on as soon as it can? */
void folder_look(void);

size_t folder_files(void);
uint64_t folder_kept(void);
void folder_free(void);

#endif
