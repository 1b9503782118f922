"""Probes."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from lab.node.probes import Tally, ask, parse

CONTAINER = {"ports": [{"name": "http", "containerPort": 8080}]}


def http(**spec):
    probe = parse({"httpGet": {"path": "/healthz", "port": "http"}} | spec, CONTAINER, "10.244.1.1")
    assert probe is not None
    return probe


def results(probe, passing, *outcomes):
    tally = Tally(probe, passing)
    return [tally.add(outcome) for outcome in outcomes]


def test_the_apis_defaults_are_filled_in():
    probe = http()
    assert (probe.period_seconds, probe.timeout_seconds, probe.failure_threshold, probe.success_threshold) == (
        10,
        1,
        3,
        1,
    )
    assert (probe.host, probe.port) == ("10.244.1.1", 8080)


def test_a_port_name_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="web"):
        parse({"httpGet": {"port": "web"}}, CONTAINER, "10.244.1.1")


def test_grpc_is_refused_and_not_ignored():
    with pytest.raises(ValueError, match="httpGet"):
        parse({"grpc": {"port": 1}}, CONTAINER, "10.244.1.1")


def test_only_failures_in_a_row_reach_the_threshold():
    assert results(http(failureThreshold=2), True, False, True, False, False) == [True, True, True, False]


def test_successes_in_a_row_are_counted_too():
    assert results(http(successThreshold=2), False, True, False, True, True) == [False, False, False, True]


def test_a_probe_that_never_passed_is_exhausted_after_its_failures():
    tally = Tally(http(failureThreshold=2), passing=False)
    tally.add(False)
    assert not tally.exhausted
    tally.add(False)
    assert tally.exhausted


@asynccontextmanager
async def server(answer, seen=None):
    ended: list[asyncio.Event] = []

    async def serve(reader, writer):
        ended.append(asyncio.Event())
        request = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(request)
        if answer is not None:
            writer.write(answer)
        else:
            await reader.read()  # says nothing until the probe goes away
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        ended[-1].set()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]
        for one in ended:
            await one.wait()


@pytest.mark.parametrize(("code", "passes"), [(200, True), (399, True), (400, False), (503, False), (101, False)])
async def test_2xx_and_3xx_pass(code, passes):
    async with server(f"HTTP/1.1 {code} X\r\n\r\n".encode()) as port:
        probe = parse({"httpGet": {"port": port}}, {}, "127.0.0.1")
        assert probe is not None
        assert (await ask(probe, {}) is None) == passes


async def test_the_asked_path_and_headers_are_sent():
    seen: list[bytes] = []
    async with server(b"HTTP/1.1 200 OK\r\n\r\n", seen) as port:
        get = {"port": port, "path": "/ready?deep=1", "httpHeaders": [{"name": "X-Probe", "value": "yes"}]}
        probe = parse({"httpGet": get}, {}, "127.0.0.1")
        assert probe is not None
        assert await ask(probe, {}) is None
    assert seen[0].startswith(b"GET /ready?deep=1 HTTP/1.1\r\n")
    assert b"X-Probe: yes\r\n" in seen[0]


@pytest.mark.parametrize("answer", [b"SMTP ready\r\n", b"", None])
async def test_what_is_not_http_or_comes_too_late_fails(answer):
    async with server(answer) as port:
        probe = parse({"httpGet": {"port": port}, "timeoutSeconds": 0.2}, {}, "127.0.0.1")
        assert probe is not None
        assert await ask(probe, {})


async def test_nobody_listening_fails_and_exec_probes_go_by_the_exit_code():
    refused = parse({"tcpSocket": {"port": 1}}, {}, "127.0.0.1")
    good, bad = (parse({"exec": {"command": [program]}}, {}, "") for program in ("true", "false"))
    assert refused is not None
    assert good is not None
    assert bad is not None
    path = {"PATH": "/usr/bin:/bin"}
    assert [await ask(refused, {}) is None, await ask(good, path) is None, await ask(bad, path) is None] == [
        False, True, False,
    ]  # fmt: skip
