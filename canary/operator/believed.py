"""Whether the admission policies believe what this process writes: they know the operator by its user's name.

As anybody else it could start, and would fail without a word: each pin and weight that it writes is taken back in the
same write, and no Deployment is ever let go.
"""

from __future__ import annotations

from typing import Final

import structlog

from canary.api.names import BREAK_GLASS_GROUP, OPERATOR_USER
from canary.errors import CanaryError, SpecInvalid
from canary.operator.client import Api
from canary.operator.kinds import SELF_SUBJECT_REVIEW, Obj

_REVIEW: Final[Obj] = {
    "apiVersion": SELF_SUBJECT_REVIEW.api_version,
    "kind": SELF_SUBJECT_REVIEW.kind,
    "metadata": {},
}
_log = structlog.get_logger(__name__)


async def refuse_when_disbelieved(api: Api) -> None:
    """Ask the API server who we are; one that does not tell is no reason not to start.

    Raises
    ------
    SpecInvalid
        We are somebody whom the policies do not believe.
    """
    try:
        user = (await api.create(SELF_SUBJECT_REVIEW, _REVIEW, manager="canary"))["status"]["userInfo"]
    except (CanaryError, KeyError) as error:
        _log.warning("who we are is not told", error=str(error))
        return
    if user.get("username") != OPERATOR_USER and BREAK_GLASS_GROUP not in user.get("groups", ()):
        who = user.get("username")
        raise SpecInvalid(
            f"The operator runs as {who!r}, and the admission policies believe {OPERATOR_USER!r} only: they would take "
            "back all that it writes. Use that ServiceAccount, or change its name in the policies as well."
        )
