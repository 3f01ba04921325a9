#pragma once

#include <sys/wait.h>
#include <unistd.h>

/*
 * What becomes of something that is tried in a child, since there is no way back from it. The
 * child's exit status; 128 + signal where one ended it.
 */
static inline int outcome_of(int (*try)(const void *arg), const void *arg)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0)
		_exit(try(arg));
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
