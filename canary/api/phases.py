"""The states of a Rollout, named as users see them in `kubectl get rollouts`; `docs/concepts.md` draws them."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """Where a Rollout is in the life of a release.

    A pause and a stall stand beside the phase, so that going on needs no memory of it.
    """

    PENDING = "Pending"
    """Not adopted yet: something that the Rollout names is missing, or no version serves."""
    STABLE = "Stable"
    """One version serves, and it is the one that Git's Deployment says."""
    HELD = "Held"
    """A new template has come and waits: no pod of it runs."""
    STARTING = "Starting"
    """The canary copy starts; its weight is 0."""
    STEP = "Step"
    """The canary gets the step's share of traffic, and is judged."""
    PROMOTING = "Promoting"
    """All traffic is on the canary, then the stable version is replaced, then traffic returns. See `Stage`."""
    ROLLING_BACK = "RollingBack"
    """Judged bad or aborted: the canary's traffic goes to zero."""
    REVERTING = "Reverting"
    """Traffic is at zero; the commit that brought the version is being reverted in Git."""
    AWAITING_GIT = "AwaitingGit"
    """Nothing more to do but wait until the Deployment says a version other than the rejected one."""
    PAUSED = "Paused"
    """The Deployment's owner had paused it before Canary came: it is left alone."""


class Stage(StrEnum):
    """The parts of `Phase.PROMOTING`, in order; and the way back out of its middle."""

    SHIFT = "Shift"
    """The canary grows to full size and takes 100 %."""
    BAKE = "Bake"
    """100 % on the canary, stable still there at full size: one traffic change from safety."""
    PIN = "Pin"
    """Promotion is decided; the root Service is pinned to the canary's pods."""
    REPLACE = "Replace"
    """The Deployment is let go and rolls; judged bad now, it is taken back (`Undo`). After it there is only forward."""
    REPIN = "Repin"
    """The root Service is pinned to the Deployment's new pods; the gateway learns their addresses."""
    RETURN = "Return"
    """Traffic comes back from the canary copy to the Deployment, in steps, judged."""
    CLEANUP = "Cleanup"
    """The canary copy drains and goes, the route and the Service are as Git has them."""
    UNDO = "Undo"
    """In `Phase.ROLLING_BACK`, when the version was judged bad while the Deployment rolled: it is held again, and
    stable comes back to full size before it gets its traffic back."""
