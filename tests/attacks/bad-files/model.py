"""Leaves things that are no files in place of its output. Argument: which."""

import os
import socket

from torch import nn

FILES = ("logits.npy", "model.safetensors", "log.jsonl", "environment.json")


def sparse(name):
    with open(name, "wb") as file:
        file.truncate(3 << 20)


def unix(name):
    socket.socket(socket.AF_UNIX).bind(name)


VARIANTS = {
    "everything": {
        "logits.npy": lambda name: os.symlink("/etc/passwd", name), "log.jsonl": os.mkfifo, "environment.json": unix,
        "model.safetensors": os.mkdir, "failure.json": sparse,
    },
    "link-and-large": {
        "logits.npy": lambda name: os.symlink("../../ledger/records.jsonl", name),
        "log.jsonl": lambda name: os.posix_fallocate(os.open(name, os.O_CREAT | os.O_WRONLY), 0, 20 << 20),
    },
}  # fmt: skip


def build(num_classes, in_chans, img_size, variant):
    os.chdir("/output")
    for name in FILES:
        os.path.exists(name) and os.unlink(name)
        with open(name, "wb") as file:
            file.write(b"{}")
    for name, make in VARIANTS[variant].items():
        os.path.exists(name) and os.unlink(name)
        make(name)
    os._exit(0)
    return nn.Linear(in_chans * img_size**2, num_classes)
