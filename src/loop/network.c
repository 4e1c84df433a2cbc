#include "loop/network.h"

#include "base/units.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define V4_BITS 32
#define V6_BITS 128

static const uint8_t v4_prefix[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void take_v4(const struct in_addr *v4, uint8_t ret[NETWORK_BYTES])
{
	memcpy(ret, v4_prefix, sizeof(v4_prefix));
	memcpy(ret + sizeof(v4_prefix), v4, sizeof(*v4));
}

bool network_parse(const char *text, struct network *ret)
{
	char host[INET6_ADDRSTRLEN];
	size_t size = strcspn(text, "/");
	if (size >= sizeof(host))
		return false;
	memcpy(host, text, size);
	host[size] = '\0';
	struct in_addr v4;
	struct network network;
	bool is_v4 = inet_pton(AF_INET, host, &v4) == 1;
	if (is_v4)
		take_v4(&v4, network.address);
	else if (inet_pton(AF_INET6, host, network.address) != 1)
		return false;
	int64_t most = is_v4 ? V4_BITS : V6_BITS;
	int64_t bits = most;
	if (text[size] && (!units_parse_number(text + size + 1, &bits) || bits < 0 || bits > most))
		return false;
	network.bits = (unsigned)(V6_BITS - most + bits);
	*ret = network;
	return true;
}

static bool take_address(const struct sockaddr_storage *address, uint8_t ret[NETWORK_BYTES])
{
	if (address->ss_family == AF_INET)
		take_v4(&((const struct sockaddr_in *)address)->sin_addr, ret);
	else if (address->ss_family == AF_INET6)
		memcpy(ret, &((const struct sockaddr_in6 *)address)->sin6_addr, NETWORK_BYTES);
	else
		return false;
	return true;
}

bool network_has(const struct network *network, const struct sockaddr_storage *address)
{
	uint8_t bytes[NETWORK_BYTES];
	if (!take_address(address, bytes))
		return false;
	unsigned whole = network->bits / 8;
	unsigned rest = network->bits % 8;
	if (memcmp(bytes, network->address, whole) != 0)
		return false;
	return !rest || (bytes[whole] ^ network->address[whole]) >> (8 - rest) == 0;
}

bool network_is_loopback(const struct sockaddr_storage *address)
{
	static const struct network own[] = {
		{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127}, V6_BITS - V4_BITS + 8},
		{{[NETWORK_BYTES - 1] = 1}, V6_BITS},
	};
	return network_has(&own[0], address) || network_has(&own[1], address);
}
