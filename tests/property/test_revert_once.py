"""Two operators and people, interleaved as Hypothesis likes, on a real Git server: at most one revert, and nothing of theirs lost."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from canary.git.outcome import AlreadyReverted, BroughtBack, Outcome, RevertDone, RevertPlan, Superseded
from canary.git.revert import plan_revert, push_revert
from tests.property.depth import deep
from tests.unit.git.world import Operator, Server, deployment, provenance, request

V1, V2 = deployment("app:v1"), deployment("app:v2")
FILE = "app/deployment.yaml"

operators = st.sampled_from(["old", "new"])
actions = st.one_of(
    st.tuples(st.just("plan"), operators),
    st.tuples(st.just("push"), operators),
    st.tuples(st.just("push, then die"), operators),
    st.tuples(st.just("lose the clone"), operators),
    st.tuples(st.sampled_from(["unrelated", "annotate", "app:v3", "app:v1", "app:v2"]), st.just("person")),
)


class World:
    """The server, two operators with the plans that they hold, and what people did."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.server = Server(root)
        self.server.commit({FILE: V1}, "stable")
        self.bad = self.server.commit({FILE: V2}, "bad")
        self.asked = request(self.bad, rejected=V2, stable=V1)
        self.operators = {name: Operator(root / name, provenance(self.server)) for name in ("old", "new")}
        self.plans: dict[str, RevertPlan] = {}
        self.people = [self.bad]
        self.heads = [self.bad]
        self.brought_back = False

    def image(self, commit: str = "main") -> str:
        image: str = yaml.safe_load(self.server.show(FILE, commit))["spec"]["template"]["spec"]["containers"][0][
            "image"
        ]
        return image

    def act(self, action: str, who: str) -> None:
        match action:
            case "plan":
                with self.operators[who].clone() as repository:
                    plan = plan_revert(repository, self.operators[who].renderer(repository), self.asked)
                self.plans.pop(who, None)
                if isinstance(plan, RevertPlan):
                    self.plans[who] = plan
            case "push" if who in self.plans:
                with self.operators[who].clone() as repository:
                    renderer = self.operators[who].renderer(repository)
                    push_revert(repository, renderer, self.asked, self.plans.pop(who), pause=lambda _: None)
            case "push, then die" if who in self.plans:
                plan = self.plans.pop(who)
                with self.operators[who].clone() as repository:
                    repository.push(plan.branch, plan.commit, plan.base)
            case "lose the clone":
                shutil.rmtree(self.root / who, ignore_errors=True)
                self.plans.pop(who, None)
            case "unrelated" | "annotate" | "app:v1" | "app:v2" | "app:v3":
                self.person(action)
            case _:
                assert action in {"push", "push, then die"}  # without a plan there is nothing to push
        self.heads.append(self.server.head)

    def person(self, action: str) -> None:
        manifest: dict[str, Any] = yaml.safe_load(self.server.show(FILE))
        template = manifest["spec"]["template"]
        files: dict[str, str | None] = {}
        if action == "unrelated":
            files["notes"] = str(len(self.people))
        elif action == "annotate":
            template["metadata"].setdefault("annotations", {})["touched"] = str(len(self.people))
        else:
            if action == "app:v2" and self.image() != "app:v2" and self.server.reverts():
                self.brought_back = True
            template["spec"]["containers"][0]["image"] = action
        self.people.append(self.server.commit(files or {FILE: yaml.safe_dump(manifest)}, action))

    def check(self) -> None:
        assert self.server.reverts() in ([], [self.bad]), "one key, at most one commit"
        history = set(self.server.log("%H"))
        assert history.issuperset(self.people), "a person's commit was lost"
        assert history.issuperset(self.heads), "the branch was moved other than forward"

    def settle(self, name: str) -> Outcome:
        return self.operators[name].revert(self.asked)


@settings(max_examples=deep(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(actions, max_size=8))
@example([("plan", "old"), ("plan", "new"), ("push", "old"), ("push", "new")])
@example([("plan", "old"), ("push, then die", "old"), ("plan", "new"), ("push", "new")])
@example([("plan", "old"), ("plan", "new"), ("push", "old"), ("app:v2", "person"), ("push", "new")])
@example([("plan", "old"), ("app:v3", "person"), ("app:v2", "person"), ("push", "old")])
@example([("plan", "old"), ("app:v1", "person"), ("push", "old"), ("app:v2", "person")])
def test_whatever_happens_in_between_there_is_one_revert_or_none(steps: list[tuple[str, str]]):
    with tempfile.TemporaryDirectory() as root:
        world = World(Path(root))
        for action, who in steps:
            world.act(action, who)
            world.check()
        for name in ("new", "old"):
            outcome = world.settle(name)
            assert isinstance(outcome, RevertDone | AlreadyReverted | Superseded | BroughtBack), outcome
            world.check()
        # The rejected version is out of the branch, unless a person brought it back knowing our revert.
        if world.image() == "app:v2":
            assert world.brought_back
            assert isinstance(world.settle("old"), BroughtBack)
