from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from canary.errors import NotFound
from canary.git.kustomize import Kustomize, Unbuildable, find_kustomize
from canary.git.provenance import Engine
from canary.git.render import NotRendered, Render, Rendered
from tests.unit.git.world import Operator, Server, deployment, hpa, provenance

V1 = deployment("app:v1")


def _render(
    server: Server, tmp_path: Path, files: dict[str, str | None], kustomize: Kustomize | None = None, **where: Any
) -> Render:
    head = server.commit(files)
    operator = Operator(tmp_path / "cache", provenance(server, **where))
    with operator.clone() as repository:
        repository.fetch("main")
        renderer = operator.renderer(repository)
        renderer.kustomize = kustomize
        return renderer.render(head)


def _image(render: Render) -> str:
    assert isinstance(render, Rendered), render
    image: str = render.template["spec"]["containers"][0]["image"]
    return image


def _reason(render: Render) -> str:
    assert isinstance(render, NotRendered), render
    return render.reason


def test_a_deployment_is_found_in_any_yaml_file_below_the_folder(server: Server, tmp_path: Path):
    files: dict[str, str | None] = {
        "app/a/b/all.yml": f"# Deployment\n---\n{hpa(1)}---\n{V1}",
        "app/chart.tpl": "{{ Deployment checkout",
        "other/deployment.yaml": deployment("app:other"),
    }
    render = _render(server, tmp_path, files)
    assert _image(render) == "app:v1"
    assert isinstance(render, Rendered)
    assert render.sources == {"app/a/b/all.yml"}


def test_a_list_is_looked_into(server: Server, tmp_path: Path):
    listed = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [yaml.safe_load(hpa(1)), yaml.safe_load(V1)]})
    assert _image(_render(server, tmp_path, {"app/list.yaml": listed})) == "app:v1"


def test_the_whole_repository_can_be_the_folder(server: Server, tmp_path: Path):
    assert _image(_render(server, tmp_path, {"d.yaml": V1}, path="")) == "app:v1"


def test_the_engines_target_namespace_goes_before_the_manifests_own(server: Server, tmp_path: Path):
    files: dict[str, str | None] = {"app/d.yaml": V1.replace("namespace: shop", "namespace: elsewhere")}
    assert "not among the manifests" in _reason(_render(server, tmp_path, files))
    assert _image(_render(server, tmp_path, {"x": "y"}, target_namespace="shop")) == "app:v1"


def test_argo_cds_destination_is_only_for_manifests_that_name_no_namespace(server: Server, tmp_path: Path):
    unnamed: dict[str, str | None] = {"app/d.yaml": V1.replace("  namespace: shop\n", "")}
    assert _image(_render(server, tmp_path, unnamed, default_namespace="shop")) == "app:v1"
    assert "not among the manifests" in _reason(_render(server, tmp_path, {"x": "y"}, default_namespace="elsewhere"))
    assert _image(_render(server, tmp_path, {"app/d.yaml": V1}, default_namespace="elsewhere")) == "app:v1"


@pytest.mark.parametrize("name", [".argocd-source.yaml", ".argocd-source-shop.yaml"])
def test_argo_cds_own_parameters_in_the_folder_are_not_guessed(server: Server, tmp_path: Path, name: str):
    files: dict[str, str | None] = {"app/d.yaml": V1, f"app/{name}": "kustomize: {images: [app:v9]}"}
    assert name in _reason(_render(server, tmp_path, files, engine=Engine.ARGO_CD))
    assert _image(_render(server, tmp_path, {"x": "y"})) == "app:v1", "to Flux the file says nothing"


def test_a_deployment_that_is_not_there_is_absent_and_not_an_error(server: Server, tmp_path: Path):
    for files in ({"app/hpa.yaml": hpa(1)}, {"app/hpa.yaml": None, "x": "y"}):
        render = _render(server, tmp_path, dict(files))
        assert isinstance(render, NotRendered)
        assert render.absent


def test_two_of_the_same_name_are_not_guessed_between(server: Server, tmp_path: Path):
    reason = _reason(_render(server, tmp_path, {"app/a.yaml": V1, "app/b.yaml": V1}))
    assert reason == "Deployment shop/checkout is there more than once: in app/a.yaml, app/b.yaml"


@pytest.mark.parametrize(
    "content",
    [
        "kind: Deployment\nname: checkout\n\tx: [",
        "a: &a [Deployment, checkout]\nb: !!python/object:os.system x",
        "Deployment: checkout: x",
    ],
    ids=["tab", "tag", "colon"],
)
def test_a_broken_file_is_named(server: Server, tmp_path: Path, content: str):
    assert "app/broken.yaml is not YAML" in _reason(_render(server, tmp_path, {"app/broken.yaml": content}))


def test_aliases_that_explode_are_refused_in_no_time(server: Server, tmp_path: Path):
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]\n" for i in range(1, 12)
    )
    manifest = V1.replace("spec:\n  selector", "spec:\n  bomb: *a11\n  selector") if "spec:\n  selector" in V1 else V1
    started = time.monotonic()
    render = _render(server, tmp_path, {"app/d.yaml": f"{bomb}{manifest}"})
    assert "too large" in _reason(render)
    assert time.monotonic() - started < 5


def test_deep_nesting_is_refused_and_survived(server: Server, tmp_path: Path):
    deep = "kind: Deployment\nname: checkout\nx: " + "[" * 100_000
    assert "is not YAML" in _reason(_render(server, tmp_path, {"app/deep.yaml": deep}))


def test_what_the_engine_changes_itself_is_said_and_not_rendered(server: Server, tmp_path: Path):
    reason = _reason(_render(server, tmp_path, {"app/d.yaml": V1}, transforms=("images", "postBuild")))
    assert reason.startswith("Kustomization flux-system/shop changes what Git says by its own images, postBuild")


def test_a_symbolic_link_is_not_followed(server: Server, tmp_path: Path, kustomize: Kustomize):
    (tmp_path / "secret.yaml").write_text(V1)
    (server.work / "app").mkdir()
    (server.work / "app" / "d.yaml").symlink_to(tmp_path / "secret.yaml")
    server.git("add", "-A")
    server.git("commit", "-q", "-m", "link")
    server.git("push", "-q", "origin", "main")
    assert "not among" in _reason(_render(server, tmp_path, {"app/hpa.yaml": hpa(1)}))
    assert "a symbolic link" in _reason(
        _render(server, tmp_path, {"app/kustomization.yaml": "resources: [d.yaml]"}, kustomize)
    )


def test_a_kustomization_is_built_with_its_bases_patches_and_generators(
    server: Server, tmp_path: Path, kustomize: Kustomize
):
    files: dict[str, str | None] = {
        "base/kustomization.yaml": "resources: [deployment.yaml]\n",
        "base/deployment.yaml": deployment("app:v0"),
        "shared/patch.yaml": yaml.safe_dump(
            [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "app:v1"}]
        ),
        "app/kustomization.yaml": yaml.safe_dump(
            {
                "resources": ["../base"],
                "patches": [{"path": "../shared/patch.yaml", "target": {"kind": "Deployment"}}],
                "configMapGenerator": [
                    {"name": "settings", "files": ["settings.ini"], "literals": ["URL=https://example.org"]}
                ],
            }
        ),
        "app/settings.ini": "a=b\n",
    }
    render = _render(server, tmp_path, files, kustomize)
    assert _image(render) == "app:v1"
    assert isinstance(render, Rendered)
    assert {"base/deployment.yaml", "shared/patch.yaml", "app/settings.ini"} <= render.sources


def test_a_kustomization_below_a_plain_folder_is_built(server: Server, tmp_path: Path, kustomize: Kustomize):
    files: dict[str, str | None] = {
        "app/hpa.yaml": hpa(1),
        "app/web/kustomization.yaml": "resources: [d.yaml]\nimages: [{name: app, newTag: v7}]\n",
        "app/web/d.yaml": V1,
    }
    assert _image(_render(server, tmp_path, files, kustomize)) == "app:v7"


def test_without_the_program_a_kustomization_is_not_rendered_and_it_is_said(server: Server, tmp_path: Path):
    assert "no kustomize program" in _reason(
        _render(server, tmp_path, {"app/kustomization.yaml": "resources: []", "app/d.yaml": V1})
    )


@pytest.mark.parametrize(
    "kustomization",
    [
        "resources: ['https://example.org/x.yaml']", "resources: ['github.com/org/repo?ref=main']", "resources: [/etc/hostname]",
        "resources: [../../../../etc/hostname]", "configMapGenerator: [{name: x, files: [/etc/hostname]}]",
        "configMapGenerator: [{name: x, files: ['key=../../../etc/hostname']}]", "patches: [{path: 'http://127.0.0.1:1/x'}]",
        "configMapGenerator: [{name: x, envs: [/proc/self/environ]}]", "openapi: {path: /etc/hostname}", "bases: ['git::https://x/y']",
        "components: ['ssh://git@x/y']", "replacements: [{path: /etc/hostname}]", "helmCharts: [{name: x, repo: 'https://x'}]",
        "generators: [x.yaml]", "transformers: [x.yaml]", "resources: x", "[]",
    ],
)  # fmt: skip
def test_a_kustomization_reads_nothing_but_its_repository(
    server: Server, tmp_path: Path, kustomize: Kustomize, kustomization: str
):
    reason = _reason(
        _render(server, tmp_path, {"app/kustomization.yaml": f"{kustomization}\n", "app/x.yaml": V1}, kustomize)
    )
    assert reason.startswith("app/kustomization.yaml"), reason


def test_a_build_error_is_told_in_the_programs_words(server: Server, tmp_path: Path, kustomize: Kustomize):
    reason = _reason(
        _render(server, tmp_path, {"app/kustomization.yaml": "nonsense: true\n", "app/d.yaml": V1}, kustomize)
    )
    assert "kustomize build of app fails" in reason
    assert "nonsense" in reason
    assert str(tmp_path) not in reason
    assert "canary-kustomize-" not in reason


def test_a_build_that_hangs_is_stopped(tmp_path: Path):
    program = tmp_path / "kustomize"
    program.write_text("#!/bin/sh\n/bin/sleep 60\n")
    program.chmod(0o755)
    with pytest.raises(Unbuildable, match="too long"):
        Kustomize(program, timeout_seconds=0.2).build({"app/kustomization.yaml": b""}, "app")


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", ".git/hooks/x", "a\0b"])
def test_no_file_is_written_outside_the_build_folder(tmp_path: Path, path: str):
    with pytest.raises(Unbuildable, match="not a path that is written out"):
        Kustomize(Path("/bin/true")).build({path: b"x"}, "app")


def test_a_misspelt_program_is_an_error_and_not_a_missing_feature(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(NotFound, match="/no/such/kustomize"):
        find_kustomize("/no/such/kustomize")
    monkeypatch.delenv("CANARY_KUSTOMIZE", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    assert find_kustomize() is None
    assert os.environ["PATH"] == "/nonexistent"
