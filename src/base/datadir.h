#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/own.h"

/*
 * The data directory: its path, its instance and the names of what lies in it. Shared by keeper,
 * hub and runner, so that a name is written in one place.
 *
 * An instance is one data directory on one machine. Its id names the bridge (es-ID), the nft table
 * (espace_ID) and the cgroup (espace-ID). It owns one block of the network pool and of the user
 * ids: `DIR/instance` holds the three, chosen free under a lock of the machine by datadir_claim().
 *
 * A slot is a number 2 … DATADIR_SLOTS-2 of this instance that a run holds while it lives. It
 * decides the run's address (network + slot) and its range of 65536 user ids.
 */
enum {
	INSTANCE_ROOM = 7,     /* 6 hex digits and NUL */
	DATADIR_SLOTS = 4096,  /* addresses of a /20 */
	DATADIR_RANGE = 65536, /* user ids of a slot */
	DATADIR_BLOCKS = 15,   /* blocks of slots that 32-bit user ids have room for */
};

struct datadir {
	char *path; /* absolute, without trailing slash */
	int fd;     /* of that directory */
	char instance[INSTANCE_ROOM];
	uint32_t network;  /* first address of the /20, host byte order */
	unsigned block;    /* 0 … DATADIR_BLOCKS-1, the same for network and user ids */
	uint32_t ids_base; /* first id of the range that layers have on disk */
	uid_t owner;       /* user espace */
	gid_t group;       /* group espace */
	gid_t www;         /* group espace-www */
	uid_t www_user;
};

#define DATADIR_INIT ((struct datadir){.fd = -1})

/*
 * Open a directory that datadir_claim() has prepared. Errors: ERR_NOT_FOUND where it is none, with
 * a sentence that says how to make one; ERR_INVALID for a parent without search permission for
 * others.
 */
must_check int datadir_open(const char *path, struct datadir *out, struct err *err);

/*
 * Make the directory and its folders where missing, and an instance that no other data directory of
 * this machine holds. Idempotent. `pool` is the first address of a /16. Only root can.
 * Errors: ERR_EXISTS where the directory holds other things; ERR_FULL where no block is free;
 * ERR_INVALID for another `ids_base` than before; ERR_NOT_FOUND where an account is missing.
 */
must_check int datadir_claim(const char *path, uint32_t pool, uint32_t ids_base, struct err *err);

void datadir_done(struct datadir *dir);
static inline void own_datadir_done(struct datadir *held)
{
	datadir_done(held);
}

/* "DIR/" + the formatted name. For free(). */
char *datadir_path(const struct datadir *dir, const char *format, ...) like_printf(2, 3);

/* Address of a slot in host byte order; the gateway has slot 1. */
static inline uint32_t datadir_address(const struct datadir *dir, unsigned slot)
{
	return dir->network + slot;
}

/* First user id of a slot's range. */
static inline uint32_t datadir_ids(const struct datadir *dir, unsigned slot)
{
	return dir->ids_base + DATADIR_RANGE * (1 + dir->block * (uint32_t)DATADIR_SLOTS + slot);
}
