#include "alert/remedy.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define SOCKET \
	"Make the folder of the socket writable for mailpush, and find out what removes the file."
#define DATABASE                                                                               \
	"Look at the database server, or make room on the disk of the file and look at its "   \
	"permissions; then it continues by itself. A damaged file: stop, restore the backup, " \
	"start."
#define DISK                                                                              \
	"Make room on the disk and look at the permissions; then it continues by itself." \
	" A damaged file: stop, restore the backup, start."

/* A name that ends in a colon goes on: with the name of a credential, or a topic. */
static const struct {
	const char *name;
	const char *text;
} remedies[] = {
	{"alarm-mail",
		"See that the mail server of alarm_mail_server takes mail for alarm_mail; "
		"`mailpushctl alarm test` tries it."},
	{"apns:",
		"Look at DNS, the firewall and the key proxy; `mailpushctl cert check --online` "
		"tries it. Pushes wait and leave by themselves."},
	{"aps-topic",
		"Set aps_topic in imapd.conf to the topic of a credential, and restart Cyrus."},
	{"bad-device-token:",
		"Set apns_host back to its default, and use a certificate for "
		"production."},
	{"control:socket", SOCKET},
	{"credential-dates:", "Renew the certificate, or set the clock right."},
	{"credential-expiry:",
		"Renew the certificate at Apple and put it into the same files; a new "
		"file is noticed. Apple may need days. docs/certificates.md has the "
		"steps."},
	{"credential-file:",
		"Correct the file that the text names; what was loaded before stays in "
		"use."},
	{"credential:",
		"Add the certificate of that topic to mailpush.conf; docs/certificates.md "
		"tells how to change a topic."},
	{"forward", "Start the program behind forward_socket, or correct the path."},
	{"intake:late",
		"Look at the disk. Do not restart mailpushd: events in its memory would be "
		"lost."},
	{"intake:notify_socket", SOCKET},
	{"intake:overload", "The registry is too slow: look at its database, and at the disk."},
	{"intake:stream_socket", SOCKET},
	{"intake:dovecot_socket", SOCKET},
	{"intake:xaps_socket", SOCKET},
	{"no-credential",
		"Add a credential section to mailpush.conf; docs/certificates.md tells how "
		"to get a certificate."},
	{"not-for-topic:", "Set the certificate and aps_topic with which the phones registered."},
	{"queue", DISK},
	{"queue:damaged", "Check the disk and the kernel's log, then remove the damaged file."},
	{"registry", DATABASE},
	{"registry:expiry",
		"See whether the clock is right, and whether phones reach the mail "
		"server."},
	{"registry:frozen",
		"Copy the registry and restart mailpushd, or run `mailpushctl registry "
		"thaw`."},
	{"registry:refused",
		"The event stays in the queue and is tried again at the next start. Please "
		"report it."},
	{"reload", "Correct the file; `mailpushd -n` says what is wrong with it."},
	{"spool", "Correct the folder that the text names, its owner and mode."},
};

const char *remedy_of(const char *alarm)
{
	for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++) {
		const char *name = remedies[i].name;
		size_t size = strlen(name);
		bool goes_on = name[size - 1] == ':';
		if (goes_on ? !strncmp(alarm, name, size) : !strcmp(alarm, name))
			return remedies[i].text;
	}
	return "`mailpushctl doctor` examines the site and names the remedy.";
}
