#include "intake/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void nobody_takes_more_than_its_share(void **state)
{
	(void)state;
	struct peer_guests guests;
	peer_guests_init(&guests, 2, 100);
	assert_true(peer_guests_enter(&guests, 7));
	assert_true(peer_guests_enter(&guests, 7));
	assert_false(peer_guests_enter(&guests, 7));
	assert_true(peer_guests_enter(&guests, 8));
	peer_guests_leave(&guests, 7);
	assert_true(peer_guests_enter(&guests, 7));
	assert_false(peer_guests_enter(&guests, 7));
	peer_guests_fini(&guests);
}

static void all_together_take_no_more_than_theirs(void **state)
{
	(void)state;
	struct peer_guests guests;
	peer_guests_init(&guests, 64, 20);
	for (uid_t uid = 1; uid <= 20; uid++)
		assert_true(peer_guests_enter(&guests, uid));
	assert_false(peer_guests_enter(&guests, 1));
	assert_false(peer_guests_enter(&guests, 21));
	for (uid_t uid = 1; uid <= 20; uid++)
		peer_guests_leave(&guests, uid);
	assert_int_equal(guests.all, 0);
	assert_int_equal(guests.count, 0);
	assert_true(peer_guests_enter(&guests, 21));
	peer_guests_fini(&guests);
}

static void there_may_be_none(void **state)
{
	(void)state;
	struct peer_guests guests;
	peer_guests_init(&guests, 64, 0);
	assert_false(peer_guests_enter(&guests, 1));
	peer_guests_fini(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_takes_more_than_its_share),
		cmocka_unit_test(all_together_take_no_more_than_theirs),
		cmocka_unit_test(there_may_be_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
