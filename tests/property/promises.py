"""The promises, one function each: what must be true after everything that is done, whoever does it.

A promise about what only the API server can know (who wrote in between) is asked of the world as it is. One about pods,
which may die at any time, is asked of what the operator saw when it decided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from canary.core import effects as fx
from canary.core.phases import Phase, Stage
from tests.property.parts import Pass, Pods, Violated, revision
from tests.property.seeing import verdict

if TYPE_CHECKING:
    from tests.property.world import World


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that was done, and the world before and after it."""

    effect: fx.Effect | None
    """None: the Deployment controller's work."""
    before: World
    after: World
    seen: Pass | None
    """What the operator had looked at."""

    @property
    def fresh(self) -> bool:
        """Whether nobody has broken or written anything that this rests on."""
        return self.seen is None or not self.seen.stale

    @property
    def raises(self) -> int | None:
        """The weight in percent, if this gives a canary more traffic."""
        effect = self.effect
        more = isinstance(effect, fx.SetWeight) and effect.weight > (self.before.weight or 0)
        return effect.weight if more and isinstance(effect, fx.SetWeight) else None


def no_weight_without_ready_capacity(deed: Deed) -> str | None:
    """A canary is given a weight only when it has the ready pods for it, by what the operator saw."""
    weight, release, seen = deed.raises, deed.after.state.release, deed.seen
    if weight is None or release is None or seen is None:
        return None
    if seen.ready < 1 or not seen.canary:
        return f"weight {weight} goes to a canary without ready pods"
    past = deed.after.state.past_the_point_of_no_return
    if not past and seen.ready * 100 < min(weight, 100) * seen.wanted:
        return f"weight {weight} goes to {seen.ready} of {seen.wanted} pods"
    if deed.fresh and seen.canary != release.id:
        return f"weight {weight} goes to {seen.canary}, which is not {release.id}"
    return None


def the_weight_never_rises_after_a_fail_verdict(deed: Deed) -> str | None:
    """Once a release was judged bad its weight does not rise, until a new version comes."""
    copy, seen = deed.after.copy, deed.seen
    conditional = isinstance(deed.effect, fx.SetWeight) and deed.effect.resource_version is not None
    if seen is not None and seen.late and conditional:
        return None  # an old leader's first raise, of a route that nobody has written to since: taken back at the next look
    if deed.raises is not None and copy is not None and copy.release in deed.after.failed:
        return f"the weight of {copy.release} rises to {deed.raises} after it was judged bad"
    return None


def no_raise_under_suspicion(deed: Deed) -> str | None:
    """While evidence speaks against a canary it is given no more traffic."""
    world = deed.after
    if deed.raises is None or not deed.fresh or not world.plan.has_analysis:
        return None
    said = None if world.state.past_the_point_of_no_return else verdict(world)
    return f"weight {deed.raises} is given to a canary under suspicion" if said and said.suspicious else None


def stable_pods_stay_until_the_unpause(deed: Deed) -> str | None:
    """Pods of the stable version are wanted at full size until the Deployment is let go."""
    world, stable = deed.after, deed.after.state.stable
    if not isinstance(deed.effect, fx.ScaleReplicaSet) or stable is None or world.state.past_the_point_of_no_return:
        return None
    version = stable.template_hash.removeprefix("t-")
    was, now = (w.sets.get(version, Pods()).replicas for w in (deed.before, world))
    return f"stable is scaled to {now} before the unpause" if now < min(was, world.replicas) else None


def an_unjudged_template_is_never_let_go(deed: Deed) -> str | None:
    """What the Deployment rolls to was stable already, was judged good, or was let go by a person."""
    world = deed.after
    if deed.effect is None:
        fine = not world.exists or world.held or world.paused or world.version in world.allowed
        return None if fine else f"pods of an unjudged version start: {world.version}"
    if not isinstance(deed.effect, fx.LetGo):
        return None
    stable, release = world.state.stable, world.state.release
    judged = {stable.template_hash} if stable else set()
    if not deed.before.sets and _may_run_first(deed.before):
        judged.add(f"t-{world.version}")
    past, late = world.state.past_the_point_of_no_return, deed.seen is not None and deed.seen.late
    if release is not None and ((past and release.id not in world.failed) or late):
        judged.add(
            release.candidate.template_hash
        )  # late: an old leader sent it when nothing spoke against the version
    return None if f"t-{world.version}" in judged else f"an unjudged template is let go: {world.version}"


def _may_run_first(world: World) -> bool:
    """A version held when its Deployment was made may run if it is not a rejected one, or was asked for again."""
    release, said = world.state.release, revision(world.version)
    if release is not None and release.candidate.template_hash == said.template_hash:
        return not release.blocked
    rejected = {h for r in (*world.state.rejected, *world.noted) for h in (r.template_hash, r.version_hash)}
    rejected |= {*world.listed, *world.listed.values()}
    return not rejected & {said.template_hash, said.version_hash}


def clients_of_the_root_service_meet_no_canary(deed: Deed) -> str | None:
    """Before promotion is decided the root Service means stable's pods alone."""
    world = deed.after
    stable, release, copy = world.state.stable, world.state.release, world.copy
    if stable is None or world.excused or not (world.service and world.exists):
        return None
    past = world.state.past_the_point_of_no_return or world.state.undoing
    if copy is None or not copy.pods.ready or past:
        return None
    version = stable.template_hash.removeprefix("t-")
    if not (world.held or world.paused) and world.version != version:
        return None  # it rolls by somebody's hand, unjudged
    if copy.version == version:
        return None  # the Deployment was made anew, of what the canary ran
    own = world.sets.get(version)
    if own is None or not own.ready:
        return None  # better a canary than nobody
    stage = release.stage if release else None
    if world.pin != f"k-{version}" and stage is not Stage.PIN:
        return f"clients of the root Service meet a canary: pinned to {world.pin}"
    if (world.weight or 0) > 50 and world.state.phase is not Phase.PROMOTING:
        return f"weight {world.weight} is more than any step asks for"
    return None


def weight_zero_means_stable(deed: Deed) -> str | None:
    """Traffic taken from a canary does not reach it by way of the root Service."""
    world, copy, stable = deed.after, deed.after.copy, deed.after.state.stable
    lowers = isinstance(deed.effect, fx.SetWeight) and deed.effect.weight < (deed.before.weight or 0)
    past = world.state.past_the_point_of_no_return
    if not lowers or past or world.excused or copy is None or stable is None:
        return None
    serves = world.sets.get(stable.template_hash.removeprefix("t-"), Pods()).ready
    to_canary = world.pin == f"k-copy-{copy.release}"
    return "weight 0 means the canary, for the Service is pinned to it" if serves and to_canary else None


def a_service_in_use_keeps_its_endpoints(deed: Deed) -> str | None:
    """Nothing that the operator does, and no roll that it let go, leaves the root Service without endpoints."""
    world = deed.after
    ran = world.exists and world.sets  # of one that was deleted, or refused when it was made anew, nothing serves
    if not ran or not world.replicas or not world.service or world.endpoints():
        return None
    effect = deed.effect
    if deed.before.endpoints() and not (world.excused if effect is None else not deed.fresh):
        return f"{effect or 'the roll'} takes the root Service's endpoints away: pinned to {world.pin}"
    past, copy = world.state.past_the_point_of_no_return, world.copy
    lowers = isinstance(effect, fx.SetWeight) and effect.weight < (deed.before.weight or 0)
    if lowers and past and deed.fresh and copy is not None and copy.pods.ready:
        return "traffic returns to a Service without endpoints"
    return None


def traffic_goes_before_the_verdict_is_written(deed: Deed) -> str | None:
    """The first write of a roll-back takes the traffic away."""
    if not isinstance(deed.effect, fx.WriteStatus) or not deed.fresh:
        return None
    written = deed.effect.state
    if written.phase is Phase.ROLLING_BACK and not written.undoing and deed.before.weight:
        return "the verdict is written before the traffic is taken away"
    return None


def a_canary_goes_when_it_is_drained(deed: Deed) -> str | None:
    """Canary pods end only after the route forgot them and the requests on their way were answered."""
    copy, world = deed.before.copy, deed.before
    if not isinstance(deed.effect, fx.DeleteCopy) or copy is None or copy.deleting or not deed.fresh:
        return None
    if world.excused:
        return None
    if world.route and world.weight is not None:
        return "the canary goes while the route names it"
    if world.now - world.silent_since < world.plan.drain_seconds:
        return "the canary goes while requests are on their way to it"
    return None


def a_rejected_version_gets_no_pods(deed: Deed) -> str | None:
    """A version that was rolled back starts no canary when it comes again, until somebody asks to retry it."""
    if not isinstance(deed.effect, fx.EnsureCopy):
        return None
    state, candidate = deed.after.state, deed.effect.candidate
    rejected = {r.version_hash for r in state.rejected} - ({state.stable.version_hash} if state.stable else set())
    refused = candidate.version_hash in rejected and state.phase is not Phase.ROLLING_BACK
    return f"{candidate.version_hash} was rejected, and starts again" if refused and deed.fresh else None


def nothing_is_left_behind(deed: Deed) -> str | None:
    """A Rollout goes only when its canary, weights and pin have gone."""
    if not isinstance(deed.effect, fx.RemoveFinalizer) or not deed.fresh:
        return None
    world = deed.after
    left = (world.copy, world.weight, world.pin, world.canary_service)
    return f"the Rollout goes and leaves {left}" if left != (None, None, None, False) else None


def a_revert_has_one_key_and_one_sha(deed: Deed) -> str | None:
    """Whoever asks for a release's revert, and however often, asks for the very same commit."""
    effect = deed.effect
    if not isinstance(effect, fx.RevertInGit):
        return None
    others = [r for r in deed.before.asked if r.release == effect.release and r != effect]
    return f"a second commit for {effect.release}: {effect} after {others[0]}" if others else None


def the_same_effect_twice_leaves_the_same_world(deed: Deed) -> str | None:
    """An effect that is done again, after a crash, changes nothing more, or is refused."""
    if deed.effect is None or deed.seen is None or not deed.after.does_all_twice:
        return None
    again = deed.after.clone()
    again.do_again(deed.effect, deed.seen)
    return None if again.key() == deed.after.key() else f"{deed.effect} done twice is not what it is done once"


Promise: TypeAlias = Callable[[Deed], str | None]
PROMISES: Final[Mapping[str, Promise]] = MappingProxyType(
    {
        promise.__name__: promise
        for promise in (
            no_weight_without_ready_capacity,
            the_weight_never_rises_after_a_fail_verdict,
            no_raise_under_suspicion,
            stable_pods_stay_until_the_unpause,
            an_unjudged_template_is_never_let_go,
            clients_of_the_root_service_meet_no_canary,
            weight_zero_means_stable,
            a_service_in_use_keeps_its_endpoints,
            traffic_goes_before_the_verdict_is_written,
            a_canary_goes_when_it_is_drained,
            a_rejected_version_gets_no_pods,
            nothing_is_left_behind,
            a_revert_has_one_key_and_one_sha,
            the_same_effect_twice_leaves_the_same_world,
        )
    }
)


def ask_all(deed: Deed) -> None:
    """Ask every promise about what was done.

    Raises
    ------
    Violated
        One does not hold.
    """
    for name, promise in PROMISES.items():
        if found := promise(deed):
            raise Violated(name, found)
