/*
 * table - text in aligned columns, and the colours of a terminal.
 *
 * Cells come from outside and are made printable.  Output goes to standard output.
 */
#ifndef MAILPUSH_CONSOLE_TABLE_H
#define MAILPUSH_CONSOLE_TABLE_H

#include <stdbool.h>

#define TABLE_COLUMNS_MAX 8

struct table;

/* `heads`: one for each column; NULL: no head line.  `indent` spaces in front of each line. */
struct table *table_new(const char *const *heads, unsigned columns, unsigned indent);
/* As many texts as there are columns. */
void table_add(struct table *table, ...);
/*
 * The last column is not padded.  On a terminal that is too narrow the widest cells are cut, and
 * end in ~.
 */
void table_print_and_free(struct table *table);

enum table_colour { TABLE_PLAIN, TABLE_GOOD, TABLE_ODD, TABLE_BAD, TABLE_BOLD };

/* Standard output is a terminal, and neither NO_COLOR nor TERM=dumb is set. */
void table_use_colours(void);
/* Text to print before and after a coloured text; "" without colours. */
const char *table_begin(enum table_colour colour);
const char *table_end(void);

#endif
