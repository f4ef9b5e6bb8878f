"""Calls home: TCP, UDP, DNS, the daemon's socket, abstract and raw sockets. Prints what it reached; trains honestly.

Arguments: port on which the test listens, on every address of the host; name of its abstract socket.
"""

import json
import os
import socket
import stat

from torch import nn

HOSTS = ("127.0.0.1", "172.17.0.1", "169.254.169.254", "192.0.2.1")
"""This machine, docker's bridge, a cloud's metadata, an address for documentation."""


def tcp(host, port):
    with socket.create_connection((host, port), timeout=1):
        return "reached"


def udp(host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"hello", (host, 53))
        return "reached"


def unix(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(1)
        one.connect(path)
        return "reached"


def made(*kind):
    with socket.socket(*kind):
        return "made"


def sockets():
    """Every socket in the file system."""
    for folder, folders, names in os.walk("/"):
        folders[:] = [name for name in folders if folder != "/" or name not in ("proc", "sys", "usr", "opt")]
        for name in names:
            path = os.path.join(folder, name)
            if stat.S_ISSOCK(os.lstat(path).st_mode):
                yield path


def build(num_classes, in_chans, img_size, port, abstract):
    attempts = {f"tcp {host}": (tcp, host, port) for host in HOSTS}
    attempts |= {f"udp {host}": (udp, host) for host in HOSTS[1:]}
    attempts |= {f"unix {path}": (unix, path) for path in ("/var/run/docker.sock", "/run/containerd/containerd.sock")}
    attempts |= {f"unix {path}": (unix, path) for path in sockets()}
    attempts |= {
        "tcp6": (tcp, "2001:db8::1", 443), "dns": (socket.getaddrinfo, "example.org", 443), "abstract": (unix, "\0" + abstract),
        "raw": (made, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP), "packet": (made, socket.AF_PACKET, socket.SOCK_RAW),
        "vsock": (made, socket.AF_VSOCK, socket.SOCK_STREAM),
    }  # fmt: skip
    found = {}
    for name, (function, *arguments) in attempts.items():
        try:
            found[name] = str(function(*arguments))
        except OSError as error:
            found[name] = f"{type(error).__name__} {error.errno}"
    with open("/proc/net/route") as file:
        routes = file.read().splitlines()[1:]
    print(json.dumps({"attempts": found, "routes": routes}))
    return nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(in_chans * (img_size // 2) ** 2, num_classes))
