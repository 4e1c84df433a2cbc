#include "checkup/mailserver.h"

#include "base/mem.h"

#include <string.h>

#define TEXT_SIZE 4096 /* bytes of the command line of a process */
#define TICK_MS 10

void mailserver_keep(
	struct processes *processes, mailserver_is_master_fn *is_master, const void *ctx)
{
	mem_auto bool *are_masters = mem_alloc_zero(processes->count + 1, sizeof(bool));
	mem_auto bool *are_kept = mem_alloc_zero(processes->count + 1, sizeof(bool));
	size_t kept = 0;
	for (size_t i = 0; i < processes->count; i++)
		are_kept[i] = are_masters[i] = is_master(&processes->list[i], ctx);
	for (size_t i = 0; i < processes->count; i++) {
		if (!are_masters[i])
			continue;
		for (size_t j = 0; j < processes->count; j++)
			are_kept[j] |= processes->list[j].parent == processes->list[i].pid;
	}
	for (size_t i = 0; i < processes->count; i++)
		if (are_kept[i])
			processes->list[kept++] = processes->list[i];
	processes->count = kept;
}

bool mailserver_goes_by(pid_t pid, const char *option, const char *usual, const char *file)
{
	char text[TEXT_SIZE];
	const char *named = usual;
	size_t length = strlen(option);
	ssize_t size = processes_arguments(pid, text, sizeof(text));
	for (const char *word = text; word < text + size; word += strlen(word) + 1) {
		const char *next = word + strlen(word) + 1;
		if (!strncmp(word, option, length))
			named = word[length] ? word + length : next < text + size ? next : "";
	}
	return size > 0 && !strcmp(named, file);
}

int64_t mailserver_start_ms(const struct process *process, int64_t now_ms)
{
	return now_ms - process->age_ms + TICK_MS;
}
