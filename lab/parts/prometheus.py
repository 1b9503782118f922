"""Prometheus, scraping each second: Envoy, pods that ask for it, and what a test adds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from typing_extensions import override

from lab import binaries
from lab.namespace import SYSTEM_ADDRESS
from lab.parts import gateway
from lab.parts.part import Part, answers
from lab.slow import SlowDoor

PORT: Final = 9090
URL: Final = f"http://{SYSTEM_ADDRESS}:{PORT}"
_OWN_PORT: Final = 9091
_META: Final = "__meta_kubernetes_pod"


class Prometheus(Part):
    """Its own port is on the loopback; clients come through a door that can be slow."""

    name = "prometheus"

    @override
    def prepare(self) -> None:
        (self.folder / "targets").mkdir(exist_ok=True)
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(self._configuration()))
        self.door = SlowDoor((SYSTEM_ADDRESS, PORT), ("127.0.0.1", _OWN_PORT))

    @override
    def command(self) -> Sequence[str | Path]:
        return [
            binaries.find("prometheus"),
            f"--config.file={self.folder}/prometheus.yml",
            f"--storage.tsdb.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{_OWN_PORT}",
            "--log.level=warn",
            "--query.lookback-delta=15s",  # short against 5 m, long against the scrapes of 1 s
        ]

    @override
    def ready(self) -> object:
        return answers(f"http://127.0.0.1:{_OWN_PORT}/-/ready")

    @override
    def end(self) -> None:
        super().end()
        if self._process is not None:
            self.door.close()

    def scrape(self, job: str, address: str, labels: dict[str, str], path: str) -> None:
        """Add one target, taken up within a second or so."""
        target = {"targets": [address], "labels": {"job": job, "__metrics_path__": path, **labels}}
        file = self._targets(job)
        part = file.with_suffix(".part")
        part.write_text(json.dumps([target]))
        part.rename(file)

    def forget(self, job: str) -> None:
        """Take a target that was added away again."""
        self._targets(job).unlink(missing_ok=True)

    def _targets(self, job: str) -> Path:
        return self.folder / "targets" / f"{job}.json"

    def _configuration(self) -> dict[str, Any]:
        envoy = {
            "job_name": "envoy",
            "metrics_path": "/stats/prometheus",
            "static_configs": [{"targets": [f"127.0.0.1:{gateway.ADMIN_PORT}"]}],
        }
        added = {
            "job_name": "added",
            "file_sd_configs": [{"files": [f"{self.folder}/targets/*.json"], "refresh_interval": "1s"}],
        }
        return {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "scrape_configs": [envoy, self._pods(), added],
        }

    def _pods(self) -> dict[str, Any]:
        def copy(source: str, target: str) -> dict[str, Any]:
            return {"source_labels": [source], "target_label": target}

        annotation = f"{_META}_annotation_prometheus_io"
        return {
            "job_name": "pods",
            # Stands for kubernetes_sd_configs, which Debian's build lacks; the rest is as in a cluster.
            "file_sd_configs": [
                {"files": [str(self.lab.folder / "discovery" / "pods.json")], "refresh_interval": "5s"}
            ],
            "relabel_configs": [
                {"source_labels": [f"{annotation}_scrape"], "regex": "true", "action": "keep"},
                # A pod without an address yet, and one that has ended, cannot be asked.
                {"source_labels": [f"{_META}_ip"], "regex": ".+", "action": "keep"},
                {"source_labels": [f"{_META}_phase"], "regex": "Succeeded|Failed", "action": "drop"},
                {"source_labels": [f"{annotation}_path"], "regex": "(.+)", "target_label": "__metrics_path__"},
                {
                    "source_labels": [f"{_META}_ip", f"{annotation}_port"],
                    "separator": ":",
                    "regex": "(.+:.+)",
                    "target_label": "__address__",
                },
                {"regex": f"{_META}_label_(.+)", "action": "labelmap"},
                copy("__meta_kubernetes_namespace", "namespace"),
                copy(f"{_META}_name", "pod"),
                copy(f"{_META}_node_name", "node"),
            ],
        }
