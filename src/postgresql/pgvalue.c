#include "postgresql/pgvalue.h"

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <string.h>

/* Of an array with one dimension: how many, has it NULLs, of what, and of that one how many and
   from where on they are counted. */
#define ARRAY_HEADER_SIZE 20

void pgvalues_init(struct pgvalues *values)
{
	values->count = 0;
}

void pgvalues_fini(struct pgvalues *values)
{
	for (size_t i = 0; i < values->count; i++)
		buf_fini(&values->values[i].bytes);
	values->count = 0;
}

static struct pgvalue *add(struct pgvalues *values, enum pgvalue_type type)
{
	assert(values->count < PGVALUES_MAX);
	struct pgvalue *value = &values->values[values->count++];
	*value = (struct pgvalue){.type = type};
	buf_init(&value->bytes);
	return value;
}

static void put_32(struct buf *bytes, uint32_t number)
{
	uint32_t wire = htonl(number);
	buf_append(bytes, &wire, sizeof(wire));
}

static void put_64(struct buf *bytes, int64_t number)
{
	uint64_t wire = htobe64((uint64_t)number);
	buf_append(bytes, &wire, sizeof(wire));
}

void pgvalues_number(struct pgvalues *values, int64_t number)
{
	put_64(&add(values, PGVALUE_NUMBER)->bytes, number);
}

void pgvalues_text(struct pgvalues *values, const char *text)
{
	buf_append_text(&add(values, PGVALUE_TEXT)->bytes, text);
}

void pgvalues_bytes(struct pgvalues *values, const void *bytes, size_t size)
{
	buf_append(&add(values, PGVALUE_BYTES)->bytes, bytes, size);
}

struct pgvalue *pgvalues_array(struct pgvalues *values, enum pgvalue_type type)
{
	struct pgvalue *array = add(values, type);
	array->is_array = true;
	put_32(&array->bytes, 0);
	put_32(&array->bytes, 0);
	put_32(&array->bytes, type);
	return array;
}

/* The length of the next element. */
static void begin_element(struct pgvalue *array, enum pgvalue_type type, uint32_t size)
{
	assert(array->is_array && array->type == type);
	if (array->count++ == 0) {
		put_32(&array->bytes, 0);
		put_32(&array->bytes, 1);
	}
	put_32(&array->bytes, size);
	uint32_t header[ARRAY_HEADER_SIZE / sizeof(uint32_t)];
	memcpy(header, array->bytes.data, sizeof(header));
	header[0] = htonl(1);
	header[3] = htonl(array->count);
	memcpy(array->bytes.data, header, sizeof(header));
}

void pgvalue_add_bool(struct pgvalue *array, bool is_true)
{
	begin_element(array, PGVALUE_BOOL, 1);
	const uint8_t byte = is_true;
	buf_append(&array->bytes, &byte, 1);
}

void pgvalue_add_number(struct pgvalue *array, int64_t number)
{
	begin_element(array, PGVALUE_NUMBER, sizeof(number));
	put_64(&array->bytes, number);
}

void pgvalue_add_text(struct pgvalue *array, const char *text)
{
	if (text) {
		begin_element(array, PGVALUE_TEXT, (uint32_t)strlen(text));
		buf_append_text(&array->bytes, text);
		return;
	}
	begin_element(array, PGVALUE_TEXT, UINT32_MAX);
	const uint32_t has_null = htonl(1);
	memcpy(array->bytes.data + sizeof(has_null), &has_null, sizeof(has_null));
}

void pgvalue_add_bytes(struct pgvalue *array, const void *bytes, size_t size)
{
	begin_element(array, PGVALUE_BYTES, (uint32_t)size);
	buf_append(&array->bytes, bytes, size);
}

static Oid oid_of(const struct pgvalue *value)
{
	if (!value->is_array)
		return value->type;
	switch (value->type) {
	case PGVALUE_BOOL:
		return 1000;
	case PGVALUE_BYTES:
		return 1001;
	case PGVALUE_TEXT:
		return 1009;
	case PGVALUE_NUMBER:
	case PGVALUE_NARROW:
		break;
	}
	return 1016;
}

size_t pgvalues_size(const struct pgvalues *values)
{
	size_t size = 0;
	for (size_t i = 0; values && i < values->count; i++)
		size += values->values[i].bytes.used;
	return size;
}

int pgvalues_send(const struct pgvalues *values, PGconn *conn, const char *sql)
{
	Oid types[PGVALUES_MAX];
	const char *bytes[PGVALUES_MAX];
	int sizes[PGVALUES_MAX];
	int formats[PGVALUES_MAX];
	size_t count = values ? values->count : 0;
	assert(pgvalues_size(values) <= PGVALUES_SIZE_MAX);
	for (size_t i = 0; i < count; i++) {
		const struct pgvalue *value = &values->values[i];
		types[i] = oid_of(value);
		bytes[i] = value->bytes.data ? (const char *)value->bytes.data : "";
		sizes[i] = (int)value->bytes.used;
		formats[i] = 1;
	}
	return PQsendQueryParams(conn, sql, (int)count, types, bytes, sizes, formats, 1);
}

static bool is_of_kind(const PGresult *result, int column, char kind)
{
	Oid type = PQftype(result, column);
	switch (kind) {
	case 'n':
		return type == PGVALUE_NUMBER || type == PGVALUE_NARROW;
	case 'b':
		return type == PGVALUE_BOOL;
	case 'k':
		return type == PGVALUE_BYTES;
	default:
		assert(kind == 't');
		return true; /* each string of bytes is text */
	}
}

static bool has_size_of_kind(int size, char kind)
{
	switch (kind) {
	case 'n':
		return size == sizeof(uint64_t) || size == sizeof(uint32_t);
	case 'b':
		return size == 1;
	default:
		return true;
	}
}

const char *pgvalue_check(const PGresult *result, const char *columns)
{
	int count = (int)strlen(columns);
	if (PQnfields(result) != count)
		return "it has another number of columns";
	for (int column = 0; column < count; column++) {
		if (PQfformat(result, column) != 1 || !is_of_kind(result, column, columns[column]))
			return "a column is of another type";
		for (int row = 0; row < PQntuples(result); row++) {
			if (!PQgetisnull(result, row, column) &&
				!has_size_of_kind(
					PQgetlength(result, row, column), columns[column]))
				return "a value has another size than its type";
		}
	}
	return NULL;
}

const char *pgvalue_check_one(const PGresult *result, const char *columns)
{
	const char *malformed = pgvalue_check(result, columns);
	return malformed || PQntuples(result) == 1 ? malformed : "it does not have one row";
}

bool pgvalue_ordinal(const PGresult *result, int row, int column, size_t count, size_t *ret_index)
{
	int64_t ordinal = pgvalue_number(result, row, column);
	if (ordinal < 1 || (uint64_t)ordinal > count)
		return false;
	*ret_index = (size_t)ordinal - 1;
	return true;
}

int64_t pgvalue_number(const PGresult *result, int row, int column)
{
	const char *bytes = PQgetvalue(result, row, column);
	int size = PQgetlength(result, row, column);
	uint64_t wide = 0;
	uint32_t narrow = 0;
	if (size == sizeof(wide)) {
		memcpy(&wide, bytes, sizeof(wide));
		return (int64_t)be64toh(wide);
	}
	if (size == sizeof(narrow)) {
		memcpy(&narrow, bytes, sizeof(narrow));
		return (int32_t)ntohl(narrow);
	}
	return 0;
}

bool pgvalue_bool(const PGresult *result, int row, int column)
{
	return PQgetlength(result, row, column) == 1 && *PQgetvalue(result, row, column) != 0;
}

const char *pgvalue_text(const PGresult *result, int row, int column)
{
	return PQgetvalue(result, row, column);
}

void pgvalue_bytes(const PGresult *result, int row, int column, void *ret, size_t size)
{
	if ((size_t)PQgetlength(result, row, column) == size)
		memcpy(ret, PQgetvalue(result, row, column), size);
	else
		memset(ret, 0, size);
}
