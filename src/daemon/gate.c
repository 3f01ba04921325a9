#include "daemon/gate.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/admit.h"

/* More than one, since a thread may wait for the disk. */
enum { THREADS = 4 };

/* A question on its way. */
struct errand {
	struct ask *ask;
	STAILQ_ENTRY(errand) link;
};

struct gate {
	struct gate_config config;
	struct secret *key;
	pthread_t threads[THREADS];
	unsigned thread_count;

	struct lock lock; /* guards the rest */
	pthread_cond_t changed;
	STAILQ_HEAD(, errand) errands;
	bool stopping;
};

static void tell(void *arg, enum space_who who, uint32_t address, uint16_t port)
{
	static const enum front_page pages[] = {
		[SPACE_WHO_BUILDING] = FRONT_PAGE_BUILDING,
		[SPACE_WHO_STARTING] = FRONT_PAGE_STARTING,
		[SPACE_WHO_WAKING] = FRONT_PAGE_WAKING,
		[SPACE_WHO_STOPPED] = FRONT_PAGE_STOPPED,
		[SPACE_WHO_PAUSED] = FRONT_PAGE_PAUSED,
		[SPACE_WHO_ERROR] = FRONT_PAGE_ERROR,
		[SPACE_WHO_UNKNOWN] = FRONT_PAGE_NOT_FOUND,
	};
	struct ask *ask = arg;

	if (who == SPACE_WHO_ADDRESS)
		ask_answer_address(ask, address, port);
	else
		ask_answer_page(ask, pages[who]);
}

static void let_in(const struct gate *gate, struct ask *ask, const struct admit_answer *answer)
{
	const struct ask_visitor *visitor = ask_visitor(ask);
	const struct space_ask asked = {
		.slug = visitor->slug,
		.admitted = answer->admit == ADMIT_VISITOR,
		.waits = !visitor->wants_page, /* a browser gets a page that reloads */
	};

	if (answer->drops)
		ask_drop_authorization(ask);
	if (visitor->only_may)
		ask_answer_enter(ask);
	else
		space_loop_who(gate->config.loop, &asked, tell, ask);
}

static int admit(const struct gate *gate, const struct ask_visitor *visitor,
		 struct admit_answer *out, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	const struct admit_visitor asked = {
		.slug = visitor->slug,
		.token = visitor->token,
		.hub_token = visitor->hub_token,
		.passes = visitor->passes,
		.uri = visitor->is_get ? visitor->uri : "", /* by other methods nobody comes in */
		.now_s = clock_wall_ms() / 1000,
	};

	if (store_read_begin(gate->config.store, &read, err) < 0)
		return -1;
	return admit_visitor(store_read_db(read), &asked, gate->key, out, err);
}

/* 1: a cookie has been written; 0: the link was used before; -1: failed. */
static int exchange(const struct gate *gate, const char *from, const struct admit_answer *answer,
		    char cookie[static PASS_ROOM], struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	int done;

	if (store_tx_begin(gate->config.store, &tx, err) < 0)
		return -1;
	done = admit_exchange(store_tx_db(tx), answer, from, gate->key, cookie, err);
	if (done <= 0)
		return done;
	return store_tx_commit(take(tx), err) < 0 ? -1 : 1;
}

static void fail(struct ask *ask, const struct err *err)
{
	log_error("gate.admit", "slug=%s error=%s", ask_visitor(ask)->slug, err->text);
	ask_answer_page(ask, FRONT_PAGE_UNAVAILABLE);
}

static void take_link(const struct gate *gate, struct ask *ask, const struct admit_answer *answer)
{
	char cookie[PASS_ROOM];
	struct err err = ERR_INIT;
	int done = exchange(gate, ask_visitor(ask)->from, answer, cookie, &err);

	if (done < 0)
		fail(ask, &err);
	else if (done == 0)
		ask_answer_page(ask, FRONT_PAGE_SIGN_IN);
	else
		ask_answer_grant(ask, cookie);
	explicit_bzero(cookie, sizeof(cookie));
}

static void decide(const struct gate *gate, struct ask *ask)
{
	struct admit_answer answer;
	struct err err = ERR_INIT;

	if (admit(gate, ask_visitor(ask), &answer, &err) < 0) {
		fail(ask, &err);
		return;
	}
	switch (answer.admit) {
	case ADMIT_VISITOR:
		if (answer.signs) /* an old link: not for the app, nor for the history */
			ask_answer_grant(ask, "");
		else
			let_in(gate, ask, &answer);
		break;
	case ADMIT_PUBLIC:
		let_in(gate, ask, &answer);
		break;
	case ADMIT_LINK:
		take_link(gate, ask, &answer);
		break;
	case ADMIT_SIGN_IN:
		ask_answer_page(ask, FRONT_PAGE_SIGN_IN);
		break;
	case ADMIT_NOTHING:
		ask_answer_page(ask, FRONT_PAGE_NOT_FOUND);
		break;
	}
}

/* The next one, for free(); NULL when it is time to go. */
static struct errand *next_errand(struct gate *gate)
{
	owned(unlock) struct lock *held = lock(&gate->lock);
	struct errand *errand;

	while (!gate->stopping && STAILQ_EMPTY(&gate->errands))
		pthread_cond_wait(&gate->changed, &gate->lock.mutex);
	if (gate->stopping)
		return NULL;
	errand = STAILQ_FIRST(&gate->errands);
	STAILQ_REMOVE_HEAD(&gate->errands, link);
	return errand;
}

static void *run(void *arg)
{
	struct gate *gate = arg;
	struct errand *errand;

	while ((errand = next_errand(gate))) {
		decide(gate, errand->ask);
		free(errand);
	}
	return NULL;
}

int gate_start(const struct gate_config *config, struct gate **out, struct err *err)
{
	owned(gate_stop) struct gate *gate = mem_new(struct gate);

	gate->config = *config;
	gate->key = vault_derive(config->vault, PASS_KEY);
	gate->lock = (struct lock)LOCK_INIT;
	pthread_cond_init(&gate->changed, NULL);
	STAILQ_INIT(&gate->errands);
	for (; gate->thread_count < THREADS; gate->thread_count++) {
		errno = pthread_create(&gate->threads[gate->thread_count], NULL, run, gate);
		if (errno)
			return err_sys(err, "start a thread of the gate");
	}
	*out = take(gate);
	return 0;
}

void gate_stop(struct gate *gate)
{
	struct errand *errand;

	if (!gate)
		return;
	{
		owned(unlock) struct lock *held = lock(&gate->lock);

		gate->stopping = true;
		pthread_cond_broadcast(&gate->changed);
	}
	for (unsigned i = 0; i < gate->thread_count; i++)
		pthread_join(gate->threads[i], NULL);
	while ((errand = STAILQ_FIRST(&gate->errands))) {
		STAILQ_REMOVE_HEAD(&gate->errands, link);
		ask_answer_page(errand->ask, FRONT_PAGE_UNAVAILABLE);
		free(errand);
	}
	secret_free(gate->key);
	pthread_cond_destroy(&gate->changed);
	pthread_mutex_destroy(&gate->lock.mutex);
	free(gate);
}

void gate_ask(void *arg, struct ask *ask)
{
	struct gate *gate = arg;
	struct errand *errand = mem_new(struct errand);
	owned(unlock) struct lock *held = lock(&gate->lock);

	errand->ask = ask;
	STAILQ_INSERT_TAIL(&gate->errands, errand, link);
	pthread_cond_signal(&gate->changed);
}
