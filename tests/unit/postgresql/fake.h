/*
 * fake - a server that speaks PostgreSQL's protocol and answers what no server would.
 *
 * It greets, takes each statement for done, and says that the schema is there; the one question
 * that is tried is answered as the test says.  One thread of its own; one connection at a time.
 */
#ifndef MAILPUSH_TESTS_POSTGRESQL_FAKE_H
#define MAILPUSH_TESTS_POSTGRESQL_FAKE_H

#include <stddef.h>

enum fake_course {
	FAKE_ROWS,	/* as `columns` and `values` say */
	FAKE_NO_ANSWER, /* ReadyForQuery at once */
	FAKE_TWO_ANSWERS,
	FAKE_COPY_OUT,
	FAKE_COPY_IN,
	FAKE_COPY_BOTH,
	FAKE_SILENCE,
};

/* In binary form; `size` -1 is NULL. */
struct fake_value {
	const void *bytes;
	int size;
};

struct fake_answer {
	const char *to; /* a part of the statement that is answered so */
	enum fake_course course;
	const char *columns; /* of what kind: pgvalue_check; upper case: in text form */
	const struct fake_value *values;
	size_t rows;
};

struct fake;

/* Listens on a socket in a folder of its own. */
struct fake *fake_new(void);
void fake_free(struct fake *fake);
/* What stands behind "postgresql:" of its url. */
const char *fake_place(const struct fake *fake);
/* From the next statement on; borrowed. */
void fake_answers(struct fake *fake, const struct fake_answer *answer);

#endif
