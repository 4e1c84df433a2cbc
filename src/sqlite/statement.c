#include "sqlite/statement.h"

#include "sqlite/schema.h"

#define TARGET_COLUMNS                                                                      \
	"r.key, r.user, r.device_token, r.account_id, r.topic, r.aps_version, r.confirmed," \
	" r.inbox_only, r.renewed_ms, r.suspended_ms"
#define ROW_COLUMNS                                                                      \
	TARGET_COLUMNS ", r.stopped_reason, r.subtopic, r.created_ms, r.superseded_ms, " \
		       "r.is_nudged"

/* What a change of a mailbox may touch: registrations that were not renewed after it (?2). */
#define NOT_RENEWED_SINCE                                \
	"(SELECT r.renewed_ms <= ?2 FROM registration r" \
	" WHERE r.id = subscription.registration)"

#define TOMBSTONE_COLUMNS                                                                    \
	"f.id, f.key, f.user, f.device_token, f.account_id, f.topic, f.renewed_ms, f.at_ms," \
	" f.why, f.status, f.reason,"                                                        \
	" EXISTS (SELECT 1 FROM registration r WHERE r.key = f.key)"
#define LEAVE_TOMBSTONE                                                                       \
	"INSERT OR REPLACE INTO forgotten (key, site, user, device_token, account_id, topic," \
	" renewed_ms, at_ms, why, status, reason)"                                            \
	" SELECT key, site, user, device_token, account_id, topic, renewed_ms,"               \
	" ?2, ?3, ?4, coalesce(nullif(?5, ''), stopped_reason, '') FROM registration"

/* How many; from registration_state alone. */
#define IN_STATE(state)                                                     \
	" (SELECT count(*) FROM registration INDEXED BY registration_state" \
	"  WHERE site = ?1 AND (" SCHEMA_IS_NOT_ACTIVE ") AND " SCHEMA_STATE " = " state ")"

#define RETURNING_LOST                                                                          \
	" RETURNING (SELECT r.key FROM registration r WHERE r.id = subscription.registration)," \
	" hash"

const char *const statement_sql[STATEMENT_COUNT] = {
	[STATEMENT_BEGIN_READ] = "BEGIN",
	[STATEMENT_BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_MATCH] =
		"SELECT s.hash, " TARGET_COLUMNS
		" FROM subscription s CROSS JOIN registration r ON r.id = s.registration"
		" WHERE s.site = ?1 AND s.owner = ?2 AND s.folder = ?3"
		" AND r.stopped_reason IS NULL ORDER BY s.registration",
	[STATEMENT_LOAD_USER] =
		"SELECT " ROW_COLUMNS " FROM registration r INDEXED BY registration_user"
		" WHERE r.site = ?1 AND r.user = ?2",
	[STATEMENT_LOAD_LIST] =
		"SELECT s.name, s.owner, s.folder, s.hash FROM subscription s"
		" WHERE s.registration = (SELECT id FROM registration WHERE key = ?1)"
		" ORDER BY s.name",
	[STATEMENT_LOAD_KEY] =
		"SELECT " ROW_COLUMNS " FROM registration r WHERE r.key = ?2 AND r.site = ?1",
	[STATEMENT_LIST] = "SELECT " ROW_COLUMNS " FROM registration r INDEXED BY registration_user"
			   " WHERE r.site = ?1 AND r.user >= ?2 AND (r.user > ?2 OR r.key > ?3)"
			   " ORDER BY r.user, r.key",
	[STATEMENT_COUNT_ALL] =
		"SELECT (SELECT count(*) FROM registration INDEXED BY registration_renewed"
		"  WHERE site = ?1)," IN_STATE("1") "," IN_STATE("2") "," IN_STATE(
			"3") ","
			     " (SELECT page_count * page_size FROM pragma_page_count(), "
			     "pragma_page_size())",
	[STATEMENT_FIND_ID] = "SELECT id FROM registration WHERE key = ?1",
	[STATEMENT_PUT] =
		"INSERT INTO registration (site, key, user, device_token, account_id, topic,"
		" aps_version, confirmed, inbox_only, renewed_ms, suspended_ms, stopped_reason,"
		" subtopic, created_ms, superseded_ms, is_nudged)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
		" ON CONFLICT (key) DO UPDATE SET site = ?1, user = ?3, device_token = ?4,"
		" account_id = ?5,"
		" subtopic = ?13, topic = ?6, aps_version = ?7, confirmed = ?8,"
		" inbox_only = ?9, renewed_ms = ?10, suspended_ms = ?11, stopped_reason = ?12,"
		" created_ms = ?14, superseded_ms = ?15, is_nudged = ?16",
	[STATEMENT_CLEAR_LIST] = "DELETE FROM subscription WHERE registration = ?1",
	[STATEMENT_SUBSCRIBE] =
		"INSERT INTO subscription (site, registration, name, owner, folder, hash)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[STATEMENT_REMOVE] = "DELETE FROM registration WHERE id = ?1",
	[STATEMENT_OWNER_SUSPENDED] =
		"UPDATE registration INDEXED BY registration_user SET suspended_ms = ?2"
		" WHERE site = ?1 AND user = ?3 AND renewed_ms <= ?2 AND suspended_ms <= ?2"
		" RETURNING key",
	[STATEMENT_OWNER_DROPPED] =
		"DELETE FROM subscription WHERE site = ?1 AND owner = ?3"
		" AND (SELECT r.user <> ?3 FROM registration r"
		" WHERE r.id = subscription.registration) AND " NOT_RENEWED_SINCE RETURNING_LOST,
	[STATEMENT_FOLDER_DROPPED] = "DELETE FROM subscription WHERE site = ?1 AND owner = ?3"
				     " AND folder = ?4 AND " NOT_RENEWED_SINCE RETURNING_LOST,
	/* ?7 to ?8: all that begins with the folder and a separator (?9).  What is at the new place
	   already was moved before: a rename may lead below itself, and is done again after a
	   crash. */
	[STATEMENT_FOLDER_MOVED] =
		"UPDATE subscription SET owner = ?5,"
		" folder = ?6 || substr(folder, length(?4) + 1)"
		" WHERE site = ?1 AND owner = ?3 AND folder >= ?4 AND folder < ?8"
		" AND (folder = ?4 OR folder >= ?7)"
		" AND NOT (?5 = ?3 AND substr(folder || ?9, 1, length(?6) + 1) = ?6 || ?9)"
		" AND " NOT_RENEWED_SINCE,
	[STATEMENT_FORGET] =
		"DELETE FROM registration INDEXED BY registration_token"
		" WHERE site = ?1 AND device_token = ?2 AND topic = ?3 AND renewed_ms < ?4"
		" RETURNING id, key",
	[STATEMENT_STOP] =
		"UPDATE registration INDEXED BY registration_token SET stopped_reason = ?5"
		" WHERE site = ?1 AND device_token = ?2 AND topic = ?3 AND renewed_ms < ?4"
		" RETURNING id, key",
	[STATEMENT_FIND_SUSPENDED] = "SELECT user, max(suspended_ms) FROM registration"
				     " INDEXED BY registration_suspended"
				     " WHERE site = ?1 AND suspended_ms > 0 GROUP BY user",
	[STATEMENT_RESUME] = "UPDATE registration INDEXED BY registration_user SET suspended_ms = 0"
			     " WHERE site = ?1 AND user = ?2"
			     " AND suspended_ms BETWEEN 1 AND ?3 RETURNING key",
	[STATEMENT_CENSUS] = "SELECT (SELECT count(*) FROM registration WHERE site = ?1),"
			     " (SELECT coalesce(max(renewed_ms), 0) FROM registration"
			     "  WHERE site = ?1)",
	[STATEMENT_LOAD_ROUND] = "SELECT seen_ms, spared_until_ms, tidied_day, tidied_count"
				 " FROM site WHERE id = ?1",
	/* Beyond ?2 a time is from a wrong clock, and becomes ?3.  Each part has an index of its
	   own. */
	[STATEMENT_PUT_RIGHT] =
		"UPDATE registration SET"
		" renewed_ms = CASE WHEN renewed_ms > ?2 THEN ?3 ELSE renewed_ms END,"
		" suspended_ms = CASE WHEN suspended_ms > ?2 THEN ?3 ELSE suspended_ms END,"
		" created_ms = CASE WHEN created_ms > ?2 THEN ?3 ELSE created_ms END,"
		" superseded_ms = CASE WHEN superseded_ms > ?2 THEN ?3 ELSE superseded_ms END"
		" WHERE (site = ?1 AND renewed_ms > ?2)"
		" OR (site = ?1 AND suspended_ms > 0 AND suspended_ms > ?2)"
		" OR (site = ?1 AND (" SCHEMA_IS_NOT_ACTIVE ") AND superseded_ms > ?2)",
	[STATEMENT_PUT_TIDIED] = "UPDATE site SET tidied_day = ?2, tidied_count = ?3 WHERE id = ?1",
	[STATEMENT_CLAIM_ROUND] = "UPDATE site SET seen_ms = ?3, spared_until_ms = ?4"
				  " WHERE id = ?1 AND seen_ms = ?2",
	[STATEMENT_FIND_EXPIRED] =
		"SELECT key FROM registration INDEXED BY registration_renewed"
		" WHERE site = ?1 AND renewed_ms < ?2 ORDER BY renewed_ms LIMIT ?3",
	[STATEMENT_COUNT_EXPIRED] =
		"SELECT count(*) FROM registration INDEXED BY registration_renewed"
		" WHERE site = ?1 AND renewed_ms < ?2",
	[STATEMENT_FIND_LONGEST_SUSPENDED] =
		"SELECT key FROM registration INDEXED BY registration_suspended"
		" WHERE site = ?1 AND suspended_ms > 0 AND suspended_ms < ?2"
		" ORDER BY suspended_ms LIMIT ?3",
	[STATEMENT_FIND_NUDGES] =
		"SELECT s.hash, " TARGET_COLUMNS ", r.id"
		" FROM (SELECT * FROM registration INDEXED BY registration_renewed"
		"  WHERE site = ?1 AND renewed_ms < ?2 AND is_nudged = 0"
		"  AND suspended_ms = 0 AND stopped_reason IS NULL"
		"  AND EXISTS (SELECT 1 FROM subscription s WHERE s.registration = id)"
		"  ORDER BY renewed_ms LIMIT ?3) r"
		" JOIN subscription s ON s.registration = r.id"
		" ORDER BY r.renewed_ms, r.id, s.name",
	[STATEMENT_MARK_NUDGED] = "UPDATE registration SET is_nudged = 1 WHERE id = ?1",
	[STATEMENT_TOMBSTONE_KEY] = LEAVE_TOMBSTONE " WHERE site = ?1 AND key = ?6",
	[STATEMENT_TOMBSTONE_TOKEN] =
		LEAVE_TOMBSTONE " INDEXED BY registration_token WHERE site = ?1"
				" AND device_token = ?6 AND topic = ?7 AND renewed_ms < ?8",
	[STATEMENT_LIST_TOMBSTONES] =
		"SELECT " TOMBSTONE_COLUMNS " FROM forgotten f"
		" WHERE f.site = ?1 AND f.id < ?2 ORDER BY f.id DESC LIMIT ?3",
	[STATEMENT_LIST_TOMBSTONES_OF] =
		"SELECT " TOMBSTONE_COLUMNS " FROM forgotten f INDEXED BY forgotten_user"
		" WHERE f.site = ?1 AND f.user = ?4 AND f.id < ?2 ORDER BY f.id DESC LIMIT ?3",
	[STATEMENT_REMOVE_TOMBSTONES] = "DELETE FROM forgotten WHERE site = ?1 AND user = ?2",
	[STATEMENT_PRUNE_TOMBSTONES] = "DELETE FROM forgotten WHERE site = ?1 AND at_ms < ?2",
	[STATEMENT_PUT_TOMBSTONES_RIGHT] =
		"UPDATE forgotten SET at_ms = ?3 WHERE site = ?1 AND at_ms > ?2",
};
