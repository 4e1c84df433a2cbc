/*
 * spooldisk - the half of spool.c that touches the disk.
 *
 * Runs on a thread of libuv's pool, one piece of work at a time; in between the structs belong to
 * the loop thread.  A bad file does not keep others from being taken.
 */
#ifndef MAILPUSH_INTAKE_SPOOLDISK_H
#define MAILPUSH_INTAKE_SPOOLDISK_H

#include "base/err.h"
#include "base/map.h"
#include "intake/peer.h"
#include "intake/spool_retry.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <sys/types.h>

#define SPOOLDISK_BAD_MAX 1000
#define SPOOLDISK_TEMPORARY_MS \
	(60 * 60 * 1000)		     /* older ones were left by a writer that was killed */
#define SPOOLDISK_ROOM_MIN (4 * 1024 * 1024) /* less free space on the disk is trouble */

enum spooldisk_fate {
	SPOOLDISK_TAKEN,  /* read, and not answered yet */
	SPOOLDISK_REMOVE, /* it is done */
	SPOOLDISK_REJECT, /* goes to SPOOLFILE_BAD; an empty folder goes for good */
	SPOOLDISK_LEAVE,  /* stays where it is */
};

/* The outcome for a file to reject. */
enum spooldisk_end {
	SPOOLDISK_MOVED,
	SPOOLDISK_EMPTY_FOLDER, /* removed */
	SPOOLDISK_IN_THE_WAY,	/* cannot be moved, as a folder with content, and stays */
};

struct spool_file {
	TAILQ_ENTRY(spool_file) link;
	struct spool *spool;
	char *name;
	enum spooldisk_fate fate;
	char *reason;	   /* REJECT: why */
	bool is_strangers; /* rejected for its owner */
	enum spooldisk_end end;
	char *bytes; /* TAKEN */
	size_t size;
	uid_t uid; /* whose it is */
	bool is_guests;
};

TAILQ_HEAD(spool_file_list, spool_file);

struct spooldisk {
	const char *path;
	gid_t gid;
	struct peer_rules peers; /* a copy: a reload changes the rules during a piece of work */
	bool has_guests;	 /* files of others are read too; the caller judges them */
	struct map *known;	 /* the files in memory by name: those are not found again */

	/* Found and not read yet, in order. */
	char **names;
	size_t name_count;
	size_t next_name;
	/* A pass goes through the folder in looks: the next one begins after this name. */
	char *after;   /* NULL: a pass begins */
	bool has_more; /* more than names holds: the pass goes on */
	struct spool_retry aside;

	/* The folder as last opened. */
	dev_t device;
	ino_t inode;
};

struct spooldisk_work {
	bool is_look;		       /* look through the folder; no name may be left */
	size_t files_max;	       /* to be read at most */
	size_t bytes_max;	       /* after so many bytes no further file */
	struct spool_file_list settle; /* settled; the rest is stuck */

	struct spool_file_list settled;
	struct spool_file_list found; /* TAKEN or REJECT */
	int64_t vain_ms;    /* of processor time, spent on files that could not be taken */
	struct err trouble; /* the first thing that went wrong; "": nothing */
};

void spooldisk_init(struct spooldisk *disk, const char *path, gid_t gid,
	const struct peer_rules *peers, bool has_guests, const uint8_t seed[16]);
void spooldisk_fini(struct spooldisk *disk);
bool spooldisk_has_names(const struct spooldisk *disk);
/* The next look begins a pass, and finds unread files again. */
void spooldisk_drop_names(struct spooldisk *disk);

void spooldisk_work_init(struct spooldisk_work *work);
/* Settles, looks, reads. */
void spooldisk_do(struct spooldisk *disk, struct spooldisk_work *work);

/* Why a file of somebody who is not in the rules is rejected; the caller's. */
char *spooldisk_fault_of_stranger(uid_t uid);
void spooldisk_free_file(struct spool_file *file);

#endif
