#include "dovecot/push_command.h"

#include "base/clock.h"
#include "dovecot/json_text.h"
#include "dovecot/place.h"
#include "dovecot/question.h"
#include "dovecot/registration.h"
#include "dovecot/session.h"
#include "event/bounds.h"
#include "event/field.h"

#include <array.h>
#include <guid.h>
#include <hash.h>
#include <imap-arg.h>
#include <imap-utf7.h>
#include <ostream.h>
#include <str.h>

#define REQUEST_MAX (256 * 1024 - 4096) /* bytes of JSON; mailpushd takes 256 KiB */
#define TOPIC_MS CLOCK_MINUTE_MS	/* for which it holds that a domain has one */
#define NOT_AVAILABLE "NO [UNAVAILABLE] Push is not available now"

/* ---- is it offered? ---- */

/* Of users of one domain mailpushd says the same. */
static const char *domain_of(const struct mail_user *user)
{
	const char *at = strrchr(user->username, '@');
	return at ? at + 1 : "";
}

static bool has_topic(struct mail_user *user, const struct session *session)
{
	/* Of this process, which has one daemon: the last domain that had a topic. */
	static char had_domain[MAILBOX_USER_MAX + 1];
	static int64_t had_until_ms;
	int64_t now_ms = clock_monotonic_ms();
	const char *domain = domain_of(user);
	if (now_ms < had_until_ms && !strcasecmp(domain, had_domain))
		return true;
	buf_auto struct buf json;
	buf_init(&json);
	char topic[DAEMON_CLIENT_VALUE_SIZE];
	struct err err;
	json_text_begin(&json, "Topic", user->username);
	json_text_end(&json);
	if (delivery_is_silent(&session->way) ||
		delivery_ask(&session->way, json.data, json.used, topic, &err) || !*topic)
		return false;
	if (strlen(domain) < sizeof(had_domain)) {
		strcpy(had_domain, domain);
		had_until_ms = now_ms + TOPIC_MS;
	}
	return true;
}

static bool lacks_tls(const struct session *session, const struct mail_user *user)
{
	return session->settings.require_tls && !api_has_tls(user);
}

bool push_command_is_offered(struct client *client)
{
	const struct session *session = session_of(client->user);
	return session && !lacks_tls(session, client->user) && has_topic(client->user, session);
}

/* ---- mailboxes ---- */

struct listed {
	const char *typed;
	bool is_own;
};

/* The registration on its way to mailpushd, and the names to confirm when it is there. */
struct request {
	struct client_command_context *cmd;
	struct buf json;
	ARRAY(struct listed) listed;
	bool has_inbox;
	unsigned version;
	struct question *question;
	const char *topic; /* the answer; NULL: none */
	bool is_own_alone; /* it says that others' mailboxes do not count */
};

/* As IMAP's modified UTF-7, also from who sends UTF-8.  NULL: mailpushd takes no such name. */
static const char *in_utf7(const char *typed)
{
	const char *encoded = typed;
	bool is_utf8 = false;
	for (const char *c = typed; *c; c++)
		is_utf8 |= (unsigned char)*c >= 0x80;
	if (is_utf8 && t_imap_utf8_to_utf7(typed, &encoded) < 0)
		return NULL;
	struct field name = {encoded, strlen(encoded)};
	return field_is_name_or_empty(name, MAILBOX_NAME_MAX) && name.size ? encoded : NULL;
}

/* The phone needs INBOX, wherever it stands in a list that is too long. */
static bool has_room(const struct request *request, const char *typed, size_t more)
{
	bool is_inbox = !strcasecmp(typed, "INBOX");
	size_t reserved = is_inbox || request->has_inbox ? 0 : 1;
	return array_count(&request->listed) + reserved < EVENT_MAILBOXES_MAX &&
		request->json.used + more + reserved * 1024 < REQUEST_MAX;
}

/* JSON writes a byte as six at most. */
#define MEMBER_MAX(text) (6 * strlen(text) + 16)

static void add_mailbox(
	struct request *request, struct mailbox *box, const char *typed, const char *name)
{
	struct mailbox_metadata metadata;
	struct place place;
	if (!place_of(box, &place))
		return;
	bool has_guid = !mailbox_get_metadata(box, MAILBOX_METADATA_GUID, &metadata);
	size_t size = MEMBER_MAX(name) + MEMBER_MAX(place.owner) + MEMBER_MAX(place.folder) + 64;
	if (!has_room(request, typed, size))
		return;
	json_text_open_object(&request->json);
	json_text_add(&request->json, "name", name);
	json_text_add(&request->json, "owner", place.owner);
	json_text_add(&request->json, "folder", place.folder);
	json_text_add(&request->json, "guid", has_guid ? guid_128_to_string(metadata.guid) : NULL);
	json_text_close_object(&request->json);
	struct listed listed = {.typed = p_strdup(request->cmd->pool, typed),
		.is_own = !strcasecmp(place.owner, request->cmd->client->user->username)};
	array_push_back(&request->listed, &listed);
	request->has_inbox |= !strcasecmp(typed, "INBOX");
}

/*
 * What does not exist and what the user may not read cannot be opened, with the ACL plugin and
 * without, and is left out.
 */
static void look_at_mailbox(
	struct client_command_context *cmd, const char *typed, struct request *request)
{
	const char *name = typed;
	const char *encoded = in_utf7(typed);
	/* To open one takes time. */
	if (!encoded || !has_room(request, typed, 0))
		return;
	struct mail_namespace *ns = imap_api_namespace(cmd, &name);
	if (!ns)
		return;
	struct mailbox *box = mailbox_alloc(ns->list, name, MAILBOX_FLAG_READONLY);
	if (!mailbox_open(box))
		add_mailbox(request, box, typed, encoded);
	mailbox_free(&box);
}

static void look_at_mailboxes(struct client_command_context *cmd,
	const struct registration *registration, struct request *request)
{
	const struct imap_arg *mailbox = registration->mailboxes;
	if (registration->version == 1) {
		look_at_mailbox(cmd, "INBOX", request);
		return;
	}
	HASH_TABLE(char *, char *) seen;
	hash_table_create(&seen, default_pool, 0, str_hash, strcmp);
	for (; mailbox && !IMAP_ARG_IS_EOL(mailbox); mailbox++)
		T_BEGIN
		{
			char *typed = (char *)(uintptr_t)imap_arg_as_astring(mailbox);
			if (!hash_table_lookup(seen, typed)) {
				hash_table_insert(seen, typed, typed);
				look_at_mailbox(cmd, typed, request);
			}
		}
	T_END;
	hash_table_destroy(&seen);
}

/* ---- the answer ---- */

/* As Cyrus writes a string: quoted if it can be, else a literal. */
static void append_string(string_t *line, const char *text)
{
	bool is_quotable = true;
	for (const char *c = text; *c; c++)
		is_quotable = is_quotable && (unsigned char)*c < 0x80 && *c != '\r' && *c != '\n';
	if (!is_quotable) {
		str_printfa(line, "{%zu}\r\n%s", strlen(text), text);
		return;
	}
	str_append_c(line, '"');
	for (const char *c = text; *c; c++) {
		if (*c == '"' || *c == '\\')
			str_append_c(line, '\\');
		str_append_c(line, (unsigned char)*c);
	}
	str_append_c(line, '"');
}

static void confirm(struct client *client, const struct request *request)
{
	const struct listed *listed;
	string_t *line = t_str_new(256);
	array_foreach(&request->listed, listed)
	{
		/* With version 1 the phone keeps no list. */
		if (request->version == 1)
			break;
		if (request->is_own_alone && !listed->is_own)
			continue;
		str_truncate(line, 0);
		str_append(line, "* " PUSH_COMMAND " \"mailbox\" ");
		append_string(line, listed->typed);
		client_send_line(client, str_c(line));
	}
	str_truncate(line, 0);
	str_printfa(
		line, "* " PUSH_COMMAND " \"aps-version\" \"%u\" \"aps-topic\" ", request->version);
	append_string(line, request->topic);
	client_send_line(client, str_c(line));
}

/* It is answered and the output is free, or the client went before that. */
static bool finish(struct client_command_context *cmd)
{
	struct request *request = cmd->context;
	question_cancel(&request->question);
	buf_fini(&request->json);
	if (cmd->cancel)
		return true;
	if (!request->topic) {
		client_send_tagline(cmd, NOT_AVAILABLE);
		return true;
	}
	confirm(cmd->client, request);
	client_send_tagline(cmd, "OK " PUSH_COMMAND " completed.");
	return true;
}

/* The topic, and whether only the user's own mailboxes count. */
static void take_answer(struct request *request, const char *answer)
{
	static const char own[] = " own";
	size_t size = strlen(answer);
	size_t own_size = strlen(own);
	request->is_own_alone = size >= own_size && !strcmp(answer + size - own_size, own);
	if (request->is_own_alone)
		size -= own_size;
	request->topic = size ? p_strndup(request->cmd->pool, answer, size) : NULL;
}

static void on_answer(void *ctx, const char *answer, const struct err *err)
{
	struct request *request = ctx;
	struct client_command_context *cmd = request->cmd;
	struct client *client = cmd->client;
	request->question = NULL;
	if (answer)
		take_answer(request, answer);
	if (!request->topic)
		e_error(client->user->event, "mailpush: a phone could not register: %s",
			answer ? "mailpushd named no topic" : err->text);
	/* Another command has begun a literal; Dovecot calls `finish` when that is sent. */
	if (client->output_cmd_lock) {
		cmd->state = CLIENT_COMMAND_STATE_WAIT_OUTPUT;
		o_stream_set_flush_pending(client->output, TRUE);
		return;
	}
	o_stream_cork(client->output);
	(void)command_exec(cmd);
	client_command_free(&cmd);
	(void)cmd_sync_delayed(client);
	o_stream_uncork(client->output);
	/* A LOGOUT that waited frees the client. */
	client_continue_pending_input(client);
}

/*
 * The command goes on when mailpushd has answered; meanwhile the client may send others, of which
 * LOGOUT and the like wait (IMAP_API_ENDS_BEFORE_LOGOUT).
 */
static void ask(struct client_command_context *cmd, const struct session *session,
	const struct registration *registration)
{
	struct mail_user *user = cmd->client->user;
	struct request *request = p_new(cmd->pool, struct request, 1);
	request->cmd = cmd;
	request->version = registration->version;
	p_array_init(&request->listed, cmd->pool, 16);
	json_text_begin(&request->json, "Register", user->username);
	json_text_add_number(&request->json, "version", registration->version);
	json_text_add(&request->json, "account_id", registration->account_id);
	json_text_add(&request->json, "device_token", registration->device_token);
	json_text_add(&request->json, "subtopic", registration->subtopic);
	json_text_open_list(&request->json, "mailboxes");
	look_at_mailboxes(cmd, registration, request);
	json_text_close_list(&request->json);
	json_text_end(&request->json);
	request->question = question_ask(
		&session->way, request->json.data, request->json.used, on_answer, request);
	cmd->context = request;
	cmd->func = finish;
	cmd->state = CLIENT_COMMAND_STATE_WAIT_EXTERNAL;
}

bool push_command(struct client_command_context *cmd)
{
	const struct imap_arg *args;
	struct registration registration;
	const char *error;
	struct mail_user *user = cmd->client->user;
	const struct session *session = session_of(user);
	/* More of it will come, or the client has the answer that says what is wrong. */
	if (!client_read_args(cmd, 0, 0, &args))
		return false;
	if (!session) {
		client_send_tagline(cmd, NOT_AVAILABLE);
	} else if (lacks_tls(session, user)) {
		client_send_tagline(cmd, "NO [PRIVACYREQUIRED] Push needs TLS");
	} else if (registration_read(args, &registration, &error)) {
		ask(cmd, session, &registration);
		return false;
	} else if (!strncmp(error, "BAD ", 4)) {
		client_send_command_error(cmd, error + 4);
	} else {
		client_send_tagline(cmd, error);
	}
	return true;
}
