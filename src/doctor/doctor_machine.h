/*
 * doctor_machine - this machine's clock and disks.
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_MACHINE_H
#define MAILPUSH_DOCTOR_DOCTOR_MACHINE_H

#include "checkup/report.h"
#include "config/config.h"

#include <stdint.h>

void doctor_machine_judge_clock(struct report *findings, bool is_synchronised);
/* `inodes`: free ones, of `inodes_total` (0: the file system does not count them). */
void doctor_machine_judge_space(struct report *findings, const char *folder, uint64_t free_bytes,
	uint64_t total_bytes, uint64_t inodes, uint64_t inodes_total);

void doctor_machine_examine(struct report *findings, const struct config *config);

#endif
