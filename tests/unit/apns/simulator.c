#include "simulator.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define REPLY_MAX 65536

static const char *program(void)
{
	static char path[512];
	const char *build = getenv("MAILPUSH_BUILD");
	if (!build)
		fail_msg("MAILPUSH_BUILD is not set; run it with meson test");
	snprintf(path, sizeof(path), "%s/src/sim/apns-sim", build);
	return path;
}

static pid_t run(const char *const *arguments, int output)
{
	const char *path = program();
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(output, STDOUT_FILENO);
		execv(path, (char *const *)(uintptr_t)arguments);
		_exit(127);
	}
	return pid;
}

static void run_to_its_end(const char *const *arguments)
{
	int status;
	pid_t pid = run(arguments, STDERR_FILENO);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status)
		fail_msg("%s %s failed (%d)", program(), arguments[1], status);
}

static void connect_control(struct simulator *simulator)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strncpy(address.sun_path, simulator->control, sizeof(address.sun_path) - 1);
	simulator->control_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
		connect(simulator->control_fd, (const struct sockaddr *)&address, sizeof(address)),
		0);
}

/* Its first line comes when all its sockets are there. */
static void read_port(struct simulator *simulator, int fd)
{
	char line[128];
	size_t size = 0;
	while (size < sizeof(line) - 1 && read(fd, line + size, 1) == 1 && line[size] != '\n')
		size++;
	line[size] = '\0';
	const char *port = strrchr(line, ':');
	if (!port)
		fail_msg("apns-sim did not start");
	simulator->port = (uint16_t)strtoul(port + 1, NULL, 10);
}

void simulator_start(struct simulator *simulator, const char *host)
{
	int output[2];
	char listen[64];
	const bool is_first = simulator->dir[0] == '\0';
	if (is_first) {
		strcpy(simulator->dir, "/tmp/mailpush-apns-XXXXXX");
		assert_non_null(mkdtemp(simulator->dir));
	}
#define PATH(member, name) \
	snprintf(simulator->member, sizeof(simulator->member), "%s/" name, simulator->dir)
	PATH(ca, "ca.pem");
	PATH(certificate, "client.pem");
	PATH(key, "client.key");
	PATH(control, "control");
	PATH(record, "record");
	strcpy(simulator->host, host);
	snprintf(listen, sizeof(listen), "%s:0", host);
	if (is_first)
		run_to_its_end((const char *[]){program(), "--init", simulator->dir, NULL});
	unlink(simulator->record);
	assert_int_equal(pipe(output), 0);
	simulator->pid =
		run((const char *[]){program(), "--dir", simulator->dir, "--listen", listen,
			    "--control", simulator->control, "--output", simulator->record, NULL},
			output[1]);
	close(output[1]);
	read_port(simulator, output[0]);
	close(output[0]);
	connect_control(simulator);
}

void simulator_stop(struct simulator *simulator)
{
	if (simulator->pid == 0)
		return;
	close(simulator->control_fd);
	kill(simulator->pid, SIGTERM);
	waitpid(simulator->pid, NULL, 0);
	simulator->pid = 0;
}

void simulator_remove(struct simulator *simulator)
{
	DIR *dir = opendir(simulator->dir);
	const struct dirent *file;
	while (dir && (file = readdir(dir)))
		unlinkat(dirfd(dir), file->d_name, 0);
	if (dir)
		closedir(dir);
	assert_int_equal(rmdir(simulator->dir), 0);
	simulator->dir[0] = '\0';
}

void simulator_add_client(const struct simulator *simulator, const char *name, const char *topic)
{
	run_to_its_end((const char *[]){
		program(), "--add-client", name, "--dir", simulator->dir, "--topic", topic, NULL});
}

json_t *simulator_ask(const struct simulator *simulator, const char *request)
{
	static char reply[REPLY_MAX];
	size_t size = 0;
	assert_int_equal(
		write(simulator->control_fd, request, strlen(request)), (ssize_t)strlen(request));
	assert_int_equal(write(simulator->control_fd, "\n", 1), 1);
	while (size == 0 || reply[size - 1] != '\n') {
		ssize_t n = read(simulator->control_fd, reply + size, sizeof(reply) - size);
		assert_true(n > 0);
		size += (size_t)n;
	}
	json_t *json = json_loadb(reply, size, 0, NULL);
	if (!json_is_true(json_object_get(json, "ok")))
		fail_msg("%s: %.*s", request, (int)size, reply);
	return json;
}

void simulator_do(const struct simulator *simulator, const char *request)
{
	json_decref(simulator_ask(simulator, request));
}

json_int_t simulator_stat(const struct simulator *simulator, const char *key)
{
	json_t *stats = simulator_ask(simulator, "{\"do\":\"stats\"}");
	const json_t *value = json_object_get(stats, key);
	if (!value)
		value = json_object_get(json_object_get(stats, "by_status"), key);
	json_int_t number = json_integer_value(value);
	json_decref(stats);
	return number;
}

json_t *simulator_last_push(const struct simulator *simulator)
{
	static char line[REPLY_MAX];
	json_t *last = NULL;
	FILE *file = fopen(simulator->record, "r");
	while (file && fgets(line, sizeof(line), file)) {
		json_t *push = json_loads(line, 0, NULL);
		if (push) {
			json_decref(last);
			last = push;
		}
	}
	if (file)
		fclose(file);
	return last;
}
