#include "runner/container.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "runner/cgroup.h"
#include "runner/strays.h"

#define RUNC "/usr/sbin/runc"

enum {
	CREATE_TIMEOUT_MS = 60 * 1000,
	END_TIMEOUT_MS = 5 * 1000, /* conmon ends at once after its container */
	ANSWER_MAX_BYTES = 64 * 1024,
	OUTPUT_MAX_BYTES = 64 * 1024,
	STATUS_MAX_BYTES = 16 * 1024,
	SYNC_FD = 3,
};

int container_setup(const struct datadir *dir, struct err *err)
{
	static const char *const folders[] = {"run/runc", "run/exit", "run/sock"};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (mkdirat(dir->fd, folders[i], 0700) < 0 && errno != EEXIST)
			return err_sys(err, "make %s", folders[i]);
	return 0;
}

/* conmon's answer on the pipe: one line of JSON. */
static int read_answer(int fd, struct str *answer, struct err *err)
{
	int64_t until_ms = clock_mono_ms() + CREATE_TIMEOUT_MS;

	while (!memchr(answer->data, '\n', answer->length)) {
		struct pollfd polled = {.fd = fd, .events = POLLIN};
		int64_t left_ms = until_ms - clock_mono_ms();
		char chunk[4096];
		ssize_t got;

		if (left_ms <= 0 || poll(&polled, 1, (int)left_ms) == 0)
			return err_set(err, ERR_SYSTEM, "conmon does not answer");
		got = read(fd, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		str_add_n(answer, chunk, (size_t)got);
	}
	return str_check(answer, "conmon's answer", err);
}

static int understand(const struct str *answer, pid_t *pid, struct err *err)
{
	owned(json_decref) json_t *json = NULL;
	int64_t data = -1;
	const char *message = "no reason given";

	if (json_parse(answer->data, answer->length, &json, err) < 0 ||
	    json_get_int(json, "data", &data, err) < 0 ||
	    json_get_text(json, "message", &message, err) < 0)
		return err_in(err, "conmon's answer");
	if (data <= 0) {
		/* runc's words name paths of the machine: they are for its operator. */
		log_error("runner.create", "answer=%s", message);
		return err_set(err, ERR_SYSTEM, "the container could not be made");
	}
	*pid = (pid_t)data;
	return 0;
}

struct names {
	char *bundle, *pid, *conmon_pid, *log, *exits, *sockets, *runc_root;
};

static struct names names_of(const struct datadir *dir, const char *key)
{
	return (struct names){
		.bundle = datadir_path(dir, "run/bundles/%s", key),
		.pid = datadir_path(dir, "run/bundles/%s/pid", key),
		.conmon_pid = datadir_path(dir, "run/bundles/%s/conmon.pid", key),
		.log = mem_format("k8s-file:%s/run/bundles/%s/log", dir->path, key),
		.exits = datadir_path(dir, "run/exit"),
		.sockets = datadir_path(dir, "run/sock"),
		.runc_root = datadir_path(dir, "run/runc"),
	};
}

static void names_done(struct names *names)
{
	free(names->bundle);
	free(names->pid);
	free(names->conmon_pid);
	free(names->log);
	free(names->exits);
	free(names->sockets);
	free(names->runc_root);
}

static void own_names_done(struct names *held)
{
	names_done(held);
}

/* Start conmon in the run's mount namespace; it forks itself away once runc has answered. */
static int start_conmon(const struct names *names, const char *key, struct mounts *mounts,
			int sync_fd, struct err *err)
{
	const char *const argv[] = {"conmon",
				    "--api-version",
				    "1",
				    "-c",
				    key,
				    "-u",
				    key,
				    "-n",
				    key,
				    "-r",
				    RUNC,
				    "--runtime-arg",
				    "--root",
				    "--runtime-arg",
				    names->runc_root,
				    "-b",
				    names->bundle,
				    "-p",
				    names->pid,
				    "-P",
				    names->conmon_pid,
				    "-l",
				    names->log,
				    "--exit-dir",
				    names->exits,
				    "--persist-dir",
				    names->bundle,
				    "--socket-dir-path",
				    names->sockets,
				    NULL};
	static const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "_OCI_SYNCPIPE=3",
					  NULL};
	/* Not our stderr: conmon keeps it for as long as the run lives. */
	const int fds[SYNC_FD + 1] = {-1, -1, -1, sync_fd};
	struct proc_spec spec = {.argv = argv,
				 .env = env,
				 .cwd = names->bundle, /* where it leaves `oom` */
				 .fds = fds,
				 .fd_count = SYNC_FD + 1,
				 .prepare = mounts_enter,
				 .prepare_arg = mounts,
				 .new_group = true};
	owned(proc_done) struct proc conmon = PROC_INIT;
	int status;

	if (proc_start(&spec, &conmon, err) < 0 || proc_wait(&conmon, &status, err) < 0)
		return err_in(err, "conmon");
	return 0; /* its status says less than its answer does */
}

static int read_pid(const char *path, pid_t *out, struct err *err)
{
	owned(str_done) struct str text = str_new(32);

	if (file_read(AT_FDCWD, path, &text, err) < 0)
		return -1;
	*out = (pid_t)strtol(text.data, NULL, 10);
	return *out > 1 ? 0 : err_set(err, ERR_SYSTEM, "the file of a process id is empty");
}

int container_create(const struct datadir *dir, struct mounts *mounts, struct record *record,
		     struct err *err)
{
	owned(names_done) struct names names = names_of(dir, record->run.key);
	owned(str_done) struct str answer = str_new(ANSWER_MAX_BYTES);
	owned(close) int reading = -1;
	owned(close) int writing = -1;
	int ends[2];

	container_forget_exit(dir, record->run.key); /* else the run would seem to have ended */
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, "pipe");
	reading = ends[0];
	writing = ends[1];
	if (start_conmon(&names, record->run.key, mounts, writing, err) < 0)
		return -1;
	close(take_fd(&writing));
	if (read_answer(reading, &answer, err) < 0 || understand(&answer, &record->pid, err) < 0 ||
	    read_pid(names.conmon_pid, &record->conmon, err) < 0)
		return -1;
	record->pid_start = proc_start_time(record->pid);
	record->conmon_start = proc_start_time(record->conmon);
	return 0;
}

int container_start(const struct datadir *dir, const char *key, struct err *err)
{
	owned(free) char *root = datadir_path(dir, "run/runc");
	owned(str_done) struct str output = str_new(OUTPUT_MAX_BYTES);
	const char *const argv[] = {RUNC, "--root", root, "start", key, NULL};

	if (proc_run(argv, NULL, &output, err) == 0)
		return 0;
	log_error("runner.start", "run=%s answer=%s", key, err->text);
	return err_set(err, ERR_SYSTEM, "the container could not be started");
}

int container_open_process(pid_t pid, uint64_t start_time)
{
	int fd = pid > 1 ? pidfd_open(pid, 0) : -1;

	/* Asked after the opening: if it was that process then, the descriptor is its. */
	if (fd >= 0 && proc_start_time(pid) != start_time) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* A mask of proc(5) status, "SigBlk" or "SigCgt". */
static uint64_t signal_mask(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	return at ? strtoull(at + strlen(name), NULL, 16) : 0;
}

bool container_hears(pid_t pid)
{
	owned(free) char *path = mem_format("/proc/%d/status", (int)pid);
	owned(str_done) struct str status = str_new(STATUS_MAX_BYTES);
	struct err err = ERR_INIT; /* gone: nothing left to hear */
	uint64_t mask;

	if (file_read(AT_FDCWD, path, &status, &err) < 0)
		return true;
	mask = signal_mask(status.data, "\nSigBlk:") | signal_mask(status.data, "\nSigCgt:");
	return !str_starts(status.data, "Name:\trunc") && (mask >> (SIGTERM - 1) & 1);
}

bool container_exit_status(const struct datadir *dir, const char *key, int *status)
{
	owned(free) char *path = mem_format("run/exit/%s", key);
	owned(str_done) struct str text = str_new(32);
	struct err err = ERR_INIT; /* missing: that is the answer */

	if (file_read(dir->fd, path, &text, &err) < 0 || text.length == 0)
		return false;
	*status = (int)strtol(text.data, NULL, 10);
	return true;
}

bool container_was_oom(const struct datadir *dir, const char *key)
{
	owned(free) char *path = mem_format("run/bundles/%s/oom", key);

	return file_exists(dir->fd, path);
}

void container_forget_exit(const struct datadir *dir, const char *key)
{
	owned(free) char *path = mem_format("run/exit/%s", key);

	unlinkat(dir->fd, path, 0);
}

/* Where runc knows nothing of it there is nothing to delete: all else is worth a line. */
static void delete_container(const struct datadir *dir, const char *key)
{
	owned(free) char *root = datadir_path(dir, "run/runc");
	owned(free) char *state = mem_format("run/runc/%s", key);
	owned(str_done) struct str output = str_new(OUTPUT_MAX_BYTES);
	const char *const argv[] = {RUNC, "--root", root, "delete", "-f", key, NULL};
	struct err err = ERR_INIT;

	if (file_exists(dir->fd, state) && proc_run(argv, NULL, &output, &err) < 0)
		log_warn("runner.delete", "run=%s error=%s", key, err.text);
	if (file_remove_tree(dir->fd, state, &err) < 0)
		log_warn("runner.delete", "run=%s error=%s", key, err.text);
}

static void end_conmon(const struct record *record)
{
	owned(close) int fd = container_open_process(record->conmon, record->conmon_start);
	struct pollfd polled = {.fd = fd, .events = POLLIN};

	if (fd < 0 || poll(&polled, 1, END_TIMEOUT_MS) > 0)
		return;
	pidfd_send_signal(fd, SIGKILL, NULL, 0);
	poll(&polled, 1, END_TIMEOUT_MS);
}

int container_remove(const struct datadir *dir, const struct record *record, struct err *err)
{
	const char *key = record->run.key;
	owned(free) char *sockets = mem_format("run/sock/%s", key);

	/* Cut off before its monitor was known: that one may be making the container just now. */
	if ((record->conmon == 0 && strays_kill(dir, key, err) < 0) ||
	    cgroup_kill(dir, key, err) < 0)
		return -1;
	end_conmon(record);
	delete_container(dir, key);
	if (file_remove_tree(dir->fd, sockets, err) < 0)
		return -1;
	return cgroup_remove(dir, key, err);
}
