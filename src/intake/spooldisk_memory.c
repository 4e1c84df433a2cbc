/*
 * The part of spooldisk.h that only uses memory, so that a test's stand-in for the disk shares it.
 */
#include "intake/spooldisk.h"

#include "base/mem.h"

void spooldisk_init(struct spooldisk *disk, const char *path, gid_t gid,
	const struct peer_rules *peers, bool has_guests, const uint8_t seed[16])
{
	*disk = (struct spooldisk){.path = path,
		.gid = gid,
		.peers = *peers,
		.has_guests = has_guests,
		.known = map_new(seed)};
	spool_retry_init(&disk->aside, seed);
}

void spooldisk_drop_names(struct spooldisk *disk)
{
	for (size_t i = disk->next_name; i < disk->name_count; i++)
		free(disk->names[i]);
	free(mem_steal(disk->names));
	disk->name_count = disk->next_name = 0;
	free(mem_steal(disk->after));
	disk->has_more = false;
}

void spooldisk_fini(struct spooldisk *disk)
{
	spooldisk_drop_names(disk);
	spool_retry_fini(&disk->aside);
	map_free(disk->known);
}

bool spooldisk_has_names(const struct spooldisk *disk)
{
	return disk->next_name < disk->name_count;
}

void spooldisk_work_init(struct spooldisk_work *work)
{
	*work = (struct spooldisk_work){0};
	TAILQ_INIT(&work->settle);
	TAILQ_INIT(&work->settled);
	TAILQ_INIT(&work->found);
}

char *spooldisk_fault_of_stranger(uid_t uid)
{
	return mem_printf(
		"it belongs to uid %u, which is not allowed to send events; if that "
		"is the mail server's uid, add it to allowed_users and move the file back",
		(unsigned)uid);
}

void spooldisk_free_file(struct spool_file *file)
{
	free(file->name);
	free(file->reason);
	free(file->bytes);
	free(file);
}
