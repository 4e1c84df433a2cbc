#include "doctor/doctor_machine.h"

#include "base/mem.h"
#include "console/format.h"
#include "database/database.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

#define MB (1024 * 1024)
#define SPACE_LEAST (16 * MB)
#define SPACE_LITTLE (256 * MB)
#define INODES_LITTLE 1000

void doctor_machine_judge_clock(struct report *findings, bool is_synchronised)
{
	if (is_synchronised) {
		report_add(findings, REPORT_OK, "clock", "is synchronised");
		return;
	}
	report_add(findings, REPORT_WARN, "clock",
		"is not synchronised: certificates, provider tokens and the age of registrations "
		"depend on it");
	report_run(findings, "timedatectl set-ntp true");
}

void doctor_machine_judge_space(struct report *findings, const char *folder, uint64_t free_bytes,
	uint64_t total_bytes, uint64_t inodes, uint64_t inodes_total)
{
	char size[FORMAT_SIZE];
	format_size((double)free_bytes, size);
	if (free_bytes < SPACE_LEAST || (inodes_total && !inodes))
		report_add(findings, REPORT_FAIL, "disk",
			"%s: %s and %llu inodes are free: mailpushd will soon fail to write to it",
			folder, size, (unsigned long long)inodes);
	else if (free_bytes < SPACE_LITTLE || (inodes_total && inodes < INODES_LITTLE))
		report_add(findings, REPORT_WARN, "disk", "%s: only %s and %llu inodes are free",
			folder, size, (unsigned long long)inodes);
	else
		report_add(findings, REPORT_OK, "disk", "%s: %s of %.0f GB are free", folder, size,
			(double)total_bytes / 1e9);
}

static void examine_folder(struct report *findings, const char *folder)
{
	struct statvfs space;
	if (!statvfs(folder, &space))
		doctor_machine_judge_space(findings, folder, space.f_bavail * space.f_frsize,
			space.f_blocks * space.f_frsize, space.f_favail, space.f_files);
	else if (errno == EACCES)
		report_add(findings, REPORT_WARN, "disk",
			"%s: this user has no access: run mailpushctl doctor as root", folder);
	else
		report_add(findings, REPORT_FAIL, "disk", "%s: %s", folder, strerror(errno));
}

static char *folder_of(const char *file)
{
	const char *slash = strrchr(file, '/');
	return mem_dup_n(file, slash == file ? 1 : (size_t)(slash - file));
}

void doctor_machine_examine(struct report *findings, const struct config *config)
{
	struct timex state = {0};
	const char *path = database_file(config->registry);
	mem_auto char *registry = path ? folder_of(path) : NULL;
	mem_auto char *queue = folder_of(config->queue);
	doctor_machine_judge_clock(
		findings, ntp_adjtime(&state) != TIME_ERROR && !(state.status & STA_UNSYNC));
	if (registry)
		examine_folder(findings, registry);
	if (!registry || strcmp(registry, queue) != 0)
		examine_folder(findings, queue);
}
