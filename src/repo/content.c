#include "repo/content.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <zlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "repo/inner.h"

/*
 * Loose objects are inflated here and not by libgit2: its stream never ends where the file of an
 * object is cut, it maps the file, and it is gone with the object database.
 */
enum {
	INPUT_BYTES = 32 << 10,
	SKIP_BYTES = 64 << 10, /* inflated at a time to get to the first byte that is wanted */
	HEADER_MAX = 32,       /* "blob 18446744073709551615" and its NUL (gitformat-loose) */
};

struct content {
	int fd; /* of a loose object, else -1 */
	bool inflates;
	z_stream zip;
	unsigned char *input;
	git_odb_object *whole; /* of a pack */
	size_t at;             /* in the whole one */
};

/* More input, where all has been used and the file has more. */
static int refill(struct content *content)
{
	ssize_t got;

	if (content->zip.avail_in > 0)
		return 0;
	do
		got = read(content->fd, content->input, INPUT_BYTES);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -1;
	content->zip.next_in = content->input;
	content->zip.avail_in = (unsigned)got;
	return 0;
}

static ssize_t inflate_more(struct content *content, void *room, size_t max)
{
	int state = Z_OK;

	content->zip.next_out = room;
	content->zip.avail_out = (unsigned)max;
	while (state == Z_OK && content->zip.avail_out == max && max > 0) {
		if (refill(content) < 0)
			return -1;
		state = inflate(&content->zip, Z_NO_FLUSH);
	}
	/* Z_BUF_ERROR: there was nothing to go on with, the file is cut. */
	if (state != Z_OK && state != Z_STREAM_END)
		return -1;
	return (ssize_t)(max - content->zip.avail_out);
}

ssize_t content_read(struct content *content, void *room, size_t max)
{
	size_t left;

	if (max > INT_MAX)
		max = INT_MAX;
	if (content->inflates)
		return inflate_more(content, room, max);
	left = git_odb_object_size(content->whole) - content->at;
	if (max > left)
		max = left;
	memcpy(room, (const char *)git_odb_object_data(content->whole) + content->at, max);
	content->at += max;
	return (ssize_t)max;
}

/* Inflate what nobody asked for. */
static int skip(struct content *content, uint64_t count, struct err *err)
{
	owned(free) char *room = mem_alloc(SKIP_BYTES);

	while (count > 0) {
		size_t now = count < SKIP_BYTES ? (size_t)count : SKIP_BYTES;
		ssize_t got = content_read(content, room, now);

		if (got <= 0)
			return err_set(err, ERR_SYSTEM, "a stored file is damaged");
		count -= (uint64_t)got;
	}
	return 0;
}

/* "blob SIZE" and a NUL, a byte at a time: what follows is the file's. */
static int skip_header(struct content *content, struct err *err)
{
	char header[HEADER_MAX] = "";

	for (size_t i = 0; i < sizeof(header); i++) {
		if (content_read(content, header + i, 1) != 1)
			break;
		if (header[i] == '\0')
			return str_starts(header, "blob ")
				       ? 0
				       : err_set(err, ERR_SYSTEM, "a stored file is no file");
	}
	return err_set(err, ERR_SYSTEM, "a stored file is damaged");
}

static int open_loose(struct content *content, uint64_t first, struct err *err)
{
	if (inflateInit(&content->zip) != Z_OK)
		abort(); /* out of memory, as in base/mem.h */
	content->inflates = true;
	content->input = mem_alloc(INPUT_BYTES);
	if (skip_header(content, err) < 0)
		return -1;
	return skip(content, first, err);
}

static int open_whole(struct content *content, struct git *git, const git_oid *id, uint64_t first,
		      struct err *err)
{
	int rc = git_odb_read(&content->whole, git->odb, id);

	if (rc == GIT_ENOTFOUND)
		return err_set(err, ERR_NO_ENTRY, "no such file in this repository");
	if (rc < 0)
		return inner_fail(err, "read a file");
	if (first > git_odb_object_size(content->whole))
		return err_set(err, ERR_SYSTEM, "a stored file is damaged");
	content->at = (size_t)first;
	return 0;
}

int content_open(struct git *git, const char *oid, uint64_t first, struct content **out,
		 struct err *err)
{
	owned(content_close) struct content *content = mem_new(struct content);
	owned(free) char *path = NULL;
	git_oid id;

	content->fd = -1;
	if (!hex_is(oid, GIT_HEX - 1) || git_oid_fromstr(&id, oid) < 0)
		return err_set(err, ERR_NO_ENTRY, "no such file in this repository");
	path = mem_format("%s/objects/%.2s/%s", git->path, oid, oid + 2);
	content->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (content->fd < 0 && errno != ENOENT)
		return err_sys(err, "read a file");
	if ((content->fd >= 0 ? open_loose(content, first, err)
			      : open_whole(content, git, &id, first, err)) < 0)
		return -1;
	*out = take(content);
	return 0;
}

void content_close(struct content *content)
{
	if (!content)
		return;
	git_odb_object_free(content->whole);
	if (content->inflates)
		inflateEnd(&content->zip);
	if (content->fd >= 0)
		close(content->fd);
	free(content->input);
	free(content);
}
