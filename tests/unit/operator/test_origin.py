"""Which engine's records a Deployment's origin is read from, and what is told when none confirm it."""

from __future__ import annotations

from typing import Any

import pytest

from canary.core.phases import Phase
from canary.core.state import Release, Revert, Revision, State
from canary.operator import kinds
from canary.operator.cache import Cache
from canary.operator.interests import Interests, targets_of
from canary.operator.origin import Origin, applied_now, commit_now, held_up, origin_of
from tests.unit.git.applications import BAD, BEFORE, NEWER, application, changed, deployment, trying_again
from tests.unit.git.test_flux import DEPLOYMENT, KUSTOMIZATION, REPOSITORY

PUSHED = Revert("Reverted", final=True, commit=NEWER, at=1_800_000_000.0)  # after every operation of the samples


def cache(**objects: dict[str, Any]) -> Cache:
    made = Cache()
    for name, obj in objects.items():
        kind = {"app": kinds.APPLICATION, "kustomization": kinds.KUSTOMIZATION, "repository": kinds.GIT_REPOSITORY}
        made.put(kind[name], changed(obj))
    return made


def origin(objects: Cache, tracked: dict[str, Any] | None = None) -> Origin:
    return origin_of(objects, tracked or deployment(), "argocd")


def after(revert: Revert | None) -> State:
    release = Release("r-1", Revision("t", "v"), 1, 0.0, revert=revert)
    return State(phase=Phase.AWAITING_GIT, release=release)


def test_an_application_that_lists_the_deployment_is_its_origin():
    found = origin(cache(app=application()))
    assert found.provenance is not None
    assert found.provenance.owner.name == "shop"
    assert (found.fetched, applied_now(found)) == (BEFORE, BEFORE)


def test_the_commit_of_a_new_template_is_the_one_that_is_applied_just_now_else_the_newest_that_was_compared():
    for app, commit in (
        (trying_again(status__sync__revision=NEWER), BAD),
        (trying_again(status__sync__revision=BEFORE), BAD),
        (application(status__sync__revision=NEWER), NEWER),
    ):
        assert commit_now(origin(cache(app=app)), new_template=True) == commit


def test_the_commit_of_a_known_template_is_the_one_that_was_tried():
    found = origin(cache(app=trying_again(status__sync__revision=NEWER)))
    assert commit_now(found, new_template=False) == BAD
    assert applied_now(found) == "", "it applies another just now"


def test_without_application_kinds_in_the_cluster_the_missing_application_is_told():
    found = origin(cache())
    assert found.provenance is None
    assert "Application argocd/shop, which its tracking id names, does not exist" in found.reason


def test_a_charts_label_alone_does_not_mean_argo_cd():
    assert origin(cache(), deployment(None, **{"app.kubernetes.io/instance": "shop"})) == Origin()


def test_of_two_engines_marks_the_one_that_is_confirmed_counts():
    both = changed(deployment(), metadata__labels=DEPLOYMENT["metadata"]["labels"])
    flux = {"kustomization": KUSTOMIZATION, "repository": REPOSITORY}
    unlisted = application(status__resources=[])
    for objects, engine in (
        (cache(app=application()), "ArgoCD"),
        (cache(app=unlisted, **flux), "Flux"),
        (cache(app=application(), **flux), "Flux"),
    ):
        found = origin(objects, both)
        assert found.provenance is not None
        assert found.provenance.engine == engine
    assert "Kustomization" in origin(cache(app=unlisted), both).reason


def test_an_application_that_changes_wakes_the_rollout_of_its_deployment():
    interests = Interests()
    rollout = {"metadata": {"namespace": "shop", "name": "checkout"}, "spec": {"workload": {"name": "checkout"}}}
    interests.update(("shop", "checkout"), targets_of(rollout, deployment(), "argocd"))
    assert interests.of(kinds.APPLICATION, application()) == {("shop", "checkout")}
    assert not interests.of(kinds.APPLICATION, application(metadata__name="another"))


def test_a_sync_that_keeps_at_an_older_commit_than_our_revert_is_found():
    objects = cache(app=trying_again())
    assert held_up(objects, origin(objects), after(PUSHED)) == "41"


@pytest.mark.parametrize("revert", [None, Revert("GitUnavailable", final=False)], ids=["none", "not-pushed"])
def test_before_a_revert_is_pushed_no_sync_is_in_its_way(revert: Revert | None):
    objects = cache(app=trying_again())
    assert held_up(objects, origin(objects), after(revert)) == ""


def test_no_sync_of_flux_is_ever_ended():
    objects = cache(kustomization=KUSTOMIZATION, repository=REPOSITORY)
    assert held_up(objects, origin(objects, DEPLOYMENT), after(PUSHED)) == ""
