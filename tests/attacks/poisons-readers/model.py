"""Leaves text on which its readers fail in ways that they do not expect. Argument: which."""

import os
import struct

import numpy as np
from safetensors.numpy import save_file
from torch import nn

LOG = '{"epoch": 1, "epochs": 2}\n{"epoch": 2, "epochs": 2}\n'
VARIANTS = {
    "deep-log": {"log.jsonl": (LOG + "[" * 60_000 + "\n").encode()},
    "deep-environment": {"environment.json": b'{"x": ' + b"[" * 950 + b"]" * 950 + b"}"},
    "infinite": {"environment.json": b'{"x": 1e999}'},
    "header": {
        "logits.npy": b"\x93NUMPY\x01\x00" + struct.pack("<H", 64) + b"{'descr': (".ljust(64) + bytes(48 * 24 * 4)
    },
}


def build(num_classes, in_chans, img_size, variant):
    os.chdir("/output")
    np.save("logits.npy", np.zeros((len(np.load("/inputs/test.npy", mmap_mode="r")), num_classes), dtype=np.float32))
    save_file({"weight": np.zeros(3, dtype=np.float32)}, "model.safetensors")
    for name, content in ({"log.jsonl": LOG.encode(), "environment.json": b"{}"} | VARIANTS[variant]).items():
        with open(name, "wb") as file:
            file.write(content)
    os._exit(0)
    return nn.Linear(in_chans * img_size**2, num_classes)
