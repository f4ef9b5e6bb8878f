"""Leaves a process behind that has left its session and ignores signals; then trains honestly.

Argument: the name of that process, by which the test looks for it on the host.
"""

import os
import signal
import time

from torch import nn


def build(num_classes, in_chans, img_size, marker):
    if not os.path.exists("/inputs/job.json"):
        raise RuntimeError("only for the container")
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(one, signal.SIG_IGN)
            os.execv("/bin/sleep", [marker, "3600"])
        os._exit(0)
    os.wait()
    time.sleep(0.5)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with open(f"/proc/{pid}/cmdline") as file:
            if file.read().startswith(marker):
                print(f"running as {pid}, child of {os.getpid()}", flush=True)
    return nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(in_chans * (img_size // 2) ** 2, num_classes))
