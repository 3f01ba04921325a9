"""What benchmarks ask of the machine: processes, their processor time and memory, who runs where."""

import os
import pathlib
import re


def parents():
    """The parent of each process."""
    found = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            pass  # it has ended
    return found


def family(*roots):
    """The processes and all that descend from them."""
    tree = parents()
    found = {root for root in roots if root in tree}
    while True:
        more = {pid for pid, parent in tree.items() if parent in found} - found
        if not more:
            return sorted(found)
        found |= more


def cpu_s(pids):
    """Processor time of the processes, threads that have ended included."""
    ticks = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def spare_cpus():
    """Processors as taskset names them: one for the load generator, the others for what is measured."""
    cpus = sorted(map(str, os.sched_getaffinity(0)), key=int)
    return (cpus[0], ",".join(cpus[1:])) if len(cpus) > 1 else (cpus[0], cpus[0])


def pin(pids, cpus):
    """Bind all threads; new ones follow the thread that makes them."""
    wanted = set(map(int, cpus.split(",")))
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
            try:
                os.sched_setaffinity(int(task.name), wanted)
            except OSError:
                pass


def hub_pids(hub):
    """All processes of an instance: what its keeper has started, and nginx, which may be older."""
    return family(hub.process.pid, int((hub.data / "run" / "nginx.pid").read_text()))


def memory_kb(pid):
    """Resident and proportional set size."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return [int(re.search(rf"^{key}:\s+(\d+) kB", text, re.M)[1]) for key in ("Rss", "Pss")]
