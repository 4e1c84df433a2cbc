#include "console/table.h"

#include "base/mem.h"
#include "console/format.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

void table_print_and_free(struct table *table)
{
	for (size_t row = 0; row < table->rows; row++) {
		printf("%*s", (int)table->indent, "");
		for (unsigned i = 0; i < table->columns; i++) {
			struct cell *cell = &table->cells[row * table->columns + i];
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
