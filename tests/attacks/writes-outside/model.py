"""Writes, links, renames, removes, mounts and makes devices everywhere. Prints what worked; then trains honestly.

Argument: name of the files, by which the test looks for them on the host.
"""

import ctypes
import json
import os
import stat

from torch import nn

KERNEL = (
    "/proc/sys/kernel/core_pattern",
    "/proc/sysrq-trigger",
    "/proc/self/oom_score_adj",
    "/sys/kernel/uevent_helper",
)
LIBC = ctypes.CDLL(None, use_errno=True)


def write(path):
    with open(path, "x") as file:
        file.write("here I was")


def overwrite(path, data="1"):
    with open(path, "w") as file:
        file.write(data)


def call(function, *arguments):
    if function(*arguments):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def folders():
    """Every folder that its rights let this process write to."""
    for folder, inner, _ in os.walk("/"):
        if folder == "/":
            inner[:] = [name for name in inner if name != "proc"]
        if os.access(folder, os.W_OK):
            yield folder


def build(num_classes, in_chans, img_size, marker):
    if not os.path.exists("/inputs/job.json"):
        raise RuntimeError("only for the container")
    places = (
        "/",
        "/inputs",
        "/inputs/code",
        "/opt/karyobench",
        "/etc",
        "/usr/local/bin",
        "/home",
        "/root",
        "/var/tmp",
        "/sys/fs/cgroup",
    )
    attempts = {f"write {place}": (write, f"{place}/{marker}") for place in places}
    attempts |= {f"overwrite {path}": (overwrite, path, "-1000") for path in KERNEL}
    attempts |= {
        "append to the labels": (overwrite, "/inputs/train_labels.npy"),
        "append to the harness": (overwrite, "/opt/karyobench/benchmark/training/worker.py"),
        "rename an input": (os.rename, "/inputs/test.npy", "/inputs/train.npy"),
        "remove an input": (os.unlink, "/inputs/test.npy"),
        "rights of an input": (os.chmod, "/inputs/test.npy", 0o777),
        "times of an input": (os.utime, "/inputs/test.npy", (1, 1)),
        "hard link from an input": (os.link, "/inputs/test.npy", f"/output/{marker}"),
        "hard link to an input": (os.link, "/inputs/job.json", f"/inputs/{marker}"),
        "device": (os.mknod, f"/output/{marker}", stat.S_IFBLK | 0o600, os.makedev(254, 0)),
        "mount again": (call, LIBC.mount, b"none", b"/inputs", None, 32 | 4096, None),
        "mount a file system": (call, LIBC.mount, b"proc", b"/tmp", b"proc", 0, None),
        "unmount": (call, LIBC.umount2, b"/inputs", 2),
        "user namespace": (call, LIBC.unshare, 0x10000000),
        "become root": (os.setuid, 0),
        "other root": (os.chroot, "/tmp"),
    }  # fmt: skip
    found = {}
    for name, (function, *arguments) in attempts.items():
        try:
            function(*arguments)
            found[name] = "done"
        except OSError as error:
            found[name] = os.strerror(error.errno)
    with open("/proc/self/status") as file:
        status = dict(line.strip().split(":\t", 1) for line in file if ":\t" in line)
    print(json.dumps({"attempts": found, "folders": sorted(folders()), "status": status}))
    return nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(in_chans * (img_size // 2) ** 2, num_classes))
