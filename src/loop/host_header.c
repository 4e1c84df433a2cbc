#include "loop/host_header.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static bool is_port_or_nothing(const char *text)
{
	return !*text || (*text == ':' && strspn(text + 1, "0123456789") == strlen(text + 1));
}

bool host_header_is_local(const char *host)
{
	if (!host)
		return true;
	bool is_v6 = *host == '[';
	const char *begin = is_v6 ? host + 1 : host;
	size_t size = strcspn(begin, is_v6 ? "]" : ":");
	const char *end = begin + size;
	if (is_v6 && !*end++)
		return false;
	char name[INET6_ADDRSTRLEN];
	if (size >= sizeof(name) || !is_port_or_nothing(end))
		return false;
	memcpy(name, begin, size);
	name[size] = '\0';
	struct in6_addr address;
	return inet_pton(is_v6 ? AF_INET6 : AF_INET, name, &address) == 1 ||
		(!is_v6 && !strcasecmp(name, "localhost"));
}
