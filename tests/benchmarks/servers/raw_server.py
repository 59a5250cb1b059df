"""``raw_server.py PORT DIRECTORY``: PUT and DELETE of files, the body spliced from the socket into the file.

A thread for each connection, no temporary file, no rename, no check of anything: not a server, a yardstick.
"""

import fcntl
import os
import socket
import sys
import threading
from typing import Final

_PIPE_SIZE: Final = 1 << 20


def _serve(connection: socket.socket, root: str) -> None:
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
    received = b""
    while True:
        while b"\r\n\r\n" not in received:
            piece = connection.recv(1 << 16)
            if not piece:
                os.close(read_end)
                os.close(write_end)
                connection.close()
                return
            received += piece
        head, _, received = received.partition(b"\r\n\r\n")
        method, target, _ = head.split(b" ", 2)
        path = root + target.decode()
        status = b"200 OK"
        if method == b"PUT":
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            _store(connection, (read_end, write_end), path, received[:length], length)
            received = received[length:]
            status = b"201 Created"
        elif method == b"DELETE":
            os.unlink(path)
            status = b"204 No Content"
        connection.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")


def _store(connection: socket.socket, pipe: tuple[int, int], path: str, first: bytes, length: int) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.write(file, first)
    left = length - len(first)
    while left:
        in_pipe = os.splice(connection.fileno(), pipe[1], min(left, _PIPE_SIZE))
        if not in_pipe:
            raise ConnectionError("the client hung up")
        left -= in_pipe
        while in_pipe:
            in_pipe -= os.splice(pipe[0], file, in_pipe)
    os.close(file)


def main() -> None:
    """Serve for ever."""
    port, root = sys.argv[1:]
    with socket.create_server(("127.0.0.1", int(port)), backlog=128) as listener:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_serve, args=(connection, root), daemon=True).start()


if __name__ == "__main__":
    main()
