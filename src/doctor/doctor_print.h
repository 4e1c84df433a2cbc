/*
 * doctor_print - prints a report: a line for each finding, and a last one that counts them.
 *
 * To standard output.
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_PRINT_H
#define MAILPUSH_DOCTOR_DOCTOR_PRINT_H

#include "checkup/report.h"

struct doctor_print {
	bool is_json;	    /* an object a line */
	bool only_problems; /* counts what is good, without printing it */
};

void doctor_print_findings(const struct report *report, const struct doctor_print *how);
/* Counts the findings of all these reports. */
void doctor_print_count(
	const struct report *const *reports, size_t count, const struct doctor_print *how);

#endif
