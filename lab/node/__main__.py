"""`python -m lab.node --kubeconfig PATH --state-dir DIR --bin-dir DIR`: run the node, or end its pods (`--sweep`)."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from pathlib import Path

from lab.node.addresses import Addresses
from lab.node.agent import Agent
from lab.node.containers import BackOff
from lab.node.kubeapi import KubeApi
from lab.node.records import Records
from lab.node.runner import Machine
from lab.node.scheduling import Room, quantity


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m lab.node", description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True, help="what survives a restart; one agent each")
    parser.add_argument("--sweep", action="store_true", help="end every process recorded in the state directory")
    parser.add_argument("--kubeconfig", type=Path, help="an identity that may write nodes, pods and bindings")
    parser.add_argument("--bin-dir", type=Path, help="where the programs are that images stand for (app, load)")
    parser.add_argument("--pod-cidr", default="10.244.0.0/16", help="every address of it must be local")
    parser.add_argument("--first-ip", help="first pod address; x.y.1.1 of the network when not given")
    parser.add_argument("--node", default="n1", help="name of the Node")
    parser.add_argument("--node-ip", default="10.244.0.1", help="the Node's own address")
    parser.add_argument("--max-pods", type=int, default=110, help="the Node's annotation node.lab/max-pods wins")
    parser.add_argument("--cpu", default="64", help="allocatable cores; nothing enforces them but scheduling")
    parser.add_argument("--memory", default="256Gi", help="allocatable memory, likewise")
    parser.add_argument("--back-off", type=float, default=10.0, help="seconds before the second restart, then doubling")
    parser.add_argument("--back-off-max", type=float, default=300.0, help="seconds, the longest")
    parsed = parser.parse_args(arguments)
    if not parsed.sweep and not (parsed.kubeconfig and parsed.bin_dir):
        parser.error("--kubeconfig and --bin-dir are needed to run the node")
    return parsed


async def run(arguments: argparse.Namespace) -> None:
    """Until SIGTERM or SIGINT; the pods stay."""
    api = KubeApi.from_kubeconfig(arguments.kubeconfig)
    bin_dir = arguments.bin_dir.resolve()
    machine = Machine(
        api=api,
        records=Records(arguments.state_dir.resolve()),
        bin_dir=bin_dir,
        node_name=arguments.node,
        host_ip=arguments.node_ip,
        path=f"{bin_dir}:{os.environ.get('PATH', '/usr/bin:/bin')}",
        back_off=BackOff(arguments.back_off, arguments.back_off_max),
    )
    room = Room(quantity(arguments.cpu), quantity(arguments.memory), arguments.max_pods)
    agent = Agent(machine, Addresses(arguments.pod_cidr, arguments.first_ip), room)
    task = asyncio.create_task(agent.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await api.aclose()


def main() -> int:
    """Run it."""
    arguments = parse(sys.argv[1:])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if arguments.sweep:
        print(f"ended {Records(arguments.state_dir.resolve()).sweep()} processes")
        return 0
    asyncio.run(run(arguments))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
