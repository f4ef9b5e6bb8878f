"""Leaves pickles that would touch a file where they are loaded. Arguments: in which output, and that file."""

import json
import os
import pickle

import numpy as np
from safetensors.numpy import save_file
from torch import nn


class Bomb:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def build(num_classes, in_chans, img_size, variant, path):
    os.chdir("/output")
    images = len(np.load("/inputs/test.npy", mmap_mode="r"))
    if variant == "logits":
        objects = np.empty((images, num_classes), dtype=object)
        objects[:] = Bomb(path)
        np.save("logits.npy", objects, allow_pickle=True)
    else:
        np.save("logits.npy", np.zeros((images, num_classes), dtype=np.float32))
    if variant == "checkpoint":
        with open("model.safetensors", "wb") as file:
            pickle.dump({"weight": Bomb(path)}, file)
    else:
        save_file({"weight": np.zeros(3, dtype=np.float32)}, "model.safetensors")
    with open("/inputs/job.json") as file:
        epochs = json.load(file)["epochs"]
    with open("log.jsonl", "w") as file:
        file.writelines(json.dumps({"epoch": epoch + 1, "epochs": epochs}) + "\n" for epoch in range(epochs))
    with open("environment.json", "w") as file:
        file.write("{}")
    os._exit(0)
    return nn.Linear(in_chans * img_size**2, num_classes)
