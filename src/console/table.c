#include "console/table.h"

#include "base/mem.h"
#include "console/format.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#define NARROWEST 10 /* columns that are always left to a cell */

struct cell {
	char *text;
	size_t columns;
};

struct table {
	unsigned columns;
	unsigned indent;
	struct cell *cells; /* row after row */
	size_t rows;
	size_t widths[TABLE_COLUMNS_MAX];
};

static bool has_colours;

void table_use_colours(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	has_colours = isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && *term &&
		strcmp(term, "dumb") != 0;
}

const char *table_begin(enum table_colour colour)
{
	static const char *const codes[] = {
		[TABLE_PLAIN] = "",
		[TABLE_GOOD] = "\033[32m",
		[TABLE_ODD] = "\033[33m",
		[TABLE_BAD] = "\033[31m",
		[TABLE_BOLD] = "\033[1m",
	};
	return has_colours ? codes[colour] : "";
}

const char *table_end(void)
{
	return has_colours ? "\033[0m" : "";
}

static void set_cell(struct table *table, size_t row, unsigned column, const char *text)
{
	size_t size = strlen(text) + 1;
	struct cell *cell = &table->cells[row * table->columns + column];
	cell->text = mem_alloc(size);
	cell->columns = format_printable(text, cell->text, size);
	if (cell->columns > table->widths[column])
		table->widths[column] = cell->columns;
}

static size_t add_row(struct table *table)
{
	table->cells = mem_realloc_array(
		table->cells, (table->rows + 1) * table->columns, sizeof(*table->cells));
	return table->rows++;
}

struct table *table_new(const char *const *heads, unsigned columns, unsigned indent)
{
	assert(columns <= TABLE_COLUMNS_MAX);
	struct table *table = mem_alloc_zero(1, sizeof(*table));
	table->columns = columns;
	table->indent = indent;
	if (heads) {
		size_t row = add_row(table);
		for (unsigned i = 0; i < columns; i++)
			set_cell(table, row, i, heads[i]);
	}
	return table;
}

void table_add(struct table *table, ...)
{
	va_list args;
	va_start(args, table);
	size_t row = add_row(table);
	for (unsigned i = 0; i < table->columns; i++)
		set_cell(table, row, i, va_arg(args, const char *));
	va_end(args);
}

/* 0: standard output is no terminal, or does not say. */
static size_t terminal_columns(void)
{
	struct winsize size;
	return isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) ? size.ws_col : 0;
}

static void make_room(struct table *table)
{
	size_t room = terminal_columns();
	size_t total = table->indent + 2 * (table->columns - 1);
	for (unsigned i = 0; i < table->columns; i++)
		total += table->widths[i];
	while (room && total > room) {
		size_t *widest = &table->widths[0];
		for (unsigned i = 1; i < table->columns; i++)
			if (table->widths[i] > *widest)
				widest = &table->widths[i];
		if (*widest <= NARROWEST)
			return;
		--*widest;
		total--;
	}
}

static void cut(struct cell *cell, size_t width)
{
	mbstate_t state = {0};
	size_t columns = 0;
	char *at = cell->text;
	if (cell->columns <= width)
		return;
	for (;;) {
		wchar_t wide;
		size_t size = mbrtowc(&wide, at, MB_CUR_MAX, &state);
		int taken = size && size < (size_t)-2 ? wcwidth(wide) : -1;
		if (taken < 0 || columns + (size_t)taken + 1 > width)
			break;
		columns += (size_t)taken;
		at += size;
	}
	strcpy(at, "~"); /* at least one character is left out */
	cell->columns = columns + 1;
}

void table_print_and_free(struct table *table)
{
	make_room(table);
	for (size_t row = 0; row < table->rows; row++) {
		printf("%*s", (int)table->indent, "");
		for (unsigned i = 0; i < table->columns; i++) {
			struct cell *cell = &table->cells[row * table->columns + i];
			cut(cell, table->widths[i]);
			bool is_last = i + 1 == table->columns;
			size_t padding = is_last ? 0 : table->widths[i] - cell->columns + 2;
			printf("%s%*s", cell->text, (int)padding, "");
			free(cell->text);
		}
		putchar('\n');
	}
	free(table->cells);
	free(table);
}
