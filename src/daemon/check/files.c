#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "daemon/check/checkup.h"
#include "runner/beneath.h"

/* Owners and modes of what the data directory holds (design: data directory). */

enum who {
	WHO_ROOT,
	WHO_ESPACE,
	WHO_WWW,      /* owner espace, group of nginx's workers */
	WHO_OPERATOR, /* espace, or root after an edit by hand */
};

struct rule {
	const char *path;
	enum who who;
	mode_t must;  /* bits that it needs */
	mode_t never; /* bits that nobody may have given it */
};

#define FOLDER(path, who, mode)                  \
	{                                        \
		path, who, mode, 07777 & ~(mode) \
	}

static const struct rule singles[] = {
	FOLDER(".", WHO_ESPACE, 0711),
	FOLDER("repos", WHO_ESPACE, 0700),
	FOLDER("lfs", WHO_WWW, 0750),
	FOLDER("xet", WHO_WWW, 0750),
	FOLDER("static", WHO_WWW, 0750),
	FOLDER("layers", WHO_ESPACE, 0711),
	FOLDER("cache", WHO_ROOT, 0711),
	FOLDER("images", WHO_ROOT, 0711),
	FOLDER("spaces", WHO_ESPACE, 0711),
	FOLDER("run", WHO_ROOT, 0711),
	{"instance", WHO_ROOT, 0400, 0022},
	{"espace.conf", WHO_OPERATOR, 0400, 0022},
	{"hardware.yaml", WHO_OPERATOR, 0400, 0022},
	{"espace.db", WHO_ESPACE, 0600, 0177},
	{"espace.db-wal", WHO_ESPACE, 0600, 0177},
	{"espace.db-shm", WHO_ESPACE, 0600, 0177},
	{"secret.key", WHO_ESPACE, 0400, 0377},
	{"swap", WHO_ROOT, 0600, 0177},
};

/* Everything below these. The modes of repos/ are closed at its top. */
static const struct rule trees[] = {
	{"repos", WHO_ESPACE, 0, 0022}, {"lfs", WHO_WWW, 0, 0027},       {"xet", WHO_WWW, 0, 0027},
	{"static", WHO_WWW, 0, 0027},   {"spaces", WHO_ESPACE, 0, 0027},
};

/* One file that a rule is about. */
struct one {
	struct checkup *checkup;
	const struct rule *rule;
	const char *path; /* below the data directory */
};

static uid_t owner_of(const struct one *one)
{
	return one->rule->who == WHO_ROOT ? 0 : one->checkup->dir->owner;
}

static gid_t group_of(const struct one *one)
{
	const struct datadir *dir = one->checkup->dir;

	return one->rule->who == WHO_ROOT ? 0 : one->rule->who == WHO_WWW ? dir->www : dir->group;
}

static mode_t good_mode(const struct one *one, mode_t mode)
{
	return ((mode | one->rule->must) & ~one->rule->never) & 07777;
}

/* An editor's new file is root's: right as long as the hub can read it. */
static bool is_operators(const struct one *one, const struct stat *st)
{
	return one->rule->who == WHO_OPERATOR && st->st_uid == 0 && (st->st_mode & S_IROTH) &&
	       !(st->st_mode & one->rule->never);
}

/* False too for what is gone, and for what is neither file nor folder. */
static bool is_wrong(void *arg)
{
	const struct one *one = arg;
	struct stat st;

	if (fstatat(one->checkup->dir->fd, one->path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) || is_operators(one, &st))
		return false;
	return st.st_uid != owner_of(one) || st.st_gid != group_of(one) ||
	       good_mode(one, st.st_mode) != (st.st_mode & 07777);
}

/* A file with other names may be somebody's outside of here: nothing of it is given away. */
static int mend(void *arg, struct err *err)
{
	const struct one *one = arg;
	owned(close) int fd = -1;
	struct stat st;

	if (strcmp(one->path, ".") == 0)
		fd = openat(one->checkup->dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	else if (beneath_open(one->checkup->dir, one->path, O_RDONLY | O_NONBLOCK, &fd, err) < 0)
		return -1;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "look at it");
	if (S_ISREG(st.st_mode) && st.st_nlink > 1)
		return err_set(err, ERR_INVALID, "it has other names: chown it by hand");
	if (fchown(fd, owner_of(one), group_of(one)) < 0 ||
	    fchmod(fd, good_mode(one, st.st_mode)) < 0)
		return err_sys(err, "set its owner and mode");
	return 0;
}

static void look_at(struct one *one)
{
	owned(free) char *what = NULL;
	struct stat st;

	if (!is_wrong(one) || !checkup_settles(one->checkup, is_wrong, one) ||
	    fstatat(one->checkup->dir->fd, one->path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	what = mem_format("owner %u:%u, mode %04o; it must be %u:%u, %04o", st.st_uid, st.st_gid,
			  st.st_mode & 07777, owner_of(one), group_of(one),
			  good_mode(one, st.st_mode));
	checkup_mend(one->checkup,
		     &(struct checkup_finding){
			     .severity = CHECKUP_PROBLEM, .thing = one->path, .what = what},
		     mend, one);
}

static void close_walk(FTS *walk)
{
	if (walk)
		fts_close(walk);
}
DEFINE_OWNED(FTS *, close_walk);

static int look_below(struct checkup *checkup, const struct rule *rule, struct err *err)
{
	owned(free) char *start = datadir_path(checkup->dir, "%s", rule->path);
	char *const starts[] = {start, NULL};
	owned(close_walk) FTS *walk = fts_open(starts, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	size_t skipped = strlen(checkup->dir->path) + 1;
	const FTSENT *entry;

	if (!walk)
		return err_sys(err, "look through %s", rule->path);
	while ((errno = 0, entry = fts_read(walk))) {
		struct one one = {
			.checkup = checkup, .rule = rule, .path = entry->fts_path + skipped};

		/* The disk of a Space is root's. */
		if (entry->fts_level > 0 && !str_ends(entry->fts_path, ".img") &&
		    (entry->fts_info == FTS_D || entry->fts_info == FTS_F))
			look_at(&one);
	}
	return errno ? err_sys(err, "look through %s", rule->path) : 0;
}

int checkup_files(struct checkup *checkup, struct err *err)
{
	for (size_t i = 0; i < sizeof(singles) / sizeof(singles[0]); i++)
		look_at(&(struct one){
			.checkup = checkup, .rule = &singles[i], .path = singles[i].path});
	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++)
		if (look_below(checkup, &trees[i], err) < 0)
			return -1;
	return 0;
}
