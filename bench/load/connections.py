"""Many connections held open at once, for what each costs the proxy in memory."""

from __future__ import annotations

import selectors
import socket
import time
from urllib.parse import urlsplit

from peers import Process


def _request(url: str, headers: dict[str, str]) -> tuple[tuple[str, int], bytes]:
    parts = urlsplit(url)
    lines = [f"GET {parts.path} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return (parts.hostname or "", parts.port or 80), "\r\n".join([*lines, "", ""]).encode()


class _Connection:
    """One request; `started` when body bytes have come, `complete` when all of them have."""

    def __init__(self, sock: socket.socket):
        self.sock, self.head, self.body_left = sock, b"", -1
        self.started = self.complete = self.failed = False

    def receive(self) -> None:
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.failed = True
        elif self.body_left < 0:
            self.head += data
            head, end, body = self.head.partition(b"\r\n\r\n")
            if end:
                lines = head.lower().split(b"\r\n")
                length = [line for line in lines if line.startswith(b"content-length:")]
                self.failed = b" 200 " not in lines[0] + b" " or not length
                self.body_left = int(length[0].partition(b":")[2]) if length else 0
                self._take(len(body))
        else:
            self._take(len(data))

    def _take(self, count: int) -> None:
        self.body_left -= count
        self.started = self.started or count > 0
        self.complete = self.body_left <= 0


def hold(process: Process, url: str, headers: dict[str, str], count: int, streaming: bool,
         settle_seconds: float, limit_seconds: float) -> tuple[int, float, int]:
    """Opens `count` connections and sends a request on each. Idle ones have had their answer;
    streaming ones have had a part of it and go on receiving. Then, or when the limit has passed,
    measures the process while they are held.

    Returns how many are held, KiB per held connection, KiB of the whole process tree.
    """
    address, request = _request(url, headers)
    before = process.rss_kib()
    selector = selectors.DefaultSelector()
    connections: list[_Connection] = []
    end = time.monotonic() + limit_seconds

    def serve(timeout: float) -> None:
        for key, _ in selector.select(timeout):
            key.data.receive()
            if key.data.failed or (key.data.complete and not streaming):
                selector.unregister(key.fileobj)

    def held() -> int:
        return sum(not c.failed and (c.started and not c.complete if streaming else c.complete)
                   for c in connections)

    try:
        for number in range(count):
            try:
                sock = socket.create_connection(address, max(0.1, min(5, end - time.monotonic())))
                sock.sendall(request)
            except OSError:
                break
            sock.setblocking(False)
            connection = _Connection(sock)
            connections.append(connection)
            selector.register(sock, selectors.EVENT_READ, connection)
            if number % 32 == 0:
                serve(0)
            if time.monotonic() > end:
                break
        while held() < len(connections) and time.monotonic() < end:
            serve(0.1)
            if all(c.failed for c in connections):
                break
        settled = time.monotonic() + settle_seconds
        while time.monotonic() < settled:
            # Idle connections that the proxy closes meanwhile are not held.
            serve(0.05)
        if not streaming:
            for connection in connections:
                try:
                    if connection.complete and connection.sock.recv(1, socket.MSG_PEEK) == b"":
                        connection.failed = True
                except BlockingIOError:
                    pass
                except OSError:
                    connection.failed = True
        now, open_ones = process.rss_kib(), held()
    finally:
        for connection in connections:
            connection.sock.close()
        selector.close()
    return open_ones, max(0.0, (now - before) / open_ones) if open_ones else 0.0, now
