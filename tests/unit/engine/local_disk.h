#pragma once

/* Disks at /data: a part of test_local.c, which has the engine and run_program(). */

/* A program whose Space has a disk of so many MiB. */
static const struct engine_run *run_with_disk(const char *key, uint64_t mib, const char *program)
{
	const struct engine_run *run;

	contract.app.data_bytes = mib << 20;
	run = run_program(key, program);
	contract.app.data_bytes = 0;
	return run;
}

static void its_disk_of_data_outlives_it(void **state)
{
	static const char first[] =
		"import os, sys\n"
		"st = os.stat('/data')\n"
		"if (st.st_uid, st.st_gid, os.listdir('/data')) != (1000, 1000, []): sys.exit(2)\n"
		"with open('/data/kept', 'w') as f: f.write('x'); f.flush(); os.fsync(f.fileno())\n"
		"os.chmod('/data/kept', 0o4755)\n"
		"try:\n"
		"    with open('/data/big', 'wb') as f:\n"
		"        for i in range(300): f.write(bytes(1 << 20))\n"
		"except OSError as e: os.unlink('/data/big'); sys.exit(e.errno)\n";
	static const char second[] =
		"import os, sys\n"
		"st, room = os.stat('/data/kept'), os.statvfs('/data')\n"
		"if open('/data/kept').read() != 'x' or st.st_uid != 1000: sys.exit(2)\n"
		"if room.f_blocks * room.f_frsize < 900 << 20: sys.exit(3)\n"
		"sys.exit(os.listdir('/data') != ['kept'])\n";
	static const char third[] = "import os, sys\nsys.exit(os.listdir('/data') != [])\n";
	struct stat st;

	assert_int_equal(run_with_disk(CONTRACT_KEY(40), 256, first)->exit_status, ENOSPC);
	contract_forget(CONTRACT_KEY(40));
	assert_int_equal(run_with_disk(CONTRACT_KEY(41), 1024, second)->exit_status, 0);
	contract_forget(CONTRACT_KEY(41));
	assert_int_equal(run_with_disk(CONTRACT_KEY(42), 256, second)->exit_status, 0);
	contract_forget(CONTRACT_KEY(42)); /* never smaller */
	contract_drop();
	assert_int_equal(contract.dropped, 1);
	assert_int_equal(fstatat(dir.fd, "spaces/" SPACE "/data.img", &st, 0), -1);
	assert_int_equal(run_with_disk(CONTRACT_KEY(43), 256, third)->exit_status, 0);
	contract_forget(CONTRACT_KEY(43));
}

/* By the kernel's lock, whatever the hub believes. */
static void a_second_run_waits_for_the_disk(void **state)
{
	static const char program[] = "import os, sys\nsys.exit(not os.path.ismount('/data'))\n";
	const char *const argv[] = {"/usr/bin/python3", "-c", program, NULL};

	contract.app.data_bytes = UINT64_C(256) << 20;
	contract_submit(CONTRACT_KEY(44));
	contract_wait(contract_is_running, CONTRACT_KEY(44));
	contract.app.argv = argv;
	contract_submit(CONTRACT_KEY(45));
	contract.app.argv = server;
	contract.app.data_bytes = 0;
	assert_false(contract_until(contract_is_running, CONTRACT_KEY(45), 1000));
	contract_stop(CONTRACT_KEY(44));
	contract_wait(contract_has_ended, CONTRACT_KEY(45));
	assert_int_equal(contract_last(CONTRACT_KEY(45))->exit_status, 0);
	contract_forget(CONTRACT_KEY(44));
	contract_forget(CONTRACT_KEY(45));
}

static void a_crash_in_the_midst_of_growing_is_made_up_for(void **state)
{
	static const char program[] = "import os, sys\n"
				      "room = os.statvfs('/data')\n"
				      "sys.exit(room.f_blocks * room.f_frsize < 900 << 20)\n";
	owned(close) int image =
		openat(dir.fd, "spaces/" SPACE "/data.img", O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	assert_int_equal(ftruncate(image, 1 << 30), 0); /* the file is grown, what is in it not */
	assert_int_equal(run_with_disk(CONTRACT_KEY(46), 1024, program)->exit_status, 0);
	contract_forget(CONTRACT_KEY(46));
}

static void a_damaged_disk_is_named_and_left_alone(void **state)
{
	owned(close) int image =
		openat(dir.fd, "spaces/" SPACE "/data.img", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	const struct engine_run *run;

	assert_int_equal(pwrite(image, "xx", 2, 1024 + 0x38), 2); /* ext4's magic number */
	run = run_with_disk(CONTRACT_KEY(47), 1024, "");
	assert_int_equal(run->exit_status, ENGINE_NEVER_STARTED);
	assert_non_null(strstr(run->reason, "the disk of /data"));
	assert_non_null(strstr(run->reason, "damaged"));
	contract_forget(CONTRACT_KEY(47));
	assert_int_equal(pwrite(image, "\x53\xef", 2, 1024 + 0x38), 2);
	assert_int_equal(ftruncate(image, 1 << 29), 0); /* its end is lost */
	run = run_with_disk(CONTRACT_KEY(48), 1024, "");
	assert_int_equal(run->exit_status, ENGINE_NEVER_STARTED);
	contract_forget(CONTRACT_KEY(48));
	contract_drop();
	assert_int_equal(contract.dropped, 1);
}
