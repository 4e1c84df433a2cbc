#include "sim/behaviour.h"

#include "base/mem.h"
#include "base/random.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

struct behaviour_token {
	char *token; /* the key */
	size_t size;
	struct token_state state;
	char *topic;
	uint64_t times;
};

static void token_free(struct behaviour_token *token)
{
	if (!token)
		return;
	free(token->token);
	free(token->topic);
	free(token);
}

static void forget_tokens(struct behaviour *behaviour)
{
	size_t position = 0;
	struct behaviour_token *token;
	while ((token = map_next(behaviour->tokens, &position)))
		token_free(token);
	map_clear(behaviour->tokens);
}

void behaviour_init(struct behaviour *behaviour)
{
	uint8_t seed[RANDOM_SEED_SIZE];
	random_seed(seed);
	*behaviour = (struct behaviour){.tokens = map_new(seed)};
	behaviour_clear(behaviour);
}

void behaviour_fini(struct behaviour *behaviour)
{
	forget_tokens(behaviour);
	map_free(behaviour->tokens);
	behaviour->tokens = NULL;
}

void behaviour_clear(struct behaviour *behaviour)
{
	forget_tokens(behaviour);
	*behaviour = (struct behaviour){
		.tokens = behaviour->tokens,
		.max_concurrent_streams = BEHAVIOUR_MAX_CONCURRENT_STREAMS,
		.initial_window_size = BEHAVIOUR_INITIAL_WINDOW_SIZE,
		.header_table_size = BEHAVIOUR_HEADER_TABLE_SIZE,
		.max_frame_size = BEHAVIOUR_MAX_FRAME_SIZE,
		.provider_lifetime_ms = BEHAVIOUR_PROVIDER_LIFETIME_MS,
		.provider_update_least_ms = BEHAVIOUR_PROVIDER_UPDATE_LEAST_MS,
	};
}

static struct behaviour_token *find(
	const struct behaviour *behaviour, const char *token, size_t size)
{
	char lower[SERVICE_TOKEN_MAX];
	if (!map_count(behaviour->tokens) || size > sizeof(lower))
		return NULL;
	for (size_t i = 0; i < size; i++)
		lower[i] = (char)tolower((unsigned char)token[i]);
	return map_get(behaviour->tokens, lower, size);
}

static struct behaviour_token *find_or_add(struct behaviour *behaviour, const char *text)
{
	size_t size = strlen(text);
	assert(size <= SERVICE_TOKEN_MAX);
	struct behaviour_token *token = find(behaviour, text, size);
	if (token || map_count(behaviour->tokens) >= BEHAVIOUR_TOKENS_MAX)
		return token;

	token = mem_alloc_zero(1, sizeof(*token));
	token->token = mem_dup_n(text, size);
	token->size = size;
	for (size_t i = 0; i < size; i++)
		token->token[i] = (char)tolower((unsigned char)text[i]);
	map_add(behaviour->tokens, token->token, size, token);
	return token;
}

static void forget_if_plain(struct behaviour *behaviour, struct behaviour_token *token)
{
	if (token->state.has_verdict || token->topic)
		return;
	map_remove(behaviour->tokens, token->token, token->size);
	token_free(token);
}

bool behaviour_set_token(struct behaviour *behaviour, const char *text,
	const struct verdict *verdict, uint64_t times)
{
	struct behaviour_token *token = find_or_add(behaviour, text);
	if (!token)
		return false;
	token->state.has_verdict = times > 0;
	token->state.verdict = *verdict;
	token->times = times;
	forget_if_plain(behaviour, token);
	return true;
}

bool behaviour_set_topic(struct behaviour *behaviour, const char *text, const char *topic)
{
	struct behaviour_token *token = find_or_add(behaviour, text);
	if (!token)
		return false;
	free(token->topic);
	token->topic = topic ? mem_dup(topic) : NULL;
	token->state.topic = token->topic;
	forget_if_plain(behaviour, token);
	return true;
}

bool behaviour_add_next(struct behaviour *behaviour, const struct verdict *verdict, uint64_t count)
{
	if (!count)
		return true;
	if (behaviour->nexts == BEHAVIOUR_NEXT_MAX)
		return false;
	behaviour->next[behaviour->nexts].count = count;
	behaviour->next[behaviour->nexts].verdict = *verdict;
	behaviour->nexts++;
	return true;
}

struct arrival behaviour_arrived(struct behaviour *behaviour)
{
	struct arrival arrival = {.what = ARRIVAL_ANSWER};
	if (behaviour->has_goaway && --behaviour->goaway_after == 0) {
		behaviour->has_goaway = false;
		arrival.is_goaway = true;
	}
	if (behaviour->has_reset && --behaviour->reset_after == 0) {
		behaviour->has_reset = false;
		arrival.what = ARRIVAL_RESET;
	} else if (behaviour->refuse_streams) {
		behaviour->refuse_streams--;
		arrival.what = ARRIVAL_RST_STREAM;
		arrival.rst_code = 7; /* REFUSED_STREAM */
	} else if (behaviour->rst_streams) {
		behaviour->rst_streams--;
		arrival.what = ARRIVAL_RST_STREAM;
		arrival.rst_code = behaviour->rst_code;
	}
	return arrival;
}

void behaviour_decide(struct behaviour *behaviour, const struct request *request,
	const struct peer *peer, struct verdict *ret)
{
	if (behaviour->nexts && !service_is_trial(request)) {
		*ret = behaviour->next[0].verdict;
		if (--behaviour->next[0].count == 0) {
			behaviour->nexts--;
			memmove(behaviour->next, behaviour->next + 1,
				behaviour->nexts * sizeof(behaviour->next[0]));
		}
		return;
	}

	struct text text = service_token(request);
	struct behaviour_token *token = text.bytes ? find(behaviour, text.bytes, text.size) : NULL;
	bool used = service_check(request, peer, token ? &token->state : NULL, ret);
	if (used && token->times != BEHAVIOUR_FOREVER && --token->times == 0) {
		token->state.has_verdict = false;
		forget_if_plain(behaviour, token);
	}
}
