"""Pod addresses."""

import pytest

from lab.node.addresses import Addresses, AddressesExhausted


def test_the_first_pod_gets_the_first_address_of_the_second_block():
    assert Addresses("10.244.0.0/16").take() == "10.244.1.1"


def test_an_address_that_was_given_back_comes_last():
    addresses = Addresses("10.9.0.0/29", first="10.9.0.1")
    first = addresses.take()
    addresses.release(first)
    taken = [addresses.take() for _ in range(6)]
    assert taken[-1] == first


def test_no_two_pods_share_an_address_until_none_is_left():
    addresses = Addresses("10.9.0.0/29", first="10.9.0.1")
    assert len({addresses.take() for _ in range(6)}) == 6
    with pytest.raises(AddressesExhausted):
        addresses.take()


def test_a_claimed_address_is_never_handed_out_nor_claimed_again():
    addresses = Addresses("10.9.0.0/29", first="10.9.0.1")
    assert addresses.claim("10.9.0.2")
    assert not addresses.claim("10.9.0.2")
    assert not addresses.claim("10.8.0.2")
    assert "10.9.0.2" not in {addresses.take() for _ in range(5)}


def test_the_ends_of_a_block_of_256_are_left_out():
    addresses = Addresses("10.244.0.0/16", first="10.244.1.254")
    assert [addresses.take(), addresses.take()] == ["10.244.1.254", "10.244.2.1"]
