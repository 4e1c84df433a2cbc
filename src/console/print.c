#include "console/print.h"

#include "console/format.h"

#include <stdio.h>

void print_text(const char *text)
{
	char printable[PRINT_MAX];
	format_printable(text, printable, sizeof(printable));
	fputs(printable, stdout);
}

void print_coloured(enum table_colour colour, const char *text)
{
	fputs(table_begin(colour), stdout);
	print_text(text);
	fputs(table_end(), stdout);
}

void print_head(const char *name)
{
	printf("%s%-15s%s", table_begin(TABLE_BOLD), name, table_end());
}

void print_line(const char *name, const char *text)
{
	print_head(name);
	print_text(text);
	putchar('\n');
}
