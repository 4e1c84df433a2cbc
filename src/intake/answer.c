#include "intake/answer.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_MAX 256

static void send_text(int fd, const char *text, size_t size)
{
	/* Such a short answer fits, or the peer is gone. */
	(void)!send(fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void answer_send(int fd, const char *reason)
{
	if (!reason) {
		send_text(fd, "OK ()\r\n", 7);
		return;
	}
	char text[ANSWER_MAX];
	size_t n = (size_t)snprintf(text, sizeof(text), "NO \"");
	for (; *reason && n < sizeof(text) - 3; reason++) {
		unsigned char c = (unsigned char)*reason;
		text[n++] = c < ' ' || c >= 0x7f || c == '"' || c == '\\' ? '\'' : (char)c;
	}
	memcpy(text + n, "\"\r\n", 3);
	send_text(fd, text, n + 3);
}
