"""Where the lab's programs come from."""

from __future__ import annotations

import pytest

from lab import binaries


@pytest.mark.parametrize("variable", ["CANARY_LAB_BIN", "KUBEBUILDER_ASSETS"])
def test_a_program_in_the_users_folder_is_taken_without_building(monkeypatch, tmp_path, variable):
    for name in ("CANARY_LAB_BIN", "KUBEBUILDER_ASSETS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "etcd").touch()
    monkeypatch.setenv(variable, str(tmp_path))
    assert binaries.find("etcd") == tmp_path / "etcd"


def test_the_labs_own_folder_wins_over_kubebuilders(monkeypatch, tmp_path):
    for folder, variable in (("ours", "CANARY_LAB_BIN"), ("theirs", "KUBEBUILDER_ASSETS")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "kubectl").touch()
        monkeypatch.setenv(variable, str(tmp_path / folder))
    assert binaries.find("kubectl") == tmp_path / "ours" / "kubectl"


def test_an_unknown_program_is_refused_with_the_names_that_there_are():
    with pytest.raises(binaries.BinaryMissing, match=r"no program 'kubelet'.*contour.*etcd"):
        binaries.find("kubelet")


def test_without_go_the_error_names_the_program_and_both_ways_out(monkeypatch, tmp_path):
    for name in ("CANARY_LAB_BIN", "KUBEBUILDER_ASSETS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    recipe = binaries.Recipe("etcd", "0.0.0", {"etcd": "example.com/etcd"})
    with pytest.raises(binaries.BinaryMissing, match=r"etcd: Go .* is needed.*CANARY_LAB_BIN"):
        binaries.made(recipe)


def test_every_recipe_is_pinned_by_checksums():
    for recipe in binaries.RECIPES:
        assert (recipe.source / "go.mod").is_file(), recipe.name
        if recipe.name != "programs":  # the standard library only
            assert f"v{recipe.version}" in (recipe.source / "go.mod").read_text()
            assert (recipe.source / "go.sum").read_text().strip(), recipe.name


def test_what_is_not_there_is_told_without_building_it(monkeypatch, tmp_path):
    for name in ("CANARY_LAB_BIN", "KUBEBUILDER_ASSETS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert {name: binaries.present(name) for name in ("kustomize", "prometheus")} == {
        "kustomize": None,
        "prometheus": None,
    }
    assert list(tmp_path.rglob("*")) == [tmp_path / "canary-lab"]


def test_what_was_built_or_unpacked_before_is_found(monkeypatch, tmp_path):
    for name in ("CANARY_LAB_BIN", "KUBEBUILDER_ASSETS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    recipe = next(recipe for recipe in binaries.RECIPES if "kustomize" in recipe.commands)
    monkeypatch.setattr(binaries, "_make", lambda _recipe, target: (target.mkdir(), (target / "kustomize").touch()))
    monkeypatch.setattr("shutil.which", lambda _name, **_: "/usr/bin/true")
    binaries.made.cache_clear()
    folder = binaries.made(recipe)
    binaries.made.cache_clear()
    unpacked = tmp_path / "canary-lab/prometheus-debian/usr/bin/prometheus"
    unpacked.parent.mkdir(parents=True)
    unpacked.touch()
    monkeypatch.setattr("shutil.which", lambda _name, **_: None)
    assert binaries.present("kustomize") == folder / "kustomize"
    assert binaries.present("prometheus") == unpacked
