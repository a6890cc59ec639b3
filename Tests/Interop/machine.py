"""How much of the machine is left for a test: pictures that come late because others compile say nothing of Petrel."""
import os

TICK = os.sysconf("SC_CLK_TCK")


def _busy():
    """Seconds that all processors were busy, and seconds in all."""
    with open("/proc/stat") as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICK, sum(fields) / TICK


def _tree():
    """Processor seconds of this process and everything it has started that still runs, by process."""
    parents, used = {}, {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents[int(name)] = int(fields[1])
        used[int(name)] = (int(fields[11]) + int(fields[12])) / TICK
    mine = {os.getpid()}
    while more := {child for child, parent in parents.items() if parent in mine} - mine:
        mine |= more
    return {process: used[process] for process in mine if process in used}


class Machine:
    """Counts from when it is made."""

    def __init__(self):
        self.busy, self.all = _busy()
        self.own = _tree()

    def others(self):
        """The share of the machine that other programs have taken since; to be asked while ours still run."""
        busy, everything = _busy()
        own = sum(used - self.own.get(process, 0.0) for process, used in _tree().items())
        return max(0.0, (busy - self.busy - own) / max(1e-3, everything - self.all))
