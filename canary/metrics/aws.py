"""Keys for AWS, from files or from a web identity, and the signature that is made with them.

On EKS a pod gets a token of its service account and the name of a role (`AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_ROLE_ARN`);
the security token service gives keys for them that hold for an hour.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

from requests.auth import AuthBase

from canary.errors import SpecInvalid
from canary.metrics.remote import words_of
from canary.metrics.transport import Transport, read_secret

RENEW_SECONDS: Final = 300.0
"""Before keys end, new ones are asked for. Arbitrary."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What a request is signed with."""

    access_id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)
    until: float = float("inf")
    """Unix seconds."""


@dataclass
class AwsCredentials:
    """Where keys come from; files are read at each use."""

    region: str
    access_key_id_file: str | None = None
    secret_access_key_file: str | None = None
    session_token_file: str | None = None
    role_arn: str = ""
    """With a token's file: of a web identity. Both absent: what the environment says."""
    web_identity_token_file: str = ""
    sts_url: str = ""
    """Absent: the region's."""
    now: Callable[[], float] = time.time
    _assumed: Keys | None = None
    _lock: Lock = field(default_factory=Lock, repr=False)

    def keys(self, transport: Transport) -> Keys:
        """Return keys that hold.

        Raises
        ------
        MetricsUnavailable
            A file cannot be read, or the security token service does not give any.
        SpecInvalid
            There is nothing to get keys by.
        """
        if self.access_key_id_file and self.secret_access_key_file:
            token = read_secret(self.session_token_file) if self.session_token_file else ""
            return Keys(read_secret(self.access_key_id_file), read_secret(self.secret_access_key_file), token)
        with self._lock:
            if self._assumed is None or self._assumed.until - RENEW_SECONDS < self.now():
                self._assumed = self._assume(transport)
            return self._assumed

    def _assume(self, transport: Transport) -> Keys:
        role = self.role_arn or os.environ.get("AWS_ROLE_ARN", "")
        file = self.web_identity_token_file or os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE", "")
        if not role or not file:
            raise SpecInvalid(
                f"{transport.config.said} has no keys: give accessKeyIdFile and secretAccessKeyFile, or roleArn and "
                "webIdentityTokenFile, or annotate the operator's ServiceAccount with a role (EKS)"
            )
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": role,
            "RoleSessionName": "canary",
            "WebIdentityToken": read_secret(file),
        }
        url = self.sts_url or f"https://sts.{self.region}.amazonaws.com/"
        response = transport.request("POST", url, data=form, headers={"Accept": "application/json"})
        transport.check(response, words_of(response))
        answer = response.json()["AssumeRoleWithWebIdentityResponse"]["AssumeRoleWithWebIdentityResult"]["Credentials"]
        return Keys(
            answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"], float(answer["Expiration"])
        )


def signature() -> Callable[[Keys, str, str], AuthBase]:
    """Return what signs requests: from keys, a region and a service.

    Raises
    ------
    SpecInvalid
        The library is not installed.
    """
    try:
        import requests_aws4auth  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise SpecInvalid(
            "metric sources of the kind cloudwatch need requests-aws4auth: install canary-delivery[cloudwatch]"
        ) from error

    library: Any = requests_aws4auth  # it has no types

    def sign(keys: Keys, region: str, service: str) -> AuthBase:
        made: AuthBase = library.AWS4Auth(
            keys.access_id, keys.secret, region, service, session_token=keys.token or None
        )
        return made

    return sign
