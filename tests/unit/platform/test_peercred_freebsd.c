#include "platform/peercred.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GROUPS 5

static struct {
	_Alignas(struct cmsghdr) char control[PEERCRED_CONTROL_MAX];
	struct msghdr message;
} came;

int getpeereid(int fd, uid_t *ret_uid, gid_t *ret_gid)
{
	*ret_gid = 0;
	if (fd < 0) {
		errno = ENOTCONN;
		return -1;
	}
	*ret_uid = 8;
	return 0;
}

static void add(int type, const void *data, size_t size)
{
	struct cmsghdr *c = (struct cmsghdr *)(came.control + came.message.msg_controllen);
	came.message.msg_control = came.control;
	came.message.msg_controllen += CMSG_SPACE(size);
	assert_true(came.message.msg_controllen <= peercred_control_size());
	*c = (struct cmsghdr){
		.cmsg_level = SOL_SOCKET, .cmsg_type = type, .cmsg_len = CMSG_LEN(size)};
	memcpy(CMSG_DATA(c), data, size);
}

static void add_credentials(int groups)
{
	struct {
		struct sockcred fixed;
		gid_t more[GROUPS];
	} all = {.fixed = {.sc_uid = 1000, .sc_euid = 8, .sc_ngroups = groups}};
	add(SCM_CREDS, &all, SOCKCREDSIZE((size_t)groups));
}

static int set_up(void **state)
{
	(void)state;
	memset(&came, 0, sizeof(came));
	return 0;
}

static void the_effective_uid_is_the_senders_whatever_groups_it_is_in(void **state)
{
	(void)state;
	for (int groups = 0; groups <= GROUPS; groups++) {
		struct peercred sender = {.pid = 1};
		set_up(NULL);
		add_credentials(groups);
		assert_true(peercred_of_message(&came.message, &sender));
		assert_int_equal(sender.uid, 8);
		assert_int_equal(sender.pid, 0);
	}
}

static void what_is_shorter_names_no_sender(void **state)
{
	(void)state;
	struct peercred sender = {.uid = 1000};
	assert_false(peercred_of_message(&came.message, &sender));
	add(SCM_CREDS, "abcdefgh", 8);
	assert_false(peercred_of_message(&came.message, &sender));
	assert_int_equal(sender.uid, 1000);
}

static void passed_descriptors_are_closed(void **state)
{
	(void)state;
	struct peercred sender;
	int fds[] = {open("/dev/null", O_RDONLY), open("/dev/null", O_RDONLY)};
	assert_true(fds[0] >= 0 && fds[1] >= 0);
	add(SCM_RIGHTS, fds, sizeof(fds));
	add_credentials(1);
	assert_true(peercred_of_message(&came.message, &sender));
	assert_int_equal(sender.uid, 8);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(fcntl(fds[i], F_GETFD), -1);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* The kernel has closed what such a message passed; its numbers may be another file's by now. */
static void descriptors_of_a_message_that_was_cut_are_left_alone(void **state)
{
	(void)state;
	struct peercred sender;
	int fds[4];
	for (size_t i = 0; i < 4; i++)
		fds[i] = open("/dev/null", O_RDONLY);
	add_credentials(1);
	add(SCM_RIGHTS, fds, sizeof(fds[0]));
	add(SCM_RIGHTS, fds + 1, 3 * sizeof(fds[0]));
	came.message.msg_controllen -= CMSG_SPACE(3 * sizeof(fds[0])) - CMSG_LEN(sizeof(fds[0]));
	came.message.msg_flags = MSG_CTRUNC;
	assert_true(peercred_of_message(&came.message, &sender));
	assert_int_equal(sender.uid, 8);
	assert_false(is_open(fds[0]));
	for (size_t i = 1; i < 4; i++) {
		assert_true(is_open(fds[i]));
		close(fds[i]);
	}
}

static void credentials_that_were_cut_name_no_sender(void **state)
{
	(void)state;
	struct peercred sender = {.uid = 1000};
	add_credentials(GROUPS);
	came.message.msg_controllen = CMSG_LEN(sizeof(uid_t));
	came.message.msg_flags = MSG_CTRUNC;
	assert_false(peercred_of_message(&came.message, &sender));
	assert_int_equal(sender.uid, 1000);
}

static void the_peer_of_a_stream_has_no_pid(void **state)
{
	(void)state;
	struct peercred peer = {.pid = 1};
	assert_int_equal(peercred_of_stream(3, &peer), 0);
	assert_int_equal(peer.uid, 8);
	assert_int_equal(peer.pid, 0);
	assert_int_equal(peercred_of_stream(-1, &peer), -ENOTCONN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
			the_effective_uid_is_the_senders_whatever_groups_it_is_in, set_up),
		cmocka_unit_test_setup(what_is_shorter_names_no_sender, set_up),
		cmocka_unit_test_setup(passed_descriptors_are_closed, set_up),
		cmocka_unit_test_setup(
			descriptors_of_a_message_that_was_cut_are_left_alone, set_up),
		cmocka_unit_test_setup(credentials_that_were_cut_name_no_sender, set_up),
		cmocka_unit_test_setup(the_peer_of_a_stream_has_no_pid, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
