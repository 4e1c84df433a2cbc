/*
 * print - text from outside, on a terminal.
 *
 * All text is made printable (format_printable), and cut at PRINT_MAX bytes.  Output goes to
 * standard output.
 */
#ifndef MAILPUSH_CONSOLE_PRINT_H
#define MAILPUSH_CONSOLE_PRINT_H

#include "console/table.h"

#define PRINT_MAX 4096

void print_text(const char *text);
void print_coloured(enum table_colour colour, const char *text);
/* The name of a line, in bold, as wide as all of them. */
void print_head(const char *name);
/* A whole line. */
void print_line(const char *name, const char *text);

#endif
