/*
 * doctor_files - may the daemon read the files that mailpush.conf names, and write its databases?
 *
 * The kernel is asked as the daemon's user: `user`, or else the owner of the registry's folder.
 * Only root can ask as another user; for other callers, and for a daemon that runs as root, nothing
 * is reported.
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_FILES_H
#define MAILPUSH_DOCTOR_DOCTOR_FILES_H

#include "config/config.h"
#include "doctor/report.h"

void doctor_files_examine(struct report *findings, const struct config *config);

#endif
