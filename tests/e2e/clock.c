#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/*
 * For LD_PRELOAD: the wall clock of a process and all that it starts goes by the seconds in the
 * file ESPACE_TEST_CLOCK, one int64_t that the test changes at will. No lock and no call is
 * shared, so a process may be killed at any moment. The monotonic clock stays as it is.
 */

static const volatile int64_t *ahead_s;

__attribute__((constructor)) static void open_clock(void)
{
	const char *path = getenv("ESPACE_TEST_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map =
		fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*ahead_s), PROT_READ, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (map != MAP_FAILED)
		ahead_s = map;
}

static time_t ahead(void)
{
	return ahead_s ? (time_t)*ahead_s : 0;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
	int result = (int)syscall(SYS_clock_gettime, clock, out);

	if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		out->tv_sec += ahead();
	return result;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	int result = (int)syscall(SYS_gettimeofday, out, zone);

	if (result == 0)
		out->tv_sec += ahead();
	return result;
}

time_t time(time_t *out)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_REALTIME, &now);
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}
