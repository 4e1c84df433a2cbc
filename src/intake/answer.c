#include "intake/answer.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_MAX 256

static void send_bytes(int fd, const char *bytes, size_t size)
{
	/* Such a short answer fits, or the peer is gone. */
	(void)!send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void answer_send(int fd, int status, const char *text)
{
	if (!status && !text) {
		send_bytes(fd, "OK ()\r\n", 7);
		return;
	}
	char answer[ANSWER_MAX];
	size_t n = (size_t)snprintf(answer, sizeof(answer), "%s \"", status ? "NO" : "OK");
	for (; *text && n < sizeof(answer) - 3; text++) {
		unsigned char c = (unsigned char)*text;
		answer[n++] = c < ' ' || c >= 0x7f || c == '"' || c == '\\' ? '\'' : (char)c;
	}
	memcpy(answer + n, "\"\r\n", 3);
	send_bytes(fd, answer, n + 3);
}
