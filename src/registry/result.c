#include "registry/result.h"

#include <string.h>

/* Arrays grow at each power of two; the first match and its first hash have room in the job. */
static bool is_full(size_t count)
{
	return (count & (count - 1)) == 0;
}

static size_t grown(size_t count)
{
	return count ? 2 * count : 1;
}

/* For one more match. */
static void make_room(struct registry_job *job)
{
	if (job->match_count == 0) {
		job->matches = &job->one_match;
	} else if (job->match_count == 1) {
		job->matches = mem_realloc_array(NULL, grown(1), sizeof(*job->matches));
		job->matches[0] = job->one_match;
	} else if (is_full(job->match_count)) {
		job->matches = mem_realloc_array(
			job->matches, grown(job->match_count), sizeof(*job->matches));
	}
}

struct registry_match *result_add_match(
	struct registry_job *job, const struct registry_row *row, size_t hashes)
{
	make_room(job);
	bool is_first = job->match_count == 0;
	struct registry_match *match = &job->matches[job->match_count++];
	*match = (struct registry_match){
		.target = push_target_new(&row->key, row->user, row->token, row->account_id,
			row->topic, row->aps_version, row->confirmed, row->inbox_only,
			row->renewed_ms),
	};
	size_t room = 1;
	while (room < hashes)
		room = grown(room);
	match->hashes = is_first && room == 1
		? job->one_hash
		: mem_realloc_array(NULL, room, sizeof(*match->hashes));
	return match;
}

void result_add_hash(struct registry_job *job, const char *hash)
{
	struct registry_match *match = result_last_match(job);
	if (match->hashes == job->one_hash && match->hash_count == 1) {
		match->hashes = mem_realloc_array(NULL, grown(1), sizeof(*match->hashes));
		memcpy(match->hashes, job->one_hash, sizeof(job->one_hash));
	} else if (match->hash_count > 0 && is_full(match->hash_count)) {
		match->hashes = mem_realloc_array(
			match->hashes, grown(match->hash_count), sizeof(*match->hashes));
	}
	char *to = match->hashes[match->hash_count++];
	strncpy(to, hash, MAILBOX_HASH_SIZE - 1);
	to[MAILBOX_HASH_SIZE - 1] = '\0';
}

struct registry_match *result_last_match(struct registry_job *job)
{
	return job->match_count ? &job->matches[job->match_count - 1] : NULL;
}

void result_add_effect(struct registry_job *job, enum registry_effect_kind kind,
	const struct registry_key *key, const char *hash)
{
	if (is_full(job->effect_count))
		job->effects = mem_realloc_array(
			job->effects, grown(job->effect_count), sizeof(*job->effects));
	struct registry_effect *effect = &job->effects[job->effect_count++];
	*effect = (struct registry_effect){.kind = kind, .key = *key};
	if (hash)
		memcpy(effect->hash, hash, strnlen(hash, MAILBOX_HASH_SIZE - 1));
}

void result_add_gone(struct registry_job *job, const struct registry_key *key)
{
	if (is_full(job->gone_count))
		job->gone =
			mem_realloc_array(job->gone, grown(job->gone_count), sizeof(*job->gone));
	job->gone[job->gone_count++] = *key;
}

/* Looks at the first `count` that `job` has. */
static bool has_match(
	const struct registry_job *job, size_t count, const struct registry_match *match)
{
	for (size_t i = 0; i < count; i++) {
		if (!memcmp(&job->matches[i].target->key, &match->target->key,
			    sizeof(match->target->key)) &&
			job->matches[i].reading == match->reading)
			return true;
	}
	return false;
}

static bool has_effect(
	const struct registry_job *job, size_t count, const struct registry_effect *effect)
{
	for (size_t i = 0; i < count; i++) {
		const struct registry_effect *other = &job->effects[i];
		if (other->kind == effect->kind &&
			!memcmp(&other->key, &effect->key, sizeof(other->key)) &&
			!strcmp(other->hash, effect->hash))
			return true;
	}
	return false;
}

static bool has_gone(const struct registry_job *job, size_t count, const struct registry_key *key)
{
	for (size_t i = 0; i < count; i++) {
		if (!memcmp(&job->gone[i], key, sizeof(*key)))
			return true;
	}
	return false;
}

/* Of the same match one stays, as of the same effect, and of the same key that is gone. */
static void move_matches(struct registry_job *from, struct registry_job *to)
{
	size_t known = to->match_count;
	for (size_t i = 0; i < from->match_count; i++) {
		struct registry_match *match = &from->matches[i];
		if (has_match(to, known, match))
			continue;
		make_room(to);
		struct registry_match *moved = &to->matches[to->match_count++];
		*moved = *match;
		if (match->hashes == from->one_hash) {
			moved->hashes = mem_realloc_array(NULL, 1, sizeof(*moved->hashes));
			memcpy(moved->hashes, from->one_hash, sizeof(from->one_hash));
		}
		match->target = NULL;
		match->hashes = NULL;
	}
}

static void move(struct registry_job *from, struct registry_job *to)
{
	size_t known_effects = to->effect_count;
	size_t known_gone = to->gone_count;
	for (size_t i = 0; i < from->effect_count; i++) {
		const struct registry_effect *effect = &from->effects[i];
		if (!has_effect(to, known_effects, effect))
			result_add_effect(to, effect->kind, &effect->key, effect->hash);
	}
	for (size_t i = 0; i < from->gone_count; i++) {
		if (!has_gone(to, known_gone, &from->gone[i]))
			result_add_gone(to, &from->gone[i]);
	}
	if (!to->moved_ms)
		to->moved_ms = from->moved_ms;
	registry_job_undo(from);
}

void result_keep(struct registry_job *job)
{
	if (!job->match_count && !job->effect_count && !job->gone_count && !job->moved_ms)
		return;
	if (!job->kept)
		job->kept = mem_alloc_zero(1, sizeof(*job->kept));
	/* An import that was taken has a match. */
	if (job->match_count)
		job->kept->imported = job->imported;
	/* A registration that is there finds itself again. */
	if (job->kind != REGISTRY_REGISTER)
		move_matches(job, job->kept);
	move(job, job->kept);
}

void result_spare_kept(struct registry_job *job, const bool *is_alive)
{
	struct registry_job *kept = job->kept;
	size_t left = 0;
	for (size_t i = 0; i < kept->gone_count; i++) {
		if (!is_alive[i])
			kept->gone[left++] = kept->gone[i];
	}
	kept->gone_count = left;
}

void result_add_kept(struct registry_job *job)
{
	if (!job->kept)
		return;
	bool is_import = job->kind == REGISTRY_IMPORT;
	bool finds_itself = is_import && job->imported == REGISTRY_IMPORTED_KNOWN;
	if (finds_itself && job->kept->match_count)
		job->imported = job->kept->imported;
	if (!is_import || finds_itself)
		move_matches(job->kept, job);
	move(job->kept, job);
	free(mem_steal(job->kept));
}
