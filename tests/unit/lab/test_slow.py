"""The door in front of a part."""

from __future__ import annotations

import socket

from lab.slow import SlowDoor


def test_a_door_that_is_closed_with_connections_open_says_nothing(caplog):
    with socket.create_server(("127.0.0.1", 0)) as part, socket.create_server(("127.0.0.1", 0)) as free:
        listen = free.getsockname()
        free.close()
        door = SlowDoor(listen, part.getsockname())
        with socket.create_connection(listen) as client:
            client.sendall(b"hello")
            inside, _ = part.accept()
            with inside:
                assert inside.recv(5) == b"hello"
                door.close()
    assert not caplog.records
