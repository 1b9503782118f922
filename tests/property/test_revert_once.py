"""Two operators and people, interleaved as Hypothesis likes, on a real Git repository: one revert or none, and an alert.

An operator plans, and pushes later or never; its answer gets lost; it dies between the push and the status; its clone
goes. People commit, fix, bring the version back, and rewrite the branch's history under it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import override

from canary.git.credentials import Anonymous, Binding
from canary.git.history import Seen
from canary.git.outcome import (
    AlreadyReverted,
    BroughtBack,
    NeedsPullRequest,
    Outcome,
    RevertDone,
    RevertPlan,
    Superseded,
)
from canary.git.provenance import Engine, Provenance, Reference
from canary.git.revert import RevertRequest, plan_revert, push_revert
from tests.property.depth import deep
from tests.property.git_server import BareServer, Made
from tests.unit.git.world import VERDICT_AT, Operator, deployment, live

OPERATORS = ("old", "new")
operators = st.sampled_from(OPERATORS)
LAYOUTS = {
    "alone": {"checkout": "app/checkout.yaml"},
    "one file": {"checkout": "app/all.yaml", "basket": "app/all.yaml"},
    "two files": {"checkout": "app/checkout.yaml", "basket": "app/basket.yaml"},
}
"""Where the Deployment of each Rollout is; one commit brings the bad version of all."""


@dataclass
class World:
    """The branch, two operators with the plans that they hold, and what the status of each Rollout remembers."""

    root: Path
    where: dict[str, str]
    images: dict[str, str] = field(default_factory=dict)
    """What people last wanted; the reverts are not among it."""
    plans: dict[tuple[str, str], RevertPlan] = field(default_factory=dict)
    planned: dict[tuple[str, str], str] = field(default_factory=dict)
    """The commit that was ever planned for a Rollout on a tip."""
    pushed: dict[str, str] = field(default_factory=dict)
    """By Rollout: the revert that its status knows."""
    accepted: list[Made] = field(default_factory=list)
    """Every commit of ours that was ever at the tip."""
    kept: set[str] = field(default_factory=set)
    """Commits that must stay in the branch: none of ours may take away a person's, and none is forced."""
    rewritten: bool = False
    returned: bool = False
    """Whether a person brought the version back after a revert, or took the revert away."""
    number: int = 0

    def __post_init__(self) -> None:
        self.server = BareServer(self.root)
        self.stable = self.person(dict.fromkeys(self.where, "app:v1"), "stable")
        self.bad = self.fetched = self.person(dict.fromkeys(self.where, "app:v2"), "bad")

    # --- people

    def person(self, images: dict[str, str], message: str, *, on: str = "") -> str:
        """Commit what the Deployments are to run, and something beside it."""
        self.number += 1
        self.images = {**self.images, **images}
        if self.accepted and "app:v2" in images.values():
            self.returned = True
        texts: dict[str, list[str]] = {}
        now = self.running() if self.number > 1 else {}
        for name, path in self.where.items():
            texts.setdefault(path, []).append(deployment({**now, **images}[name], name=name))
        files = {path: "---\n".join(parts) for path, parts in texts.items()} if images else {}
        commit = self.server.commit({**files, "notes": f"{self.number}\n"}, message, on=on)
        self.kept.add(commit)
        return commit

    def drop_ours(self) -> None:
        """Force the branch back to before the newest commit of ours."""
        history = self.server.history()
        ours = next(made for made in history if "Rollout-Reverts" in made.trailers)
        self.server.force(ours.parents[0])
        self.forced()
        self.returned = True

    def reword(self) -> None:
        """Write the commit at the tip anew without its trailers, as a squash by a forge does."""
        tip = self.server.read(self.server.head)
        self.server.write(tip.tree, tip.parents, "chore: squashed")
        self.forced()

    def rebase_the_bad(self) -> None:
        """Write the bad commit, and all since, under another name."""
        since = [made for made in reversed(self.server.history()) if made.sha not in (self.stable, self.bad)]
        parent = self.server.write(self.server.read(self.bad).tree, [self.stable], "bad, signed")
        for made in since:
            parent = self.server.write(made.tree, [parent], made.message)
        self.forced()

    def forced(self) -> None:
        self.rewritten = True
        self.kept = {made.sha for made in self.server.history()}

    # --- what can be read

    def running(self, commit: str = "") -> dict[str, str]:
        """The image of each Deployment, as a commit says; without one, the branch's tip."""
        files = self.server.files(commit or self.server.head)
        documents = [d for path in sorted(set(self.where.values())) for d in yaml.safe_load_all(files[path])]
        return {d["metadata"]["name"]: d["spec"]["template"]["spec"]["containers"][0]["image"] for d in documents}

    def ours(self) -> list[Made]:
        """The reverts in the branch, as their trailers say."""
        return [made for made in self.server.history() if "Rollout-Reverts" in made.trailers]

    def taken_out(self, made: Made) -> list[str]:
        """The Deployments whose bad version a commit takes out."""
        before, after = self.running(made.parents[0]), self.running(made.sha)
        return [name for name in self.where if before[name] == "app:v2" and after[name] != "app:v2"]

    # --- operators

    def operator(self, who: str, name: str) -> Operator:
        where = Provenance(
            engine=Engine.FLUX,
            url=self.server.url,
            branch="main",
            path="app",
            namespace="shop",
            name=name,
            applied_revision="",
            attempted_revision="",
            owner=Reference("Kustomization", "flux-system", "shop"),
            source=Reference("GitRepository", "flux-system", "shop"),
        )
        return Operator(self.root / who, where, binding=Binding("test", "*", where.url, Anonymous()))

    def request(self, name: str) -> RevertRequest:
        """As each Rollout's status tells it: its own verdict's time and report."""
        rejected, stable = (live(deployment(image, name=name)) for image in ("app:v2", "app:v1"))
        seen = Seen(self.fetched, "", rejected, stable, first_commit=self.bad)
        at = VERDICT_AT + sorted(self.where).index(name)
        asked = RevertRequest(f"shop/{name}", seen, at, f"errors of {name}: 5 %")
        return replace(asked, pushed=self.pushed.get(name, ""))

    def plan(self, who: str, name: str) -> None:
        self.plans.pop((who, name), None)
        operator = self.operator(who, name)
        with operator.clone() as repository:
            plan = plan_revert(repository, operator.renderer(repository), self.request(name))
        if isinstance(plan, RevertPlan):
            self.plans[who, name] = plan
            same = self.planned.setdefault((name, plan.base), plan.commit)
            assert plan.commit == same, "two operators make different commits of one revert on one tip"

    def push(self, who: str, name: str, *, told: bool) -> None:
        """Push what was planned; `told` is whether the answer reaches the status."""
        operator, plan = self.operator(who, name), self.plans.pop((who, name))
        with operator.clone() as repository:
            if told:
                renderer = operator.renderer(repository)
                self.note(name, push_revert(repository, renderer, self.request(name), plan, pause=lambda _: None))
            else:
                repository.push(plan.branch, plan.commit, plan.base)

    def settle(self, who: str, name: str) -> Outcome:
        outcome = self.operator(who, name).revert(self.request(name))
        self.note(name, outcome)
        return outcome

    def note(self, name: str, outcome: Outcome) -> None:
        if isinstance(outcome, RevertDone | AlreadyReverted):
            self.pushed[name] = outcome.commit

    # --- promises

    def check(self) -> None:
        tip = self.server.read(self.server.head)
        if "Rollout" in tip.trailers and tip not in self.accepted:
            self.accepted.append(tip)
            self.kept.add(tip.sha)
        history = {made.sha for made in self.server.history()}
        assert history >= self.kept, "a commit is gone from the branch that nobody took away"
        for commits in (self.ours(), () if self.rewritten else self.accepted):
            taken = Counter(name for made in commits for name in self.taken_out(made))
            assert max(taken.values(), default=0) <= 1, "the version of one Deployment was taken out twice"


class Interleavings(RuleBasedStateMachine):
    """Each rule is something that happens on its own; what cannot happen now is not drawn."""

    world: World

    @initialize(layout=st.sampled_from(sorted(LAYOUTS)), planned=st.sets(operators), rebased=st.integers(0, 7))
    def begin(self, layout: str, planned: set[str], rebased: int) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self._folder.name), LAYOUTS[layout])
        for who in sorted(planned):
            for name in self.world.where:
                self.world.plan(who, name)
        if not rebased:  # seldom: nothing can be reverted then
            self.world.rebase_the_bad()

    @rule(who=operators, data=st.data())
    def plan(self, who: str, data: st.DataObject) -> None:
        self.world.plan(who, data.draw(self.rollouts()))

    @precondition(lambda self: self.world.plans)
    @rule(data=st.data())
    def push(self, data: st.DataObject) -> None:
        self.world.push(*data.draw(st.sampled_from(sorted(self.world.plans))), told=True)

    @precondition(lambda self: self.world.plans)
    @rule(data=st.data())
    def push_and_lose_the_answer(self, data: st.DataObject) -> None:
        self.world.push(*data.draw(st.sampled_from(sorted(self.world.plans))), told=False)

    @rule(who=operators, data=st.data())
    def revert(self, who: str, data: st.DataObject) -> None:
        self.world.settle(who, data.draw(self.rollouts()))

    @precondition(lambda self: self.world.plans)
    @rule(who=operators)
    def lose_the_clone(self, who: str) -> None:
        shutil.rmtree(self.world.root / who, ignore_errors=True)
        self.world.plans = {key: plan for key, plan in self.world.plans.items() if key[0] != who}

    @rule(message=st.sampled_from(["change", ""]))
    def somebody_commits_something_else(self, message: str) -> None:
        self.world.person({}, message)

    @rule(image=st.sampled_from(["app:v1", "app:v2", "app:v3"]), data=st.data())
    def somebody_commits_another_version(self, image: str, data: st.DataObject) -> None:
        names = data.draw(st.sampled_from([sorted(self.world.where), ["checkout"]]))
        self.world.person(dict.fromkeys(names, image), image)

    @rule()
    def the_engine_fetches(self) -> None:
        self.world.fetched = self.world.server.head

    @precondition(lambda self: self.world.ours())
    @rule()
    def somebody_reverts_the_revert(self) -> None:
        self.world.person(dict.fromkeys(self.world.where, "app:v2"), 'Revert "Revert"')

    @precondition(lambda self: self.world.ours())
    @rule(drop=st.booleans())
    def somebody_rewrites_the_branch(self, drop: bool) -> None:
        self.world.drop_ours() if drop else self.world.reword()

    def rollouts(self) -> st.SearchStrategy[str]:
        return st.sampled_from(sorted(self.world.where))

    @invariant()
    def promises_hold(self) -> None:
        self.world.check()

    @override
    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        with self._folder:
            ends_well(self.world)


def ends_well(world: World) -> None:
    """When all is quiet, both operators find the same: the version is out, or somebody was told."""
    outcomes: dict[str, Outcome] = {}
    for who in OPERATORS:
        for name in world.where:
            outcomes[name] = world.settle(who, name)
            world.check()
    told = (RevertDone, AlreadyReverted, Superseded, BroughtBack, NeedsPullRequest)
    assert all(isinstance(outcome, told) for outcome in outcomes.values()), outcomes
    for name, image in world.running().items():
        if image == "app:v2":
            assert isinstance(outcomes[name], BroughtBack | NeedsPullRequest), "nobody was told"
            assert world.returned or world.rewritten or isinstance(outcomes[name], NeedsPullRequest)
        else:
            assert isinstance(outcomes[name], AlreadyReverted | Superseded), outcomes[name]


def test_whatever_happens_in_between_there_is_one_revert_or_none() -> None:
    run_state_machine_as_test(
        Interleavings, settings=settings(max_examples=deep(20), stateful_step_count=8, deadline=None)
    )
