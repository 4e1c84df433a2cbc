#include "ctl/show_file.h"

#include "console/format.h"
#include "console/member.h"
#include "ctl/inspect.h"
#include "show/show.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void print_date(const json_t *json, const char *key)
{
	time_t seconds = (time_t)json_number_value(json_object_get(json, key));
	struct tm utc;
	char text[32] = "?";
	if (gmtime_r(&seconds, &utc))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &utc);
	fputs(text, stdout);
}

static void print_member(const char *name, const char *text)
{
	char printable[1024];
	format_printable(text, printable, sizeof(printable));
	printf("  %-11s%s\n", name, printable);
}

static void show_validity(const json_t *json)
{
	char when[FORMAT_SIZE];
	double expires = json_number_value(json_object_get(json, "expires"));
	fputs("  valid from ", stdout);
	print_date(json, "valid_from");
	fputs(" to ", stdout);
	print_date(json, "expires");
	printf(" (%s)\n", format_ago(expires, (double)time(NULL), when));
}

static void show_certificate(const json_t *json, bool is_fine)
{
	size_t i;
	json_t *topic;
	print_member("subject", member_text(json, "subject"));
	print_member("issuer", member_text(json, "issuer"));
	json_array_foreach(json_object_get(json, "topics"), i, topic)
		print_member(i ? "" : "topics", json_string_value(topic));
	show_validity(json);
	if (*member_text(json, "key"))
		print_member("its key", member_text(json, "key"));
	else if (is_fine && json_is_true(json_object_get(json, "has_key")))
		puts("  certificate and key match");
	else if (is_fine)
		puts("  no key in this file: `key` of mailpush.conf names the file of the key");
}

static void show_token_key(const json_t *json)
{
	const char *id = member_text(json, "key_id");
	puts("  a key that signs provider tokens: mailpush.conf names it as `p8`, with key_id, "
	     "team_id and topic");
	print_member("key_id", *id ? id : "is not in the file's name; Apple's pages show it");
}

static void show_key(const json_t *json)
{
	size_t i;
	json_t *certificate;
	const json_t *certificates = json_object_get(json, "certificates");
	print_member("algorithm", member_text(json, "algorithm"));
	json_array_foreach((json_t *)certificates, i, certificate)
		print_member(i ? "" : "fits", json_string_value(certificate));
	if (json_array_size(certificates))
		return;
	puts("  the key of a certificate: name both files to see whether they match");
	if (json_is_true(json_object_get(json, "may_sign")))
		puts("  or, if you downloaded it from Apple, one that signs provider tokens: then "
		     "its name ends in .p8");
}

static void show_file(const json_t *json)
{
	static const struct {
		const char *kind;
		const char *words;
	} kinds[] = {{"certificate", "certificate"}, {"pkcs12", "certificate and key, PKCS#12"},
		{"p8", "token key"}, {"key", "private key"}, {"request", "certificate request"}};
	const char *why = member_text(json, "why");
	const char *kind = member_text(json, "kind");
	char printable[1024];
	format_printable(member_text(json, "file"), printable, sizeof(printable));
	printf("%s", printable);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kind, kinds[i].kind))
			printf(": %s", kinds[i].words);
	putchar('\n');
	if (json_object_get(json, "subject"))
		show_certificate(json, !*why);
	else if (!*why && !strcmp(kind, "p8"))
		show_token_key(json);
	else if (!*why && !strcmp(kind, "key"))
		show_key(json);
	if (*why)
		print_member("NOT USABLE", why);
}

enum client_exit show_file_run(char **paths, const char *passphrase_file, bool is_json)
{
	enum client_exit result = CLIENT_FINE;
	size_t i;
	json_t *file;
	json_t *answer = inspect_files(paths, passphrase_file);
	json_array_foreach(answer, i, file)
	{
		const char *error = json_string_value(json_object_get(file, "error"));
		if (error || json_object_get(file, "why"))
			result = CLIENT_FAILED;
		if (error)
			fprintf(stderr, "mailpushctl: %s\n", error);
		else if (is_json)
			show_json(file, true);
		else
			show_file(file);
	}
	json_decref(answer);
	return result;
}
