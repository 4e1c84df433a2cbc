/*
 * doctor_files - can the daemon read the files that mailpush.conf names, and write its databases?
 *
 * It asks the kernel as the daemon's user: `user`, or else the owner of the registry's folder. Only
 * root can act as another user; other callers, and a daemon that runs as root, get no finding.
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_FILES_H
#define MAILPUSH_DOCTOR_DOCTOR_FILES_H

#include "checkup/report.h"
#include "config/config.h"

void doctor_files_examine(struct report *findings, const struct config *config);

#endif
