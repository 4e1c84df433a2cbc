#include "postgresql/pgstate.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* The first whose characters stand at the front counts. */
static const struct {
	const char *front;
	int code;
} states[] = {
	{"40", -EAGAIN},       /* serialization failure, deadlock */
	{"55P03", -EAGAIN},    /* a lock is held */
	{"23505", -EEXIST},    /* somebody made the same at the same time: a row, */
	{"42710", -EAGAIN},    /* a type, as each table has one, */
	{"42P07", -EAGAIN},    /* a table */
	{"57014", -ETIMEDOUT}, /* statement_timeout */
	{"08", -ENOTCONN},     /* connection */
	{"0A", -ENOTCONN},     /* it cannot do that: it is a standby now */
	{"25006", -ENOTCONN},  /* read-only: it is not the writer any more */
	{"25P0", -ENOTCONN},   /* the transaction was idle for too long, or is lost */
	{"53", -ENOTCONN},     /* no room on the disk, no memory, no connection left */
	{"57P", -ENOTCONN},    /* shuts down, starts, crashed */
	{"58", -ENOTCONN},     /* its system fails */
	{"28", -EACCES},       /* not who we say */
	{"3D", -EACCES},       /* no such database */
	{"42501", -EACCES},    /* rights are missing */
	{"42", -ENOTSUP},      /* no such table or column */
	{"3F", -ENOTSUP},      /* no such schema */
	{"21", -EILSEQ},       /* one row is named twice */
	{"22", -EILSEQ},       /* a value that it does not take */
	{"23", -EILSEQ},       /* a value that breaks a rule of the schema */
	{"54", -ENOTCONN},     /* its limits, as of transactions; no value of ours is beyond one */
	{"P0", -EILSEQ},       /* a trigger of the administrator's refuses it */
};

int pgstate_code(const char *state)
{
	if (!state)
		return -ENOTCONN;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (strncmp(state, states[i].front, strlen(states[i].front)) == 0)
			return states[i].code;
	}
	return -EPROTO;
}

const char *pgstate_remedy(int code)
{
	switch (code) {
	case -EAGAIN:
		return "it is tried again";
	case -EEXIST:
		return "it is tried again; if that goes on, look for a rule that was added to the "
		       "tables";
	case -EACCES:
		return "give the user the rights on the database that docs/databases.md names";
	case -ENOTSUP:
		return "its tables are not those of this mailpushd; restore them, or correct "
		       "the url";
	case -EILSEQ:
		return "the database refuses a value";
	default:
		return "look into the server's log";
	}
}
