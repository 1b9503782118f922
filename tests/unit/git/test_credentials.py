from __future__ import annotations

import pytest

from canary.errors import Forbidden, SpecInvalid
from canary.git.address import parse_address, redact
from canary.git.credentials import BasicCredential, BearerCredential, Binding, Bindings

SHOP = Binding("shop", "team-shop*", "https://git.example.org/shop", BasicCredential("canary", "x"), paths="apps/shop")
BINDINGS = Bindings((SHOP,))


def test_a_workload_of_the_bound_namespace_repository_and_path_gets_the_credential():
    assert BINDINGS.lookup("team-shop-prod", "https://git.example.org/shop/app.git", "apps/shop/checkout") is SHOP


@pytest.mark.parametrize(
    ("namespace", "url", "path"),
    [
        ("team-other", "https://git.example.org/shop/app", "apps/shop"),
        ("team-shop", "https://git.example.org/shop-evil/app", "apps/shop"),
        ("team-shop", "https://git.example.org.evil.org/shop/app", "apps/shop"),
        ("team-shop", "http://git.example.org/shop/app", "apps/shop"),
        ("team-shop", "https://git.example.org:8443/shop/app", "apps/shop"),
        ("team-shop", "https://git.example.org/other/app", "apps/shop"),
        ("team-shop", "https://git.example.org/shop/app", "apps/shopping"),
        ("team-shop", "https://git.example.org/shop/app", ""),
        ("team-shop", "https://git.example.org/shop/app", "apps/shop/../other"),
        ("TEAM-SHOP", "https://git.example.org/shop/app", "apps/shop"),
    ],
    ids=["namespace", "sibling", "host", "scheme", "port", "group", "sibling-path", "root", "dots", "case"],
)
def test_whatever_else_asks_is_refused(namespace: str, url: str, path: str):
    with pytest.raises(Forbidden, match=f"no Git credential is bound to namespace {namespace}"):
        BINDINGS.lookup(namespace, url, path)


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch /x", "https://user:pw@git.example.org/shop", "https://token@git.example.org/shop",
        "https://git.example.org/shop/../other", "https://git.example.org/shop/%2e%2e/other", "https:///shop", "ftp://x/y",
        "https://git.example.org/shop?x=y", "-oProxyCommand=x", "/etc/passwd", "https://git.example.org:port/x", "",
        "https://git.example.org/a\nb",
    ],
)  # fmt: skip
def test_an_address_that_could_mean_something_else_is_refused(url: str):
    with pytest.raises(SpecInvalid) as caught:
        parse_address(url)
    assert "pw" not in str(caught.value)
    assert "token" not in str(caught.value)


def test_the_forms_of_one_address_are_one():
    assert parse_address("https://Git.Example.org:443/shop/app.git") == parse_address(
        "https://git.example.org/shop/app/"
    )
    assert parse_address("git@git.example.org:shop/app.git") == parse_address("ssh://git@git.example.org/shop/app")


def test_a_user_part_is_taken_out_of_any_text():
    assert redact("fatal: https://me:pw@host/x and ssh://git@host/y") == "fatal: https://host/x and ssh://host/y"


@pytest.mark.parametrize("bad", ["", "a\nb", "a\rb", "a\0b"])
def test_a_secret_with_a_line_break_is_refused(bad: str):
    with pytest.raises(SpecInvalid):
        BasicCredential("canary", bad)
    with pytest.raises(SpecInvalid):
        BearerCredential(bad)


def test_secrets_are_not_in_any_repr():
    assert "s3cr3t" not in repr(Bindings((Binding("x", "*", "https://h/x", BasicCredential("u", "s3cr3t")),)))
    assert "s3cr3t" not in repr(BearerCredential("s3cr3t"))


def test_a_credential_that_does_not_fit_the_address_is_refused():
    with pytest.raises(SpecInvalid, match="does not fit"):
        Binding("x", "*", "ssh://git@h/x", BearerCredential("t"))
