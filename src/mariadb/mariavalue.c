#include "mariadb/mariavalue.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void mariavalues_init(struct mariavalues *values)
{
	values->count = 0;
}

void mariavalues_fini(struct mariavalues *values)
{
	for (size_t i = 0; i < values->count; i++)
		buf_fini(&values->values[i]);
	values->count = 0;
}

struct buf *mariavalues_list(struct mariavalues *values)
{
	assert(values->count < MARIAVALUES_MAX);
	struct buf *value = &values->values[values->count++];
	buf_init(value);
	return value;
}

void mariavalues_text(struct mariavalues *values, const char *text)
{
	mariavalue_text(mariavalues_list(values), text);
}

void mariavalues_number(struct mariavalues *values, int64_t number)
{
	mariavalue_number(mariavalues_list(values), number);
}

void mariavalues_bytes(struct mariavalues *values, const void *bytes, size_t size)
{
	mariavalue_bytes(mariavalues_list(values), bytes, size);
}

void mariavalue_comma(struct buf *to)
{
	if (to->used > 0)
		buf_append(to, ",", 1);
}

void mariavalue_text(struct buf *to, const char *text)
{
	if (text)
		mariavalue_bytes(to, text, strlen(text));
	else
		buf_append_text(to, "NULL");
}

void mariavalue_number(struct buf *to, int64_t number)
{
	buf_printf(to, "%" PRId64, number);
}

void mariavalue_bytes(struct buf *to, const void *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *from = bytes;
	uint8_t *at = buf_reserve(to, 2 * size + 3);
	size_t used = 0;
	at[used++] = 'x';
	at[used++] = '\'';
	for (size_t i = 0; i < size; i++) {
		at[used++] = (uint8_t)digits[from[i] >> 4];
		at[used++] = (uint8_t)digits[from[i] & 15];
	}
	at[used++] = '\'';
	buf_commit(to, used);
}

void mariavalues_write(const struct mariavalues *values, const char *sql, struct buf *to)
{
	for (const char *mark; (mark = strchr(sql, '?')); sql = mark + 2) {
		buf_append(to, sql, (size_t)(mark - sql));
		size_t at = (size_t)(mark[1] - '1');
		assert(values && at < values->count);
		buf_append(to, values->values[at].data, values->values[at].used);
	}
	buf_append_text(to, sql);
}

const char *mariavalue_check(const struct mariarows *rows, unsigned columns)
{
	return mysql_num_fields(rows->result) == columns ? NULL
							 : "it has another number of columns";
}

bool mariavalue_next_row(struct mariarows *rows)
{
	rows->row = mysql_fetch_row(rows->result);
	rows->sizes = rows->row ? mysql_fetch_lengths(rows->result) : NULL;
	return rows->row != NULL;
}

int64_t mariavalue_to_number(const struct mariarows *rows, unsigned column)
{
	return strtoll(mariavalue_to_text(rows, column), NULL, 10);
}

const char *mariavalue_to_text(const struct mariarows *rows, unsigned column)
{
	return rows->row[column] ? rows->row[column] : "";
}

void mariavalue_to_bytes(const struct mariarows *rows, unsigned column, void *ret, size_t size)
{
	if (rows->row[column] && rows->sizes[column] == size)
		memcpy(ret, rows->row[column], size);
	else
		memset(ret, 0, size);
}
