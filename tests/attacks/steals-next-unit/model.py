"""Looks, while another unit runs beside it, for that one's process, inputs and output; then trains honestly."""

import glob
import json
import os
import time

from torch import nn

FILES = ("job.json", "logits.npy", "log.jsonl", "test.npy", "train_labels.npy")


def look(key):
    """Files of a unit that is not this one, wherever a path leads to one."""
    roots = ["/", *glob.glob("/proc/[0-9]*/root/"), *glob.glob("/proc/[0-9]*/cwd/")]
    for root in roots:
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if name not in ("proc", "sys", "usr", "packages")]
            for path in (os.path.join(folder, name) for name in names if name in FILES):
                if "/inputs/" not in path and "/output/" not in path:
                    yield path
                elif path.endswith("job.json"):
                    with open(path) as file:
                        if json.load(file)["key"] != key:
                            yield path


def processes():
    """Command lines of all processes that can be seen."""
    found = {}
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with open(path) as file:
            found[path.split("/")[2]] = file.read().replace("\0", " ").strip()
    return found


def build(num_classes, in_chans, img_size, number):
    with open("/inputs/job.json") as file:
        key = json.load(file)["key"]
    with open(f"/tmp/{key}", "w") as file:
        file.write(key)
    began, seen = time.time(), set()
    while time.time() < began + 12:
        seen |= set(look(key))
        time.sleep(0.5)
    left = {name: sorted(os.listdir(name)) for name in ("/tmp", "/output", "/dev/shm", "/dev/mqueue")}
    with open("/proc/sysvipc/shm") as file:
        shared = file.read().splitlines()[1:]
    told = {"key": key, "files": sorted(seen), "processes": processes(), "left": left, "shared": shared}
    print(json.dumps(told | {"from": began, "to": time.time()}), flush=True)
    return nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(in_chans * (img_size // 2) ** 2, num_classes))
