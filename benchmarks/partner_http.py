"""What HTTP between nodes costs on this machine, beside a bare socket in the same run.

    PYTHONPATH=src:. python benchmarks/partner_http.py

Client and server share one process here, so throughput is that of one core for both ends.
"""

from __future__ import annotations

import os
import socket
import statistics
import threading
import time
from collections.abc import Callable

from tests.support.partners import CH, FakeNode, blob_name, log_name, running

from convenio.core.mirrorwire import Package, UploadHeader
from convenio.peer.limits import MAX_CHUNK_BYTES
from convenio.peer.service import LogRef

ROUNDS = 1_000
ORIGIN = "us.localhost/c/1"


def times(count: int, work: Callable[[], object]) -> list[float]:
    taken = []
    for _ in range(count):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return sorted(taken)


def show_latency(name: str, taken: list[float]) -> None:
    middle, late = taken[len(taken) // 2], taken[len(taken) * 99 // 100]
    print(f"{name:32} p50 {middle * 1e3:6.2f} ms   p99 {late * 1e3:6.2f} ms")


def show_rate(name: str, size: int, taken: list[float]) -> None:
    print(f"{name:32} {size / statistics.median(taken) / 1e6:6.0f} MB/s")


def bare_echo() -> None:
    """One byte there and back between two threads: the floor of any request."""
    near, far = socket.socketpair()

    def serve() -> None:
        while got := far.recv(1):
            far.sendall(got)

    thread = threading.Thread(target=serve)
    thread.start()

    def ask() -> None:
        near.sendall(b"x")
        near.recv(1)

    show_latency("bare socket", times(ROUNDS, ask))
    near.close()
    thread.join()
    far.close()


def upload(count: int) -> bytes:
    """The packages of `count` entries of 728 bytes, half as much when packed."""
    entries = [os.urandom(364).hex().encode() for _ in range(count)]
    packages = [
        Package(at, tuple(entries[at : at + 256]), (bytes(32),) * 13).encode()
        for at in range(0, count, 256)
    ]
    return UploadHeader(ORIGIN, 0, count).encode() + b"".join(packages)


def main() -> None:
    bare_echo()
    name = log_name(ORIGIN)
    node = FakeNode(checkpoints={LogRef(name, False): bytes(300)}, public={name})
    with running(node) as world:
        us, anybody = world.partner(), world.partner(None)
        show_latency("GET checkpoint", times(ROUNDS, lambda: anybody.get_checkpoint(ORIGIN)))
        show_latency("GET checkpoint, signed", times(ROUNDS, lambda: us.get_checkpoint(ORIGIN)))
        one, many = upload(1), upload(8192)
        show_latency("add-entries of one", times(ROUNDS, lambda: us.add_entries(one)))
        for compress in (True, False):
            taken = times(5, lambda packed=compress: us.add_entries(many, compress=packed))  # type: ignore[misc]
            how = "gzip" if compress else "identity"
            show_rate(f"add-entries of 8192, {how}", len(many), taken)
        chunk = os.urandom(MAX_CHUNK_BYTES)
        c = blob_name(chunk)

        def put() -> None:
            node.blobs.clear()
            us.put_blob_chunk(CH, c, 0, len(chunk), chunk)

        show_rate("PUT of 1 MiB", len(chunk), times(16, put))
        get = times(16, lambda: us.get_blob_range(CH, c, 0, len(chunk)))
        show_rate("GET of 1 MiB", len(chunk), get)


if __name__ == "__main__":
    main()
