"""The demo app and the load generator, as they are run."""

import json
import signal
import subprocess
import time
from contextlib import contextmanager

import httpx
import pytest

from tests.unit.lab.node.conftest import GO_MODULE

ADDRESS = "127.0.93.1"
URL = f"http://{ADDRESS}:8080"


@contextmanager
def app(programs, **env):
    settings = {"POD_IP": ADDRESS, "VERSION": "v1", "POD_NAME": "p1", "PRESTOP_S": "0.3"} | env
    process = subprocess.Popen([programs / "app"], env=settings, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
async def http():
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        yield client


async def serving(http):
    limit = time.monotonic() + 10
    while True:
        try:
            await http.get(f"{URL}/livez")
        except httpx.ConnectError:
            assert time.monotonic() < limit
        else:
            return


def load(programs, *arguments):
    return subprocess.Popen([programs / "load", "-url", URL, *arguments], stdout=subprocess.PIPE, stdin=subprocess.PIPE)


def lines_of(output):
    return [json.loads(line) for line in output.splitlines()]


def test_the_go_modules_own_tests_pass():
    ran = subprocess.run(
        ["go", "test", "./..."], cwd=GO_MODULE, capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


async def test_the_load_generator_counts_by_version_and_tells_injected_errors_from_failures(programs, http):
    with app(programs, ERROR_RATIO="0.5"):
        await serving(http)
        output, _ = load(programs, "-rate", "400", "-duration", "1s", "-every", "100ms").communicate(timeout=20)
        metrics = (await http.get(f"{URL}/metrics")).text
    *lines, summary = lines_of(output)
    assert summary["summary"] is True
    assert len(lines) >= 5
    assert summary["failed"] == 0
    assert summary["ok"] + summary["injected"] == summary["requests"]
    assert summary["injected"] > 100
    assert summary["versions"]["v1"]["statuses"] == {"200": summary["ok"], "500": summary["injected"]}
    per_second = [n for line in [*lines, summary] for second in line["seconds"] for n in second["counts"]]
    assert sum(n["requests"] for n in per_second) == summary["requests"]
    assert f'http_requests_total{{code="500",method="GET"}} {summary["injected"]}' in metrics


async def test_a_draining_app_loses_no_request_of_those_who_leave_in_time(programs, http):
    with app(programs, LATENCY_MS="50") as process:
        await serving(http)
        pending = load(programs, "-rate", "100", "-duration", "500ms", "-every", "50ms")
        assert pending.stdout is not None
        while json.loads(pending.stdout.readline())["requests"] < 30:
            pass  # bounded by -duration
        process.send_signal(signal.SIGTERM)
        output, _ = pending.communicate(timeout=20)
        assert process.wait(timeout=10) == 0
    assert lines_of(output)[-1]["failed"] == 0


async def test_readiness_fails_at_once_on_sigterm_while_requests_are_served(programs, http):
    with app(programs, PRESTOP_S="5") as process:
        await serving(http)
        assert (await http.get(f"{URL}/healthz")).status_code == 200
        process.send_signal(signal.SIGTERM)
        limit = time.monotonic() + 4
        while (await http.get(f"{URL}/healthz")).status_code != 503:
            assert time.monotonic() < limit
        answer = await http.get(URL)
        assert (answer.status_code, answer.headers["x-app-version"], answer.headers["x-pod"]) == (200, "v1", "p1")


async def test_a_crash_is_a_failed_request_and_has_the_exit_code_it_was_told(programs, http):
    with app(programs, CRASH_AFTER_S="0.5", CRASH_EXIT_CODE="3") as process:
        await serving(http)
        output, _ = load(programs, "-rate", "200", "-duration", "1s").communicate(timeout=20)
        assert process.wait(timeout=10) == 3
    summary = lines_of(output)[-1]
    assert summary["failed"] > 0
    assert any("refused" in kind for kind in summary["failed_kinds"])


def test_the_load_generator_ends_with_a_summary_on_sigterm_and_obeys_stdin(programs):
    with app(programs):
        process = load(programs, "-rate", "1", "-control")
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"rate 500\n")
        process.stdin.flush()
        limit = time.monotonic() + 10
        while json.loads(process.stdout.readline())["requests"] < 100:
            assert time.monotonic() < limit
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=10)
    assert lines_of(output)[-1]["summary"] is True
    assert process.returncode == 0


def test_the_bound_on_requests_ends_a_run(programs):
    with app(programs):
        output, _ = load(programs, "-rate", "1000", "-max", "50").communicate(timeout=20)
    summary = lines_of(output)[-1]
    assert summary["requests"] + summary["dropped"] == 50


def test_public_addresses_get_no_load(programs):
    ran = subprocess.run(
        [programs / "load", "-url", "http://203.0.113.1/"], capture_output=True, text=True, timeout=10, check=False
    )
    assert ran.returncode != 0
    assert "neither a loopback nor a private address" in ran.stderr


async def test_a_slow_start_is_slow(programs, http):
    begun = time.monotonic()
    with app(programs, START_DELAY_S="0.5") as process:
        await serving(http)
        assert time.monotonic() - begun >= 0.5
        assert process.poll() is None
