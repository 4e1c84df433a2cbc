/*
 * folder - the spool folder in memory, and mailpush-notify, which puts events into it.
 *
 * It stands in for spooldisk.h and for libuv's watch of a folder.  Files survive the daemon; when
 * it dies, any of the files that it was about to remove may be gone.  At times files and the folder
 * cannot be read or removed, and some files are not events.
 */
#ifndef MAILPUSH_TESTS_SIMULATION_FOLDER_H
#define MAILPUSH_TESTS_SIMULATION_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool_file;

/* Keeps the event of that number. */
void folder_keep(uint64_t number, const char *json, size_t size);
/* Adds a file that is not an event. */
void folder_litter(void);
/* For `ms`, some or all files, new ones too, cannot be read or removed. */
void folder_trouble(int64_t ms);
void folder_forgive(void);

/* The daemon has taken the file in. */
void folder_taken(const struct spool_file *file);
/* The daemon no longer needs the file. */
void folder_done(const struct spool_file *file);
/* The number (judge_next) at which the daemon took it in; 0: not in this life. */
uint64_t folder_order(uint64_t number);
/* From now on each removal of a file happens or does not. */
void folder_die(void);
void folder_start(void);
/* The daemon takes in no more files. */
void folder_stop(void);
/* Checks that the daemon handles each file as soon as it can. */
void folder_look(void);

size_t folder_files(void);
uint64_t folder_kept(void);
void folder_free(void);

#endif
