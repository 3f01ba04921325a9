#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * espace-steps LABEL -- argv... ';;' LABEL -- argv...
 *
 * Runs the steps of a build one after another, inside of its container, and prints "==> LABEL"
 * before each. Ends with the status of the first that fails. There is no shell in between, so
 * nothing that a Space's author wrote is read as one. Static: it must run on any base system.
 */
enum { USAGE = 2, NOT_STARTED = 127, SIGNALLED = 128 };

static int run(char **argv)
{
	pid_t pid = fork();
	int status;

	if (pid < 0) {
		fprintf(stderr, "start %s: %s\n", argv[0], strerror(errno));
		return NOT_STARTED;
	}
	if (pid == 0) {
		execv(argv[0], argv);
		fprintf(stderr, "start %s: %s\n", argv[0], strerror(errno));
		_exit(NOT_STARTED);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return NOT_STARTED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : SIGNALLED + WTERMSIG(status);
}

static int usage(void)
{
	fputs("usage: espace-steps LABEL -- argv... [';;' LABEL -- argv...]...\n", stderr);
	return USAGE;
}

int main(int argc, char **argv)
{
	int at = 1;

	if (argc < 4)
		return usage();
	while (at < argc) {
		int first = at + 2;
		int end = first;
		int status;

		if (first >= argc || strcmp(argv[at + 1], "--") != 0)
			return usage();
		while (end < argc && strcmp(argv[end], ";;") != 0)
			end++;
		if (end == first)
			return usage();
		argv[end] = NULL; /* argv[argc] is NULL already */
		printf("==> %s\n", argv[at]);
		fflush(stdout);
		status = run(argv + first);
		if (status != 0)
			return status;
		at = end + 1;
	}
	return 0;
}
