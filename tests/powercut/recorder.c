/*
 * recorder - writes down what a program does to its files, for a disk to be made of it (disk.py).
 *
 * In LD_PRELOAD of programs as they are shipped.  RECORDER_ROOT is the folder whose files count,
 * RECORDER_FILE the record, which any number of processes append to; record.py reads it.  Each
 * call is done and written down under one lock, so the record has the order in which things
 * happened.  An answer on a socket is written down before it is sent, under the name that the peer
 * gave itself (an abstract address).
 *
 * Files are known by inode, so that a name may come to mean another one.  The index of a
 * write-ahead log (-shm) is made anew after a power cut and left out.
 */
/* Each name is to be a function of its own, as in the C library. */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define INDEX_END "-shm"

enum kind {
	CREATE = 'c', /* name */
	FOLDER = 'd', /* name */
	WRITE = 'w',  /* bytes at `offset` */
	SIZE = 't',   /* is `offset` from now on */
	SYNC = 's',
	RENAME = 'r', /* name, new name */
	LINK = 'l',   /* name, new name */
	UNLINK = 'u', /* name */
	ANSWER = 'a', /* name of the peer, bytes */
};

/* Behind it stand both names and the bytes, of these sizes. */
struct head {
	uint32_t kind;
	uint16_t name_size;
	uint16_t new_name_size;
	uint64_t inode;
	int64_t offset;
	uint64_t size;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int record = -1;
static char root[PATH_MAX];

/* The one of the C library, found at its first use. */
#define REAL(type, name, parameters)                       \
	static type(*real) parameters;                     \
	if (!real) {                                       \
		*(void **)&real = dlsym(RTLD_NEXT, #name); \
	}

__attribute__((constructor)) static void start(void)
{
	REAL(int, open, (const char *path, int flags, ...))
	const char *file = getenv("RECORDER_FILE");
	const char *folder = getenv("RECORDER_ROOT");
	if (!file || !folder || !realpath(folder, root))
		return;
	record = real(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
}

/* What is not written down would look like a disk that loses it. */
static void give_up(const char *why)
{
	fprintf(stderr, "recorder: %s: %s\n", why, strerror(errno));
	abort();
}

static void lock(void)
{
	pthread_mutex_lock(&mutex);
	while (flock(record, LOCK_EX)) {
		if (errno != EINTR)
			give_up("cannot lock the record");
	}
}

static void unlock(void)
{
	flock(record, LOCK_UN);
	pthread_mutex_unlock(&mutex);
}

static void note(struct head head, const char *name, const char *new_name, const void *bytes)
{
	head.name_size = (uint16_t)strlen(name);
	head.new_name_size = (uint16_t)strlen(new_name);
	struct iovec parts[] = {
		{&head, sizeof(head)},
		{(void *)(uintptr_t)name, head.name_size},
		{(void *)(uintptr_t)new_name, head.new_name_size},
		{(void *)(uintptr_t)bytes, bytes ? head.size : 0},
	};
	size_t whole = sizeof(head) + head.name_size + head.new_name_size + parts[3].iov_len;
	if (writev(record, parts, 4) != (ssize_t)whole)
		give_up("cannot write the record");
}

static bool is_index(const char *path)
{
	size_t size = strlen(path);
	size_t end = strlen(INDEX_END);
	return size >= end && !strcmp(path + size - end, INDEX_END);
}

/* What is behind the root in a path that counts; NULL: it does not. */
static const char *below_root(const char *path)
{
	size_t size = strlen(root);
	if (record < 0 || strncmp(path, root, size) != 0 || is_index(path))
		return NULL;
	return path[size] == '/' ? path + size + 1 : path[size] ? NULL : "";
}

static bool path_of(int fd, char path[PATH_MAX])
{
	char link[64];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t size = readlink(link, path, PATH_MAX - 1);
	if (size <= 0)
		return false;
	path[size] = '\0';
	return true;
}

/* As below_root; the whole path goes to `whole`. */
static const char *name_of(int folder, const char *path, char whole[PATH_MAX])
{
	char begin[PATH_MAX] = "";
	if (record < 0 || !path)
		return NULL;
	if (*path != '/' && folder == AT_FDCWD && !getcwd(begin, sizeof(begin)))
		return NULL;
	if (*path != '/' && folder != AT_FDCWD && !path_of(folder, begin))
		return NULL;
	int size = snprintf(whole, PATH_MAX, "%s%s%s", begin, *path == '/' ? "" : "/", path);
	return size < PATH_MAX ? below_root(whole) : NULL;
}

/* 0: the file does not count. */
static uint64_t inode_of(int fd)
{
	char path[PATH_MAX];
	struct stat st;
	if (record < 0 || !path_of(fd, path) || !below_root(path) || fstat(fd, &st))
		return 0;
	return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ? st.st_ino : 0;
}

static uint64_t inode_at(const char *path)
{
	struct stat st;
	return lstat(path, &st) ? 0 : st.st_ino;
}

/* Opening. */

static int open_and_note(int folder, const char *path, int flags, mode_t mode)
{
	REAL(int, openat, (int folder_fd, const char *path_name, int how, ...))
	char whole[PATH_MAX];
	const char *name = name_of(folder, path, whole);
	if (!name || !(flags & (O_CREAT | O_TRUNC)))
		return real(folder, path, flags, mode);
	lock();
	bool was_there = inode_at(whole) != 0;
	int fd = real(folder, path, flags, mode);
	int code = errno;
	if (fd >= 0 && !was_there)
		note((struct head){CREATE, .inode = inode_at(whole)}, name, "", NULL);
	else if (fd >= 0 && flags & O_TRUNC)
		note((struct head){SIZE, .inode = inode_at(whole)}, "", "", NULL);
	unlock();
	errno = code;
	return fd;
}

static mode_t mode_of(int flags, va_list arguments)
{
	return flags & O_CREAT ? (mode_t)va_arg(arguments, int) : 0;
}

#define INTERPOSE_OPEN(name, folder, parameters)                 \
	int name parameters;                                     \
	int name parameters                                      \
	{                                                        \
		va_list arguments;                               \
		va_start(arguments, flags);                      \
		mode_t mode = mode_of(flags, arguments);         \
		va_end(arguments);                               \
		return open_and_note(folder, path, flags, mode); \
	}

INTERPOSE_OPEN(open, AT_FDCWD, (const char *path, int flags, ...))
INTERPOSE_OPEN(open64, AT_FDCWD, (const char *path, int flags, ...))
INTERPOSE_OPEN(openat, folder, (int folder, const char *path, int flags, ...))
INTERPOSE_OPEN(openat64, folder, (int folder, const char *path, int flags, ...))

/*
 * Contents, and names.  `counts` says of a call whether it is to be written down, `written` how,
 * once it has succeeded.
 */
#define INTERPOSE(type, name, parameters, arguments, counts, written) \
	type name parameters;                                         \
	type name parameters                                          \
	{                                                             \
		REAL(type, name, parameters)                          \
		counts;                                               \
		if (!is_noted)                                        \
			return real arguments;                        \
		lock();                                               \
		type result = real arguments;                         \
		int code = errno;                                     \
		if (result >= 0)                                      \
			written;                                      \
		unlock();                                             \
		errno = code;                                         \
		return result;                                        \
	}

#define OF_FD                          \
	uint64_t inode = inode_of(fd); \
	bool is_noted = inode != 0

#define NOTE_WRITE(at)                                                                           \
	note((struct head){WRITE, .inode = inode, .offset = (at), .size = (uint64_t)result}, "", \
		"", bytes)

INTERPOSE(ssize_t, write, (int fd, const void *bytes, size_t size), (fd, bytes, size), OF_FD,
	NOTE_WRITE(lseek(fd, 0, SEEK_CUR) - result))
INTERPOSE(ssize_t, pwrite, (int fd, const void *bytes, size_t size, off_t at),
	(fd, bytes, size, at), OF_FD, NOTE_WRITE(at))
INTERPOSE(ssize_t, pwrite64, (int fd, const void *bytes, size_t size, off64_t at),
	(fd, bytes, size, at), OF_FD, NOTE_WRITE(at))

#define NOTE_SIZE note((struct head){SIZE, .inode = inode, .offset = size}, "", "", NULL)

INTERPOSE(int, ftruncate, (int fd, off_t size), (fd, size), OF_FD, NOTE_SIZE)
INTERPOSE(int, ftruncate64, (int fd, off64_t size), (fd, size), OF_FD, NOTE_SIZE)

#define NOTE_SYNC note((struct head){SYNC, .inode = inode}, "", "", NULL)

INTERPOSE(int, fsync, (int fd), (fd), OF_FD, NOTE_SYNC)
INTERPOSE(int, fdatasync, (int fd), (fd), OF_FD, NOTE_SYNC)

#define OF_PATH(folder)                                  \
	char whole[PATH_MAX];                            \
	const char *name = name_of(folder, path, whole); \
	bool is_noted = name != NULL

#define NOTE_NAME(kind) note((struct head){kind, .inode = inode_at(whole)}, name, "", NULL)

INTERPOSE(int, mkdir, (const char *path, mode_t mode), (path, mode), OF_PATH(AT_FDCWD),
	NOTE_NAME(FOLDER))
INTERPOSE(int, mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode),
	OF_PATH(folder), NOTE_NAME(FOLDER))
INTERPOSE(int, unlink, (const char *path), (path), OF_PATH(AT_FDCWD), NOTE_NAME(UNLINK))
INTERPOSE(int, unlinkat, (int folder, const char *path, int flags), (folder, path, flags),
	OF_PATH(folder), NOTE_NAME(UNLINK))
INTERPOSE(int, rmdir, (const char *path), (path), OF_PATH(AT_FDCWD), NOTE_NAME(UNLINK))

/* Both are below the root, or nothing is. */
#define OF_PATHS(folder, new_folder)                                     \
	char whole[PATH_MAX];                                            \
	char new_whole[PATH_MAX];                                        \
	const char *name = name_of(folder, path, whole);                 \
	const char *new_name = name_of(new_folder, new_path, new_whole); \
	bool is_noted = name && new_name

#define NOTE_NAMES(kind) \
	note((struct head){kind, .inode = inode_at(new_whole)}, name, new_name, NULL)

INTERPOSE(int, rename, (const char *path, const char *new_path), (path, new_path),
	OF_PATHS(AT_FDCWD, AT_FDCWD), NOTE_NAMES(RENAME))
INTERPOSE(int, renameat, (int folder, const char *path, int new_folder, const char *new_path),
	(folder, path, new_folder, new_path), OF_PATHS(folder, new_folder), NOTE_NAMES(RENAME))
INTERPOSE(int, link, (const char *path, const char *new_path), (path, new_path),
	OF_PATHS(AT_FDCWD, AT_FDCWD), NOTE_NAMES(LINK))

/* Answers. */

/* The name in an abstract address of the peer. */
static bool peer_name(int fd, char ret[sizeof(((struct sockaddr_un *)0)->sun_path)])
{
	struct sockaddr_un peer;
	socklen_t size = sizeof(peer);
	size_t before = offsetof(struct sockaddr_un, sun_path) + 1;
	if (getpeername(fd, (struct sockaddr *)&peer, &size) || peer.sun_family != AF_UNIX ||
		size <= before || peer.sun_path[0])
		return false;
	memcpy(ret, peer.sun_path + 1, size - before);
	ret[size - before] = '\0';
	return true;
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
	REAL(ssize_t, send, (int to, const void *what, size_t how_much, int how))
	char name[sizeof(((struct sockaddr_un *)0)->sun_path)];
	if (record >= 0 && peer_name(fd, name)) {
		lock();
		note((struct head){ANSWER, .size = size}, name, "", bytes);
		unlock();
	}
	return real(fd, bytes, size, flags);
}
