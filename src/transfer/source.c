#include "transfer/source.h"

#include <string.h>

static const struct source_ops *const kinds[] = {
	&source_lines_ops, &source_xapsd_ops, &source_sql_ops};

const struct source_ops *source_kind(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!strcmp(kinds[i]->name, name))
			return kinds[i];
	}
	return NULL;
}
