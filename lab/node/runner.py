"""One container: started, probed, stopped, restarted."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import signal
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab.node import environment, images, probes
from lab.node.containers import (
    BackOff,
    ContainerState,
    Running,
    Terminated,
    ending_of,
    restarts_after,
)
from lab.node.kubeapi import ApiError, KubeApi, Object
from lab.node.processes import UNKNOWN_EXIT_CODE, Exit, Process, StartFailed
from lab.node.records import ContainerRecord, Records

log = logging.getLogger("lab.node.runner")

OOM_ANNOTATION = "node.lab/oom-on-137"
"""On a pod: exit code 137 is reported as OOMKilled. Nothing here limits memory; the reason is what is tried."""

_KINDS = {"ConfigMap": "configmaps", "Secret": "secrets"}


@dataclass(frozen=True, slots=True)
class Machine:
    """What all containers of this node share."""

    api: KubeApi
    records: Records
    bin_dir: Path
    node_name: str
    host_ip: str
    path: str
    back_off: BackOff


class Runner:
    """Runs one container of one pod until it has ended for good or is told to stop."""

    def __init__(
        self,
        machine: Machine,
        pod: Callable[[], Object],
        container: Mapping[str, Any],
        record: ContainerRecord,
        addresses: Mapping[str, str],
        changed: Callable[[], None],
    ) -> None:
        """`pod` gives the newest object; `changed` is called after each change of `record`."""
        self.record = record
        self._machine = machine
        self._pod = pod
        self._container = container
        self._addresses = addresses
        self._changed = changed
        self._stop = asyncio.Event()
        self._grace_ends = 0.0
        self._unhealthy = asyncio.Event()
        self._unhealthy_grace: float | None = None
        self._environment: dict[str, str] = {}

    def stop(self, grace_ends: float) -> None:
        """End it for good: preStop and SIGTERM now, SIGKILL at `grace_ends` (monotonic seconds).

        A second call may only bring the end nearer.
        """
        self._grace_ends = min(self._grace_ends, grace_ends) if self._stop.is_set() else grace_ends
        self._stop.set()

    async def run(self) -> None:
        """Until the end."""
        policy = self._pod()["spec"].get("restartPolicy") or "Always"
        back_off = self._machine.back_off.after_restarts(self.record.state.restarts)
        process = self._adopted()
        between_runs = process is None and self.record.state.newest_run is not None
        while True:
            if process is None and not between_runs:
                if self._stop.is_set():
                    return
                process = await self._start(back_off)
            between_runs = False
            if process is not None:
                self._ended(await self._accompany(process))
                process = None
            run = self.record.state.newest_run
            if self._stop.is_set() or run is None or not restarts_after(policy, run.exit_code):
                return
            delay, back_off = back_off.after_run(run.finished_at - run.started_at)
            delay -= max(0.0, time.time() - run.finished_at)  # counted from the end, also when nobody was looking
            if delay > 0:
                message = f"back-off {delay:.0f}s restarting failed container={self.record.state.name}"
                self._set(self.record.state.waits("CrashLoopBackOff", message))
                if await self._stopped_within(delay):
                    return

    def _adopted(self) -> Process | None:
        """The process that an agent before this one left, dead or alive; None when there is none to go on with."""
        state, attempt = self.record.state, self.record.attempt
        if attempt == 0:
            return None
        process = Process.adopt(self._directory(attempt))
        if process is None:
            return None
        if not isinstance(state.current, Running):
            if not process.ref.alive():
                return None  # its end was recorded already
            self._set(state.begun(time.time(), *self._ids(attempt)))  # killed between the start and its record
        log.info("%s: adopts process %d", self._label(), process.ref.pid)
        return process

    async def _start(self, back_off: BackOff) -> Process | None:
        """Start a process; None when the program cannot be started (a terminated run) or on stop."""
        prepared = await self._prepared(back_off)
        if prepared is None:
            return None
        image, argv = prepared
        attempt = self.record.attempt + 1
        self.record = replace(self.record, attempt=attempt)
        self._changed()  # recorded before the process exists: a new agent looks there
        metadata = self._pod()["metadata"]
        log_file = self._machine.records.log(metadata["namespace"], metadata["name"], self.record.state.name)
        try:
            process = await Process.start(argv, self._environment, self._directory(attempt), log_file)
        except StartFailed as error:
            now = time.time()
            self._set(self.record.state.begun(now, *self._ids(attempt, image)))
            self._set(self.record.state.ended(Terminated(128, "StartError", now, now, str(error))))
            return None
        self._set(self.record.state.begun(time.time(), *self._ids(attempt, image)))
        log.info("%s: started process %d", self._label(), process.ref.pid)
        return process

    async def _prepared(self, back_off: BackOff) -> tuple[images.Image, list[str]] | None:
        """Image, environment and command line; waits for what is missing, as the kubelet does. None on stop."""
        image = await self._pulled(back_off)
        while image is not None:
            try:
                self._environment = self._base_environment(image) | environment.build(
                    self._container, self._pod(), self._addresses, await self._sources()
                )
                self._probes()  # a probe that cannot be served is told before anything runs
                return image, environment.argv(self._container, str(image.program), self._environment)
            except (environment.ContainerConfigError, ValueError) as error:
                self._set(self.record.state.waits("CreateContainerConfigError", str(error)))
            except ApiError as error:
                log.warning("%s: %s; trying again", self._label(), error)
            if await self._stopped_within(1.0):
                return None
        return None

    async def _pulled(self, back_off: BackOff) -> images.Image | None:
        """The image; None on stop. One that is not there is looked for again and again, as by the kubelet."""
        reference = self._container["image"]
        delay = back_off.initial_seconds
        while True:
            try:
                return images.resolve(reference, self._machine.bin_dir)
            except images.ImageUnknown as error:
                self._set(self.record.state.waits("ErrImagePull", str(error)))
                if await self._stopped_within(min(1.0, delay)):
                    return None
                message = f'Back-off pulling image "{reference}": ErrImagePull: {error}'
                self._set(self.record.state.waits("ImagePullBackOff", message))
                if await self._stopped_within(delay):
                    return None
                delay = min(back_off.max_seconds, 2 * delay)

    def _base_environment(self, image: images.Image) -> dict[str, str]:
        """What every container has; of the agent's own environment nothing but the search path."""
        metadata = self._pod()["metadata"]
        return {
            "PATH": self._machine.path,
            "HOME": "/tmp",
            "HOSTNAME": metadata["name"],
            "POD_NAME": metadata["name"],
            "POD_IP": self._addresses["podIP"],
            "VERSION": image.version,
        }

    async def _sources(self) -> dict[tuple[str, str], Object | None]:
        found: dict[tuple[str, str], Object | None] = {}
        for kind, name in environment.needed_sources(self._container):
            path = f"/api/v1/namespaces/{self._pod()['metadata']['namespace']}/{_KINDS[kind]}/{name}"
            try:
                found[kind, name] = await self._machine.api.request("GET", path)
            except ApiError as error:
                if error.status != 404:
                    raise
                found[kind, name] = None
        return found

    async def _accompany(self, process: Process) -> Exit:
        """Probe a running process until it ends, by itself or because it is told to."""
        self._unhealthy.clear()
        if not self._environment:  # adopted: exec probes need it, and only those
            self._environment = {"PATH": self._machine.path, "POD_IP": self._addresses["podIP"]}
        probing = asyncio.create_task(self._probe())
        ended = asyncio.create_task(process.exited())
        stop = asyncio.create_task(self._stop.wait())
        unhealthy = asyncio.create_task(self._unhealthy.wait())
        tasks = (probing, ended, stop, unhealthy)
        try:
            await asyncio.wait((ended, stop, unhealthy), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await self._bring_down(process, ended)
            return await ended
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _bring_down(self, process: Process, ended: asyncio.Task[Exit]) -> None:
        if not self._stop.is_set():  # unhealthy: it is only restarted, with a grace of its own
            grace = self._unhealthy_grace
            if grace is None:
                grace = float(self._pod()["spec"].get("terminationGracePeriodSeconds", 30))
            limit = time.monotonic() + grace
        else:
            limit = self._grace_ends
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, limit - time.monotonic())):
                await self._pre_stop()
        process.signal(signal.SIGTERM)
        while not ended.done():
            if self._stop.is_set():
                limit = min(limit, self._grace_ends)
            remaining = limit - time.monotonic()
            if remaining <= 0:
                break
            await asyncio.wait((ended,), timeout=min(remaining, 0.5))  # looks again: the grace may be cut short
        process.signal(signal.SIGKILL)

    async def _pre_stop(self) -> None:
        hook = (self._container.get("lifecycle") or {}).get("preStop") or {}
        if "sleep" in hook:
            await asyncio.sleep(float(hook["sleep"]["seconds"]))
        elif hook:
            probe = probes.parse({"timeoutSeconds": 3600} | hook, self._container, self._addresses["podIP"])
            if probe is not None and (failure := await probes.ask(probe, self._environment)):
                log.warning("%s: preStop failed: %s", self._label(), failure)

    def _probes(self) -> tuple[probes.Probe | None, probes.Probe | None, probes.Probe | None]:
        startup, readiness, liveness = (
            probes.parse(self._container.get(kind), self._container, self._addresses["podIP"])
            for kind in ("startupProbe", "readinessProbe", "livenessProbe")
        )
        return startup, readiness, liveness

    async def _probe(self) -> None:
        """Startup first; readiness and liveness when that has passed."""
        startup, readiness, liveness = self._probes()
        if startup is not None and not self.record.state.started:
            await self._repeat(startup, passing=False, act=self._startup_result, until_passed=True)
        ready = self.record.state.ready or readiness is None  # an adopted one stays what it was until it is asked
        self._set(replace(self.record.state, started=True, ready=ready))
        loops: list[Coroutine[Any, Any, None]] = []
        if readiness is not None:
            loops.append(self._repeat(readiness, passing=ready, act=self._readiness_result))
        if liveness is not None:
            loops.append(self._repeat(liveness, passing=True, act=self._liveness_result))
        if loops:
            await asyncio.gather(*loops)

    async def _repeat(
        self,
        probe: probes.Probe,
        *,
        passing: bool,
        act: Callable[[probes.Probe, probes.Tally, str | None], None],
        until_passed: bool = False,
    ) -> None:
        tally = probes.Tally(probe, passing)
        run = self.record.state.current
        begun = run.started_at if isinstance(run, Running) else time.time()
        await asyncio.sleep(max(0.0, begun + probe.initial_delay_seconds - time.time()))
        while True:
            due = time.monotonic() + probe.period_seconds
            failure = await probes.ask(probe, self._environment)
            tally.add(failure is None)
            act(probe, tally, failure)
            if until_passed and tally.passing:
                return
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _readiness_result(self, _: probes.Probe, tally: probes.Tally, failure: str | None) -> None:
        if tally.passing != self.record.state.ready:
            log.info("%s: %s", self._label(), "ready" if tally.passing else f"not ready: {failure}")
            self._set(replace(self.record.state, ready=tally.passing))

    def _liveness_result(self, probe: probes.Probe, tally: probes.Tally, failure: str | None) -> None:
        if not tally.passing and not self._stop.is_set():
            self._declare_unhealthy(probe, f"liveness probe failed: {failure}")

    def _startup_result(self, probe: probes.Probe, tally: probes.Tally, failure: str | None) -> None:
        if tally.exhausted:
            self._declare_unhealthy(probe, f"startup probe failed: {failure}")

    def _declare_unhealthy(self, probe: probes.Probe, why: str) -> None:
        if not self._unhealthy.is_set():
            log.info("%s: %s", self._label(), why)
            self._unhealthy_grace = probe.grace_seconds
            self._unhealthy.set()

    def _ended(self, exit_: Exit) -> None:
        state = self.record.state
        started = state.current.started_at if isinstance(state.current, Running) else exit_.finished_at
        code = UNKNOWN_EXIT_CODE if exit_.code is None else exit_.code
        annotations = self._pod()["metadata"].get("annotations") or {}
        reason = ending_of(code, annotations.get(OOM_ANNOTATION) == "true")
        message = ""
        if exit_.code is None:
            reason, message = "ContainerStatusUnknown", "nobody saw how the process ended"
        log.info("%s: ended with %d (%s)", self._label(), code, reason)
        self._set(state.ended(Terminated(code, reason, started, exit_.finished_at, message, state.container_id)))

    async def _stopped_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        return self._stop.is_set()

    def _set(self, state: ContainerState) -> None:
        if state != self.record.state:
            self.record = replace(self.record, state=state)
            self._changed()

    def _directory(self, attempt: int) -> Path:
        return self._machine.records.attempt_dir(self._pod()["metadata"]["uid"], self.record.state.name, attempt)

    def _ids(self, attempt: int, image: images.Image | None = None) -> tuple[str, str]:
        text = f"{self._pod()['metadata']['uid']}/{self.record.state.name}/{attempt}"
        container_id = f"lab://{hashlib.sha256(text.encode()).hexdigest()}"
        return container_id, image.image_id if image else self.record.state.image_id

    def _label(self) -> str:
        metadata = self._pod()["metadata"]
        return f"{metadata['namespace']}/{metadata['name']}/{self.record.state.name}"
