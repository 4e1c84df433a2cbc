#include "postgresql/pghosts.h"

#include "base/mem.h"
#include "driver/lookup.h"

#include <stdio.h>

struct pghosts {
	const struct pgurl *url;
	size_t at;
	uint64_t moves;
	/* One a host: NULL if none runs and no address is left of it. */
	struct lookup **lookups;
	bool is_resolved; /* the present one */
	size_t address;	  /* of it */
	char name[320];
};

struct pghosts *pghosts_new(const struct pgurl *url)
{
	struct pghosts *hosts = mem_alloc_zero(1, sizeof(*hosts));
	hosts->url = url;
	hosts->lookups = mem_alloc_zero(pgurl_host_count(url), sizeof(struct lookup *));
	return hosts;
}

void pghosts_free(struct pghosts *hosts)
{
	if (!hosts)
		return;
	for (size_t i = 0; i < pgurl_host_count(hosts->url); i++)
		lookup_free(hosts->lookups[i]);
	free(hosts->lookups);
	free(hosts);
}

int pghosts_resolve(struct pghosts *hosts, int64_t deadline_ms, struct err *err)
{
	const char *name = pgurl_host_to_resolve(hosts->url, hosts->at);
	if (!name || hosts->is_resolved)
		return 0;
	struct lookup **lookup = &hosts->lookups[hosts->at];
	if (!*lookup)
		*lookup = lookup_new(name);
	int failed = lookup_wait(*lookup, deadline_ms, err);
	hosts->is_resolved = !failed;
	return failed;
}

/* NULL: the host is taken as it is. */
static const char *address_of(const struct pghosts *hosts)
{
	return hosts->is_resolved ? lookup_address(hosts->lookups[hosts->at], hosts->address)
				  : NULL;
}

void pghosts_parameters(const struct pghosts *hosts, struct pgurl_parameters *ret)
{
	pgurl_parameters(hosts->url, hosts->at, ret);
	const char *address = address_of(hosts);
	if (address)
		pgurl_set(ret, "hostaddr", address);
}

const char *pghosts_name(struct pghosts *hosts)
{
	const char *name = pgurl_host(hosts->url, hosts->at);
	const char *address = address_of(hosts);
	snprintf(hosts->name, sizeof(hosts->name), "%s%s%s%s", name, address ? " (" : "",
		address ? address : "", address ? ")" : "");
	return hosts->name;
}

/* It is looked up again when its turn comes; one that the resolver still thinks about is kept.
 */
static void forget_addresses(struct pghosts *hosts)
{
	struct lookup **lookup = &hosts->lookups[hosts->at];
	if (*lookup && lookup_is_answered(*lookup))
		lookup_free(mem_steal(*lookup));
	hosts->is_resolved = false;
	hosts->address = 0;
}

void pghosts_move_on(struct pghosts *hosts)
{
	if (hosts->is_resolved && ++hosts->address < lookup_count(hosts->lookups[hosts->at]))
		return;
	forget_addresses(hosts);
	hosts->at = (hosts->at + 1) % pgurl_host_count(hosts->url);
	hosts->moves++;
}

uint64_t pghosts_moves(const struct pghosts *hosts)
{
	return hosts->moves;
}
