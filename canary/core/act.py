"""What is to be done in a state: the difference between what the state wants and what was observed.

Level-triggered: an effect that was lost in a crash, or undone by somebody's hand, is asked for again at the next
look. The order of the effects of one pass is part of their meaning:

1. traffic is taken away first, before anything that can fail;
2. the new state is written, so that intent outlives a crash;
3. what protects (labels, the pin) comes before what needs protection (canary pods);
4. capacity comes before weight, weight before the end of what carried it.
"""

from __future__ import annotations

from dataclasses import dataclass

from canary.core.effects import (
    AddFinalizer,
    AskSync,
    Effect,
    ForgetRejected,
    Label,
    RememberRejected,
    RemoveFinalizer,
    RevertInGit,
    Unlabel,
)
from canary.core.holding import deployment
from canary.core.phases import Phase
from canary.core.scope import Scope
from canary.core.shift import traffic


@dataclass(frozen=True, slots=True)
class Acts:
    """The effects of one pass, in two parts: the state is written between them."""

    first: tuple[Effect, ...]
    """Decreases of traffic to a canary, and what they need."""
    then: tuple[Effect, ...]


def act(scope: Scope) -> Acts:
    """Return what is to be done now, the scope's state being the one that was just decided."""
    observed = scope.observed
    if observed.deleting and not observed.finalizer:
        return Acts((), ())
    if not observed.finalizer:
        return Acts((), (AddFinalizer(),))
    first, then = traffic(scope)
    # The end comes before the memory: in a namespace that is being deleted the list cannot be written any more.
    return Acts(first, (*_labels(scope), *then, *deployment(scope), *_finish(scope), *_memory(scope), *_git(scope)))


def _labels(scope: Scope) -> tuple[Effect, ...]:
    """Keep the label on what the Rollout names: without it the policies do not act."""
    workload, service, traffic = scope.observed.workload, scope.observed.service, scope.observed.traffic
    if scope.observed.deleting or scope.state.phase is Phase.PENDING:
        return ()
    label = Label(
        workload=workload is not None and not workload.labelled and not workload.other_owner,
        service=service is not None and not service.labelled and not service.other_owner,
        route=traffic is not None and not traffic.labelled and not traffic.other_owner,
    )
    return (label,) if label.workload or label.service or label.route else ()


def _memory(scope: Scope) -> tuple[Effect, ...]:
    """Keep the namespace's list of rejected versions in step with the status."""
    known = set(scope.observed.rejected_elsewhere)
    effects: list[Effect] = [
        RememberRejected(r.template_hash, r.version_hash, r.commit, r.reason, r.images)
        for r in scope.state.rejected
        if r.template_hash not in known
    ]
    release, in_status = scope.state.release, {r.template_hash for r in scope.state.rejected}
    if release is not None and not release.blocked and release.candidate.template_hash not in in_status:
        candidate = release.candidate  # under way although it was on the list: somebody asked to retry it
        stable_version = scope.state.stable.version_hash if scope.state.stable else ""
        if {candidate.template_hash, candidate.version_hash} & (known - {stable_version}):
            effects.append(ForgetRejected(candidate.version_hash, candidate.template_hash))
    return tuple(effects)


def _git(scope: Scope) -> tuple[Effect, ...]:
    """Ask for the revert until its answer is final; then ask the engine to sync until the Deployment follows."""
    state, release = scope.state, scope.state.release
    if release is None or state.stable is None or release.verdict_at is None:
        return ()
    if state.phase is Phase.REVERTING and scope.plan.revert:
        return (RevertInGit(release.id, release.verdict_at, release.report, release.candidate, state.stable),)
    pushed = release.revert.commit if release.revert is not None else ""
    if state.phase is Phase.AWAITING_GIT and pushed and scope.observed.sync_asked != pushed:
        return (AskSync(pushed),)
    return ()


def _finish(scope: Scope) -> tuple[Effect, ...]:
    """When a Rollout that is being deleted has left nothing behind, let it go."""
    observed, workload = scope.observed, scope.observed.workload
    if not observed.deleting or scope.state.release is not None:
        return ()
    clean = (
        observed.copy is None
        and not observed.canary_service
        and (observed.traffic is None or observed.traffic.weight is None or bool(observed.traffic.other_owner))
        and (observed.service is None or observed.service.pin is None or bool(observed.service.other_owner))
    )
    if not clean:
        return ()
    stays_held = workload is not None and workload.held and not scope.at_stable
    return (Unlabel(workload=not stays_held), RemoveFinalizer())
