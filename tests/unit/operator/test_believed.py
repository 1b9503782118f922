"""An operator that the admission policies would not believe does not start."""

from __future__ import annotations

from typing import Any

import pytest
from typing_extensions import override

from canary.api.names import BREAK_GLASS_GROUP, OPERATOR_USER
from canary.errors import ApiUnavailable, Forbidden, SpecInvalid
from canary.operator.believed import refuse_when_disbelieved
from canary.operator.kinds import SELF_SUBJECT_REVIEW, Kind, Obj
from tests.unit.operator.fake_api import FakeApi


class Knowing(FakeApi):
    """An API server that knows who asks."""

    def __init__(self, answer: Obj | Exception) -> None:
        super().__init__()
        self.answer = answer

    @override
    async def create(self, kind: Kind, obj: Obj, *, manager: str) -> Obj:
        assert kind is SELF_SUBJECT_REVIEW
        assert obj["kind"] == "SelfSubjectReview"
        if isinstance(self.answer, Exception):
            raise self.answer
        return {**obj, "status": {"userInfo": self.answer}}


@pytest.mark.parametrize(
    "user",
    [
        {"username": OPERATOR_USER, "groups": ["system:serviceaccounts"]},
        {"username": "dana", "groups": ["system:authenticated", BREAK_GLASS_GROUP]},
    ],
)
async def test_whom_the_policies_believe_may_start(user: dict[str, Any]):
    await refuse_when_disbelieved(Knowing(user))


@pytest.mark.parametrize(
    "user", [{"username": "admin", "groups": ["system:masters"]}, {"username": OPERATOR_USER + "2"}, {}]
)
async def test_anybody_else_is_told_who_it_has_to_be(user: dict[str, Any]):
    with pytest.raises(SpecInvalid, match=f"{user.get('username')!r}.*believe '{OPERATOR_USER}' only"):
        await refuse_when_disbelieved(Knowing(user))


@pytest.mark.parametrize("problem", [ApiUnavailable("no answer"), Forbidden("not for you")])
async def test_an_api_server_that_does_not_tell_is_no_reason_not_to_start(problem: Exception):
    await refuse_when_disbelieved(Knowing(problem))
