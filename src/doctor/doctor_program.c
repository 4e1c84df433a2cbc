#include "doctor/doctor_program.h"

#include "checkup/program.h"
#include "platform/confine.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define NAME "mailpush-notify"
#define ANSWER_MAX 128
#define ANSWER_MS 2000

static void close_cleanup(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define fd_auto __attribute__((cleanup(close_cleanup))) int

/* False: it could not be run.  What it printed may be "". */
static bool ask(int program, char ret[ANSWER_MAX])
{
	char *const arguments[] = {NAME, "-V", NULL};
	const struct program run = {
		.fd = program, .arguments = arguments, .time_ms = ANSWER_MS, .is_doubted = true};
	if (program_run(&run, ret, ANSWER_MAX) < 0)
		return false;
	ret[strcspn(ret, "\r\n")] = '\0';
	return true;
}

static bool is_ours(const char *answer)
{
	return !strncmp(answer, NAME " ", strlen(NAME " "));
}

static void judge_answer(struct report *findings, const struct doctor_cyrus *cyrus,
	const char *program, const char *answer)
{
	if (is_ours(answer))
		report_add(findings, REPORT_OK, "notify_external", "%s is %s", program, answer);
	else
		doctor_cyrus_refuse_program(findings, cyrus, program);
}

static void judge_file(struct report *findings, const struct doctor_cyrus *cyrus,
	const char *program, int fd, const struct stat *status)
{
	char answer[ANSWER_MAX] = "";
	if (status->st_uid != 0 && status->st_uid != geteuid()) {
		report_add(findings, REPORT_WARN, "notify_external",
			"%s belongs to uid %u, not to root, so it was not asked whether it "
			"is " NAME,
			program, (unsigned)status->st_uid);
		report_run(findings, "chown root %s", program);
	} else if (program_may_others_write(status)) {
		report_add(findings, REPORT_WARN, "notify_external",
			"%s may be written by others than its owner (mode %04o), so it was not "
			"asked "
			"whether it is " NAME,
			program, status->st_mode & 07777);
		report_run(findings, "chmod go-w %s", program);
	} else if (!ask(fd, answer)) {
		report_add(findings, REPORT_WARN, "notify_external",
			"%s could not be run to ask whether it is " NAME ": %s", program,
			strerror(errno));
	} else {
		judge_answer(findings, cyrus, program, answer);
	}
}

void doctor_program_examine(struct report *findings, const struct doctor_cyrus *cyrus,
	const char *program, const struct person *person)
{
	struct stat status;
	/* It runs the very file that it checked, wherever the path leads by then. */
	fd_auto fd = confine_open(program);
	if (fd < 0 || fstat(fd, &status)) {
		report_add(findings, errno == EACCES ? REPORT_WARN : REPORT_FAIL, "notify_external",
			"%s: %s", program, strerror(errno));
	} else if (!S_ISREG(status.st_mode)) {
		report_add(findings, REPORT_FAIL, "notify_external", "%s is not a file", program);
	} else if (!person_may(person, &status, PERSON_MAY_RUN)) {
		report_add(findings, REPORT_FAIL, "notify_external",
			"Cyrus runs as user %s, who may not run %s (mode %04o)", person->name,
			program, status.st_mode & 07777);
		report_run(findings, "chmod 0755 %s", program);
	} else {
		judge_file(findings, cyrus, program, fd, &status);
	}
}
