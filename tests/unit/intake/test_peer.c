#include "intake/peer.h"

#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

static int set_up(void **state)
{
	struct place *place = malloc(sizeof(*place));
	place_init(place);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	place_fini(*state);
	free(*state);
	return 0;
}

static mode_t mode_of(const char *path)
{
	struct stat st;
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	return st.st_mode & 07777;
}

static void bind_ok(const struct place *place, int type, mode_t mode, int *ret_fd)
{
	struct err err;
	int r = peer_bind(place->path, type, mode, (gid_t)-1, ret_fd, &err);
	if (r < 0)
		fail_msg("%s", err.text);
}

static void only_listed_uids_are_allowed(void **state)
{
	(void)state;
	struct peer_rules rules = {0};
	assert_false(peer_is_allowed(&rules, 0));
	peer_allow(&rules, 8);
	assert_true(peer_is_allowed(&rules, 8));
	assert_false(peer_is_allowed(&rules, 0));
}

static void an_uid_allowed_twice_takes_one_place(void **state)
{
	(void)state;
	struct peer_rules rules = {0};
	for (uid_t uid = 0; uid < PEER_UIDS_MAX; uid++)
		peer_allow(&rules, uid);
	peer_allow(&rules, 5);
	assert_int_equal(rules.count, PEER_UIDS_MAX);
}

static void mode_is_exact_whatever_the_umask(void **state)
{
	static const mode_t modes[] = {0660, 0777, 0600};
	static const mode_t masks[] = {0, 022, 0777};
	struct place *place = *state;
	for (size_t i = 0; i < 3; i++) {
		for (size_t j = 0; j < 3; j++) {
			mode_t before = umask(masks[j]);
			int fd;
			bind_ok(place, SOCK_STREAM, modes[i], &fd);
			umask(before);
			assert_int_equal(mode_of(place->path), modes[i]);
			close(fd);
		}
	}
}

static void group_is_as_asked(void **state)
{
	struct place *place = *state;
	gid_t gid = geteuid() == 0 ? 12 : getegid();
	int fd;
	struct err err;
	assert_int_equal(peer_bind(place->path, SOCK_STREAM, 0660, gid, &fd, &err), 0);
	struct stat st;
	assert_int_equal(lstat(place->path, &st), 0);
	assert_int_equal(st.st_gid, gid);
	close(fd);
}

static void a_stale_socket_is_replaced_by_either_type(void **state)
{
	struct place *place = *state;
	int fd;
	bind_ok(place, SOCK_DGRAM, 0600, &fd);
	close(fd);
	bind_ok(place, SOCK_STREAM, 0600, &fd);
	close(fd);
	bind_ok(place, SOCK_DGRAM, 0600, &fd);
	close(place_connect(place->path, SOCK_DGRAM));
	close(fd);
}

static void a_socket_in_use_is_refused_to_either_type(void **state)
{
	static const int types[] = {SOCK_DGRAM, SOCK_STREAM};
	struct place *place = *state;
	for (size_t i = 0; i < 2; i++) {
		int fd;
		bind_ok(place, types[i], 0600, &fd);
		if (types[i] == SOCK_STREAM)
			assert_int_equal(listen(fd, 1), 0);
		for (size_t j = 0; j < 2; j++) {
			struct err err;
			int other = -77;
			assert_int_equal(
				peer_bind(place->path, types[j], 0600, (gid_t)-1, &other, &err),
				-EADDRINUSE);
			assert_int_equal(other, -77);
			assert_non_null(strstr(err.text, place->path));
			assert_non_null(strstr(err.text, "another process serves it"));
		}
		assert_int_equal(mode_of(place->path), 0600);
		close(fd);
	}
}

static void a_listener_with_a_full_backlog_is_in_use(void **state)
{
	struct place *place = *state;
	int fd, other;
	bind_ok(place, SOCK_STREAM, 0600, &fd);
	assert_int_equal(listen(fd, 0), 0);
	int waiting = place_connect(place->path, SOCK_STREAM);
	struct err err;
	assert_int_equal(
		peer_bind(place->path, SOCK_STREAM, 0600, (gid_t)-1, &other, &err), -EADDRINUSE);
	close(waiting);
	close(fd);
}

static void a_file_that_is_no_socket_is_refused(void **state)
{
	struct place *place = *state;
	int file = open(place->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	close(file);
	struct err err;
	int fd;
	assert_int_equal(
		peer_bind(place->path, SOCK_DGRAM, 0600, (gid_t)-1, &fd, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "not a socket"));
	assert_int_equal(access(place->path, F_OK), 0);
}

static void a_link_is_refused_wherever_it_points(void **state)
{
	struct place *place = *state;
	assert_int_equal(symlink("nowhere", place->path), 0);
	struct err err;
	int fd;
	assert_int_equal(
		peer_bind(place->path, SOCK_DGRAM, 0600, (gid_t)-1, &fd, &err), -EADDRINUSE);
}

static void a_missing_folder_and_a_long_path_are_errors(void **state)
{
	(void)state;
	struct err err;
	int fd = -77;
	assert_int_equal(
		peer_bind("/nonexistent/socket", SOCK_DGRAM, 0600, (gid_t)-1, &fd, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/socket"));
	char path[200];
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(peer_bind(path, SOCK_DGRAM, 0600, (gid_t)-1, &fd, &err), -ENAMETOOLONG);
	assert_int_equal(fd, -77);
}

static void the_peer_of_a_stream_is_known(void **state)
{
	struct place *place = *state;
	int listener;
	bind_ok(place, SOCK_STREAM, 0600, &listener);
	assert_int_equal(listen(listener, 1), 0);
	int client = place_connect(place->path, SOCK_STREAM);
	int server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	struct peercred peer = {12345, -1};
	struct err err;
	assert_int_equal(peer_of_stream(server, &peer, &err), 0);
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.pid, KNOWS_PID ? getpid() : 0);
	close(client);
	close(server);
	close(listener);
}

static void the_sender_of_a_datagram_is_known(void **state)
{
	struct place *place = *state;
	int fd;
	if (!peercred_is_sent())
		skip();
	bind_ok(place, SOCK_DGRAM, 0600, &fd);
	int client = place_connect(place->path, SOCK_DGRAM);
	assert_int_equal(send(client, "x", 1, 0), 1);
	char byte;
	_Alignas(struct cmsghdr) char control[PEERCRED_CONTROL_MAX];
	struct iovec piece = {&byte, 1};
	struct msghdr message = {.msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = (socklen_t)peercred_control_size()};
	assert_int_equal(recvmsg(fd, &message, 0), 1);
	struct peercred peer = {12345, -1};
	assert_true(peercred_of_message(&message, &peer));
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.pid, KNOWS_PID ? getpid() : 0);
	close(client);
	close(fd);
}

static void without_credentials_the_sender_is_unknown(void **state)
{
	(void)state;
	struct msghdr message = {0};
	struct peercred peer = {12345, -1};
	assert_false(peercred_of_message(&message, &peer));
	assert_int_equal(peer.uid, 12345);
}

/* The rights of its file decide then. */
static void a_datagram_socket_for_everybody_needs_senders_that_are_known(void **state)
{
	struct place *place = *state;
	struct err err;
	int fd = -77;
	int failed = peer_bind(place->path, SOCK_DGRAM, 0666, (gid_t)-1, &fd, &err);
	assert_int_equal(failed, peercred_is_sent() ? 0 : -EPERM);
	if (failed)
		assert_non_null(strstr(err.text, "socket_mode = 0660"));
	else
		close(fd);
}

static void only_who_asks_for_it_knows_itself(void **state)
{
	(void)state;
	const struct peercred peer = {.pid = getpid()};
	const struct peercred hidden = {.pid = 0};
	const struct peer_rules asks = {.self = getpid()};
	const struct peer_rules does_not = {0};
	assert_true(peer_is_self(&asks, &peer));
	assert_false(peer_is_self(&asks, &hidden));
	assert_false(peer_is_self(&does_not, &peer));
	assert_false(peer_is_self(&does_not, &hidden));
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_listed_uids_are_allowed),
		cmocka_unit_test(an_uid_allowed_twice_takes_one_place),
		cmocka_unit_test(only_who_asks_for_it_knows_itself),
		WITH_PLACE(mode_is_exact_whatever_the_umask),
		WITH_PLACE(group_is_as_asked),
		WITH_PLACE(a_stale_socket_is_replaced_by_either_type),
		WITH_PLACE(a_socket_in_use_is_refused_to_either_type),
		WITH_PLACE(a_listener_with_a_full_backlog_is_in_use),
		WITH_PLACE(a_file_that_is_no_socket_is_refused),
		WITH_PLACE(a_link_is_refused_wherever_it_points),
		WITH_PLACE(a_missing_folder_and_a_long_path_are_errors),
		WITH_PLACE(the_peer_of_a_stream_is_known),
		WITH_PLACE(the_sender_of_a_datagram_is_known),
		WITH_PLACE(a_datagram_socket_for_everybody_needs_senders_that_are_known),
		cmocka_unit_test(without_credentials_the_sender_is_unknown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
