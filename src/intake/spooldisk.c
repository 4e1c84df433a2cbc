#include "intake/spooldisk.h"

#include "base/clock.h"
#include "base/mem.h"
#include "intake/dlist.h"
#include "intake/spoolfile.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define NAMES_MAX 4096 /* found in one look; the smallest ones */
#define BAD_FOLDER_MODE 0700

static void trouble(struct spooldisk_work *work, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void trouble(struct spooldisk_work *work, const char *format, ...)
{
	if (*work->trouble.text)
		return;
	va_list args;
	va_start(args, format);
	vsnprintf(work->trouble.text, sizeof(work->trouble.text), format, args);
	va_end(args);
}

/* The folder. */

static const char *remedy_of(int code)
{
	switch (code) {
	case ENOENT:
	case ENOTDIR:
		return "make it: install -d -o mailpush -g mail -m 2770; if no mailpush-notify is "
		       "in use, set spool_dir = \"\"";
	case EACCES:
	case EPERM:
		return "the daemon's user needs all rights on the folder, and must be able to read "
		       "the files of Cyrus' user";
	case ENOSPC:
	case EDQUOT:
		return "make room on its disk";
	case EROFS:
		return ERR_READ_ONLY_REMEDY;
	default:
		return "check its disk";
	}
}

static int try_open(const struct spooldisk *disk)
{
	return open(disk->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Without it a power cut could take the folder's name, and with it the files inside. */
static int sync_name(int folder)
{
	int parent = openat(folder, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return -1;
	int failed = fsync(parent);
	/* Some file systems do not sync folders, and say so. */
	if (failed && errno == EINVAL)
		failed = 0;
	close(parent);
	return failed;
}

/*
 * No writer gets in before its name is on disk and the group is right.  A sandbox may forbid the
 * set-group-ID bit.
 */
static int make_folder(const struct spooldisk *disk)
{
	if (mkdir(disk->path, 0700))
		return -1;
	int fd = try_open(disk);
	if (fd >= 0 &&
		(sync_name(fd) || (disk->gid != (gid_t)-1 && fchown(fd, (uid_t)-1, disk->gid)) ||
			(fchmod(fd, SPOOLFILE_DIR_MODE) &&
				fchmod(fd, SPOOLFILE_DIR_MODE & 0777)))) {
		int code = errno;
		close(fd);
		rmdir(disk->path);
		errno = code;
		return -1;
	}
	return fd;
}

/* -1: no folder to work in. */
static int open_folder(struct spooldisk *disk, struct spooldisk_work *work)
{
	int fd = try_open(disk);
	if (fd < 0 && errno == ENOENT && work->is_look) {
		fd = make_folder(disk);
		if (fd < 0) {
			int code = errno;
			trouble(work,
				"the spool folder '%s' is missing and cannot be created: %s; %s",
				disk->path, strerror(code), remedy_of(ENOENT));
			return -1;
		}
	}
	struct stat status;
	if (fd < 0 || fstat(fd, &status)) {
		int code = errno;
		trouble(work, "cannot open the spool folder '%s': %s; %s", disk->path,
			strerror(code), remedy_of(code));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	disk->device = status.st_dev;
	disk->inode = status.st_ino;
	if (status.st_mode & S_IWOTH && !(status.st_mode & S_ISVTX))
		trouble(work,
			"everybody may write into the spool folder '%s' and remove events from it; "
			"run chmod 2770 on it",
			disk->path);
	return fd;
}

static void check_room(const struct spooldisk *disk, struct spooldisk_work *work, int folder)
{
	struct statvfs fs;
	if (fstatvfs(folder, &fs) || !fs.f_blocks)
		return;
	if ((uint64_t)fs.f_bavail * fs.f_frsize < SPOOLDISK_ROOM_MIN ||
		(fs.f_files && !fs.f_favail))
		trouble(work,
			"the disk of the spool folder '%s' is full: while mailpushd is away, "
			"events "
			"will be lost; %s",
			disk->path, remedy_of(ENOSPC));
}

/* Settling. */

/* A folder that another user made is not used. */
static int open_bad(int folder)
{
	struct stat status;
	if (mkdirat(folder, SPOOLFILE_BAD, BAD_FOLDER_MODE) && errno != EEXIST)
		return -1;
	int fd = openat(folder, SPOOLFILE_BAD, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && geteuid() && !fstat(fd, &status) && status.st_uid != geteuid()) {
		close(fd);
		fd = -1;
		errno = EPERM;
	}
	return fd;
}

static int compare_names(const void *one, const void *other)
{
	return strcmp(*(char *const *)one, *(char *const *)other);
}

/* Users of the mail server must not be able to fill the disk. */
static void prune_bad(int bad)
{
	char **names = NULL;
	size_t count = 0;
	int fd = openat(bad, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		names = mem_realloc_array(names, count + 1, sizeof(*names));
		names[count++] = mem_dup(entry->d_name);
	}
	closedir(dir);
	if (count)
		qsort(names, count, sizeof(*names), compare_names);
	for (size_t i = 0; i < count; i++) {
		if (i + SPOOLDISK_BAD_MAX < count && unlinkat(bad, names[i], 0))
			unlinkat(bad, names[i], AT_REMOVEDIR);
		free(names[i]);
	}
	free(names);
}

/*
 * A folder is no event, and only an empty one goes: what is in another one may be dear to somebody,
 * and of another user the daemon could not remove it from SPOOLFILE_BAD again.
 */
static int move_away(int folder, int bad, struct spool_file *file)
{
	if (!unlinkat(folder, file->name, AT_REMOVEDIR)) {
		file->end = SPOOLDISK_EMPTY_FOLDER;
		return 0;
	}
	return errno == ENOTDIR ? renameat(folder, file->name, bad, file->name) : -1;
}

static bool settle_file(int folder, int bad, struct spool_file *file)
{
	int failed = 0;
	if (file->fate == SPOOLDISK_REMOVE)
		failed = unlinkat(folder, file->name, 0);
	else if (file->fate == SPOOLDISK_REJECT)
		failed = move_away(folder, bad, file);
	return !failed || errno == ENOENT;
}

static bool has_rejected(const struct spool_file_list *files)
{
	const struct spool_file *file;
	TAILQ_FOREACH(file, files, link)
		if (file->fate == SPOOLDISK_REJECT)
			return true;
	return false;
}

static const char *remedy_of_one(const struct spool_file *file, int code)
{
	bool is_its_own = code == EACCES || code == EPERM || code == ENOTEMPTY || code == EEXIST;
	return file->fate == SPOOLDISK_REJECT && is_its_own ? "see whose it is, and remove it"
							    : remedy_of(code);
}

/* An answered file that cannot be removed stays in memory, so that it is not taken twice. */
static void settle(struct spooldisk *disk, struct spooldisk_work *work, int folder)
{
	int bad = -1;
	if (has_rejected(&work->settle) && (bad = open_bad(folder)) < 0)
		trouble(work, "cannot make the folder '%s/" SPOOLFILE_BAD "': %s; %s", disk->path,
			strerror(errno),
			errno == EPERM || errno == ENOTDIR ? "see whose it is, and remove it"
							   : remedy_of(errno));
	struct spool_file *file;
	struct spool_file *next;
	for (file = TAILQ_FIRST(&work->settle); file; file = next) {
		next = TAILQ_NEXT(file, link);
		bool has_place = file->fate != SPOOLDISK_REJECT || bad >= 0;
		bool is_settled = has_place && settle_file(folder, bad, file);
		if (has_place && !is_settled)
			trouble(work, "cannot %s '%s/%s': %s; %s",
				file->fate == SPOOLDISK_REMOVE ? "remove" : "move away", disk->path,
				file->name, strerror(errno), remedy_of_one(file, errno));
		if (!is_settled && file->fate == SPOOLDISK_REMOVE)
			continue;
		if (!is_settled)
			file->end = SPOOLDISK_IN_THE_WAY;
		if (is_settled && file->fate != SPOOLDISK_LEAVE)
			spool_retry_forget(&disk->aside, file->name);
		else
			spool_retry_failed(
				&disk->aside, file->name, !is_settled, clock_monotonic_ms());
		TAILQ_REMOVE(&work->settle, file, link);
		TAILQ_INSERT_TAIL(&work->settled, file, link);
	}
	if (bad >= 0) {
		prune_bad(bad);
		close(bad);
	}
}

/* Looking. */

static void remove_if_old(int folder, const char *name)
{
	struct stat status;
	if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) || !S_ISREG(status.st_mode))
		return;
	if (clock_unix_ms() - (int64_t)status.st_mtim.tv_sec * 1000 > SPOOLDISK_TEMPORARY_MS)
		unlinkat(folder, name, 0);
}

/* Each once: in a folder that changes meanwhile, readdir may give a name again. */
static void keep_smallest(struct spooldisk *disk, size_t count)
{
	char **names = disk->names;
	size_t kept = 0;
	qsort(names, disk->name_count, sizeof(*names), compare_names);
	for (size_t i = 0; i < disk->name_count; i++) {
		if (kept == count || (kept && !strcmp(names[i], names[kept - 1])))
			free(names[i]);
		else
			names[kept++] = names[i];
	}
	disk->name_count = kept;
}

static void add_name(struct spooldisk *disk, const char *name)
{
	if (disk->name_count == (size_t)2 * NAMES_MAX) {
		keep_smallest(disk, NAMES_MAX);
		disk->has_more = true;
	}
	if (!disk->names)
		disk->names = mem_alloc((size_t)2 * NAMES_MAX * sizeof(*disk->names));
	disk->names[disk->name_count++] = mem_dup(name);
}

static void look(struct spooldisk *disk, struct spooldisk_work *work, int folder)
{
	assert(!spooldisk_has_names(disk));
	int64_t now_ms = clock_monotonic_ms();
	mem_auto char *after = mem_steal(disk->after);
	spooldisk_drop_names(disk);
	if (!after)
		spool_retry_end_pass(&disk->aside);
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		trouble(work, "cannot look into the spool folder '%s': %s; %s", disk->path,
			strerror(errno), remedy_of(errno));
		if (fd >= 0)
			close(fd);
		return;
	}
	struct dirent *entry;
	while ((errno = 0, entry = readdir(dir))) {
		const char *name = entry->d_name;
		if (!strncmp(name, SPOOLFILE_TEMPORARY, strlen(SPOOLFILE_TEMPORARY)))
			remove_if_old(folder, name);
		if (*name != '.' && strcmp(name, SPOOLFILE_BAD) != 0 &&
			!spool_retry_waits(&disk->aside, name, now_ms) &&
			!map_get(disk->known, name, strlen(name)) &&
			(!after || strcmp(name, after) > 0))
			add_name(disk, name);
	}
	if (errno)
		trouble(work, "cannot read the spool folder '%s': %s; %s", disk->path,
			strerror(errno), remedy_of(errno));
	closedir(dir);
	if (disk->name_count)
		keep_smallest(disk, disk->has_more ? NAMES_MAX : disk->name_count);
	if (disk->has_more)
		disk->after = mem_dup(disk->names[disk->name_count - 1]);
	check_room(disk, work, folder);
}

/* Reading. */

static struct spool_file *new_file(char *name)
{
	struct spool_file *file = mem_alloc_zero(1, sizeof(*file));
	file->name = name;
	return file;
}

static void reject(struct spool_file *file, char *reason)
{
	file->fate = SPOOLDISK_REJECT;
	file->reason = reason;
}

/* Why a file of this status is rejected; NULL: it is taken. */
static char *find_fault(const struct spooldisk *disk, const struct stat *status)
{
	if (!S_ISREG(status->st_mode))
		return mem_dup("it is not a regular file");
	if (!disk->has_guests && !peer_is_allowed(&disk->peers, status->st_uid))
		return spooldisk_fault_of_stranger(status->st_uid);
	if (status->st_size > DLIST_REQUEST_MAX)
		return mem_printf("it has more than the %d bytes of a request", DLIST_REQUEST_MAX);
	return NULL;
}

/* Reads the file; a file that has grown meanwhile is not a request. */
static int read_bytes(int fd, struct spool_file *file)
{
	size_t room = file->size + 1;
	file->bytes = mem_alloc(room);
	file->size = 0;
	while (file->size < room) {
		ssize_t n = read(fd, file->bytes + file->size, room - file->size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		file->size += (size_t)n;
	}
	return 0;
}

/* 0 also if it is rejected. */
static int read_file(const struct spooldisk *disk, int folder, struct spool_file *file)
{
	struct stat status;
	char *fault;
	/* Checked before opening too: opening a device may have effects. */
	if (fstatat(folder, file->name, &status, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if ((fault = find_fault(disk, &status))) {
		file->is_strangers = !peer_is_allowed(&disk->peers, status.st_uid);
		reject(file, fault);
		return 0;
	}
	int fd = openat(
		folder, file->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int code = fstat(fd, &status) ? -errno : 0;
	if (!code && (fault = find_fault(disk, &status))) {
		file->is_strangers = !peer_is_allowed(&disk->peers, status.st_uid);
		reject(file, fault);
	} else if (!code) {
		file->size = (size_t)status.st_size;
		file->uid = status.st_uid;
		file->is_guests = !peer_is_allowed(&disk->peers, status.st_uid);
		code = read_bytes(fd, file);
	}
	close(fd);
	return code;
}

static void read_files(struct spooldisk *disk, struct spooldisk_work *work, int folder)
{
	size_t files = 0;
	size_t bytes = 0;
	while (spooldisk_has_names(disk) && files < work->files_max && bytes < work->bytes_max) {
		struct spool_file *file = new_file(disk->names[disk->next_name++]);
		int code = read_file(disk, folder, file);
		if (code) {
			if (code != -ENOENT) {
				spool_retry_failed(
					&disk->aside, file->name, true, clock_monotonic_ms());
				trouble(work, "cannot read '%s/%s': %s; %s", disk->path, file->name,
					strerror(-code), remedy_of(-code));
			}
			spooldisk_free_file(file);
			continue;
		}
		files++;
		bytes += file->size;
		TAILQ_INSERT_TAIL(&work->found, file, link);
	}
}

void spooldisk_do(struct spooldisk *disk, struct spooldisk_work *work)
{
	int folder = open_folder(disk, work);
	if (folder < 0) {
		spooldisk_drop_names(disk);
		return;
	}
	settle(disk, work, folder);
	int64_t since_ms = clock_thread_ms();
	if (work->is_look)
		look(disk, work, folder);
	read_files(disk, work, folder);
	if (TAILQ_EMPTY(&work->found))
		work->vain_ms = clock_thread_ms() - since_ms;
	close(folder);
}
