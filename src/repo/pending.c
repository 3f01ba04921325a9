#include "repo/pending.h"

#include <fcntl.h>
#include <search.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
	ROOM_BYTES = 1 << 20, /* for all objects of a commit */
	HEADER_MAX = 32,      /* "commit 1048576" and its NUL (gitformat-loose) */
	FILE_ROOM = 64,
};

enum state { IN_MEMORY, WRITTEN, MOVED };

struct object {
	git_oid id;
	git_object_t type;
	enum state state;
	size_t size;
	char bytes[];
};

struct pending {
	git_odb_backend backend; /* first: libgit2 knows this one */
	int objects_fd;          /* of the quarantine, which outlives us */
	void (*overflow)(void *arg);
	void *arg;
	char name[ID_HEX];
	bool is_full;
	size_t bytes;
	struct object **objects; /* in the order of their coming; a file's number is the place */
	size_t count, room;
	void *by_id; /* the same, for tsearch(3) */
};

static int compare_ids(const void *a, const void *b)
{
	return git_oid_cmp(&((const struct object *)a)->id, &((const struct object *)b)->id);
}

static const struct object *find(git_odb_backend *backend, const git_oid *id)
{
	const struct pending *pending = (struct pending *)backend;
	const struct object probe = {.id = *id};
	void *const *found = tfind(&probe, &pending->by_id, compare_ids);

	return found ? *found : NULL;
}

/* What libgit2 calls */

static int on_exists(git_odb_backend *backend, const git_oid *id)
{
	return find(backend, id) != NULL;
}

static int on_header(size_t *size, git_object_t *type, git_odb_backend *backend, const git_oid *id)
{
	const struct object *object = find(backend, id);

	if (!object)
		return GIT_ENOTFOUND;
	*size = object->size;
	*type = object->type;
	return 0;
}

static int on_read(void **out, size_t *size, git_object_t *type, git_odb_backend *backend,
		   const git_oid *id)
{
	const struct object *object = find(backend, id);
	char *copy;

	if (!object)
		return GIT_ENOTFOUND;
	copy = git_odb_backend_data_alloc(backend, object->size + 1);
	if (!copy)
		abort(); /* out of memory, as in base/mem.h */
	memcpy(copy, object->bytes, object->size);
	copy[object->size] = '\0'; /* as libgit2's own backends have it */
	*out = copy;
	*size = object->size;
	*type = object->type;
	return 0;
}

static int pass_on(struct pending *pending)
{
	if (!pending->is_full)
		pending->overflow(pending->arg);
	pending->is_full = true;
	return GIT_PASSTHROUGH;
}

static int on_write(git_odb_backend *backend, const git_oid *id, const void *bytes, size_t size,
		    git_object_t type)
{
	struct pending *pending = (struct pending *)backend;
	struct object *object;

	if (size + sizeof(*object) > ROOM_BYTES - pending->bytes)
		return pass_on(pending);
	pending->bytes += size + sizeof(*object);
	object = mem_alloc(sizeof(*object) + size);
	object->id = *id;
	object->type = type;
	object->size = size;
	memcpy(object->bytes, bytes, size);
	if (pending->count == pending->room) {
		pending->room = pending->room ? pending->room * 2 : 16;
		pending->objects =
			mem_grow(pending->objects, pending->room, sizeof(struct object *));
	}
	pending->objects[pending->count++] = object;
	if (!tsearch(object, &pending->by_id, compare_ids))
		abort(); /* out of memory, as in base/mem.h */
	return 0;
}

/* What comes as a stream is large. */
static int on_stream(git_odb_stream **out, git_odb_backend *backend, git_object_size_t size,
		     git_object_t type)
{
	return pass_on((struct pending *)backend);
}

static void keep(void *object)
{
}

static void on_free(git_odb_backend *backend)
{
	struct pending *pending = (struct pending *)backend;

	tdestroy(pending->by_id, keep);
	for (size_t i = 0; i < pending->count; i++)
		free(pending->objects[i]);
	free(pending->objects);
	free(pending);
}

int pending_new(git_odb *odb, int objects_fd, void (*overflow)(void *arg), void *arg,
		struct pending **out, struct err *err)
{
	enum { BEFORE_OTHERS = 9 };
	struct pending *pending = mem_new(struct pending);

	git_odb_init_backend(&pending->backend, GIT_ODB_BACKEND_VERSION);
	pending->backend.read = on_read;
	pending->backend.read_header = on_header;
	pending->backend.exists = on_exists;
	pending->backend.write = on_write;
	pending->backend.writestream = on_stream;
	pending->backend.free = on_free;
	pending->objects_fd = objects_fd;
	pending->overflow = overflow;
	pending->arg = arg;
	random_id(pending->name);
	if (git_odb_add_backend(odb, &pending->backend, BEFORE_OTHERS) < 0) {
		on_free(&pending->backend);
		return inner_fail(err, "open a quarantine");
	}
	*out = pending;
	return 0;
}

/* Files */

/* `git prune` deletes old files of this prefix: what a crash left behind goes in time. */
static void file_name(const struct pending *pending, size_t number, char out[static FILE_ROOM])
{
	snprintf(out, FILE_ROOM, "tmp_obj_%s-%zu", pending->name, number);
}

void pending_abandon(struct pending *pending)
{
	char name[FILE_ROOM];

	for (size_t i = 0; i < pending->count; i++) {
		file_name(pending, i, name);
		if (pending->objects[i]->state == WRITTEN)
			unlinkat(pending->objects_fd, name, 0);
	}
}

size_t pending_count(const struct pending *pending)
{
	size_t count = 0;

	for (size_t i = 0; i < pending->count; i++)
		count += pending->objects[i]->state == IN_MEMORY;
	return count;
}

/* A loose object: its type, its size, NUL and its bytes, deflated together. For free(). */
static unsigned char *deflate_object(const struct object *object, size_t *length)
{
	char header[HEADER_MAX];
	size_t header_length =
		(size_t)snprintf(header, sizeof(header), "%s %zu",
				 git_object_type2string(object->type), object->size) +
		1;
	z_stream zip = {0};
	unsigned char *out;

	if (deflateInit(&zip, Z_BEST_SPEED) != Z_OK)
		abort(); /* out of memory, as in base/mem.h */
	*length = deflateBound(&zip, header_length + object->size);
	out = mem_alloc(*length);
	zip.next_out = out;
	zip.avail_out = (unsigned)*length;
	zip.next_in = (unsigned char *)header;
	zip.avail_in = (unsigned)header_length;
	deflate(&zip, Z_NO_FLUSH);
	zip.next_in = (unsigned char *)object->bytes;
	zip.avail_in = (unsigned)object->size;
	deflate(&zip, Z_FINISH); /* there is room for all of it */
	*length = zip.total_out;
	deflateEnd(&zip);
	return out;
}

static int write_object(struct pending *pending, size_t number, struct syncs *syncs,
			struct err *err)
{
	struct object *object = pending->objects[number];
	size_t length;
	owned(free) unsigned char *bytes = deflate_object(object, &length);
	owned(close) int fd = -1;
	char name[FILE_ROOM];

	file_name(pending, number, name);
	fd = openat(pending->objects_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (fd < 0)
		return err_sys(err, "write a new object");
	object->state = WRITTEN;
	if (file_put(fd, bytes, length, err) < 0)
		return -1;
	if (syncs)
		syncs_add(syncs, take_fd(&fd));
	return 0;
}

int pending_write(struct pending *pending, struct syncs *syncs, struct err *err)
{
	for (size_t i = 0; i < pending->count; i++)
		if (pending->objects[i]->state == IN_MEMORY &&
		    write_object(pending, i, syncs, err) < 0)
			return -1;
	return 0;
}

int pending_move(struct pending *pending,
		 int (*move)(void *arg, const char *file, const char *hex, struct err *err),
		 void *arg, struct err *err)
{
	char name[FILE_ROOM];
	char hex[GIT_HEX];

	for (size_t i = 0; i < pending->count; i++) {
		struct object *object = pending->objects[i];

		if (object->state != WRITTEN)
			continue;
		file_name(pending, i, name);
		git_oid_tostr(hex, sizeof(hex), &object->id);
		if (move(arg, name, hex, err) < 0)
			return -1;
		object->state = MOVED;
	}
	return 0;
}
