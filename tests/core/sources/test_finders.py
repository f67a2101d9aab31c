"""What is found in a text is what everybody would search for: one spelling for each address, name and id."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.sources import finders
from iota_dagster.core.sources.finders import Finder


def found(finder: Finder, text: str) -> dict[str, tuple[str, ...]]:
    words = dict(zip(finder.gives, finder.find(text), strict=True))
    return {name.removeprefix("p_any_"): value for name, value in words.items() if value}


@pytest.mark.parametrize(
    ("finder", "text", "expected"),
    [
        (finders.IP, "203.0.113.9", {"ip_addresses": ("203.0.113.9",)}),
        (finders.IP, "203.0.113.9:443", {"ip_addresses": ("203.0.113.9",)}),
        (finders.IP, "2001:DB8:0::7", {"ip_addresses": ("2001:db8::7",)}),
        (finders.IP, "[2001:db8::7]:52144", {"ip_addresses": ("2001:db8::7",)}),
        (finders.IP, "::ffff:203.0.113.9", {"ip_addresses": ("203.0.113.9",)}),
        (finders.IP, "12.34.178.90.32:40860", {}),
        (finders.IP, "-", {}),
        (finders.PLACE, "s3.Amazonaws.com.", {"domain_names": ("s3.amazonaws.com",)}),
        (finders.PLACE, "example.com:8443", {"domain_names": ("example.com",)}),
        (finders.PLACE, "198.51.100.4", {"ip_addresses": ("198.51.100.4",)}),
        (finders.PLACE, "AWS Internal", {}),
        (finders.URL, "https://user@www.Example.com:443/a?b=c", {"domain_names": ("www.example.com",)}),
        (finders.URL, "http://[2001:db8::1]/", {"ip_addresses": ("2001:db8::1",)}),
        (finders.URL, "https://a@b@evil.Example.com:8443/x@y", {"domain_names": ("evil.example.com",)}),
        (finders.URL, "https://www.example.com/@user?a=b@c", {"domain_names": ("www.example.com",)}),
        (finders.URL, "/just/a/path", {}),
        (finders.EMAIL, "Ada@Example.com", {"emails": ("ada@example.com",)}),
        (finders.EMAIL, "ada", {}),
        (finders.USER, "Ada@Example.com", {"usernames": ("Ada@Example.com",), "emails": ("ada@example.com",)}),
        (finders.USER, "ada", {"usernames": ("ada",)}),
        (finders.USER, "", {}),
        (finders.ACCOUNT, "111122223333", {"aws_account_ids": ("111122223333",)}),
        (finders.ACCOUNT, "ANONYMOUS_PRINCIPAL", {}),
        (finders.ACCOUNT, "\u0661\u0662\u0663" * 4, {}),
        (finders.INSTANCE, "i-0123456789abcdef0", {"aws_instance_ids": ("i-0123456789abcdef0",)}),
        (finders.INSTANCE, "i-xyz", {}),
        (finders.SHA256, "sha256:" + "A" * 64, {"sha256_hashes": ("a" * 64,)}),
        (finders.SHA256, "a" * 63, {}),
        (finders.TRACE, "Root=1-65f2", {"trace_ids": ("Root=1-65f2",)}),
    ],
)
def test_a_text_is_found_in_one_spelling(finder: Finder, text: str, expected: dict[str, tuple[str, ...]]) -> None:
    assert found(finder, text) == expected


def test_an_arn_gives_its_account_and_its_instance() -> None:
    arn = "arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abcdef0"
    assert found(finders.ARN, arn) == {
        "aws_arns": (arn,),
        "aws_account_ids": ("111122223333",),
        "aws_instance_ids": ("i-0123456789abcdef0",),
    }
    assert found(finders.ARN, "arn:aws:s3:::example-logs") == {"aws_arns": ("arn:aws:s3:::example-logs",)}
    assert found(finders.ARN, "example-logs") == {}


@given(st.ip_addresses(), st.integers(0, 65535))
def test_every_address_is_found_with_and_without_a_port(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int
) -> None:
    mapped = getattr(address, "ipv4_mapped", None) or address
    bracketed = f"[{address}]" if address.version == 6 else str(address)
    assert finders.address(str(address)) == finders.address(f"{bracketed}:{port}") == str(mapped)


ALL = (
    *(finders.IP, finders.PLACE, finders.URL, finders.DOMAIN, finders.EMAIL, finders.USER, finders.ARN),
    *(finders.ACCOUNT, finders.INSTANCE, finders.SHA256, finders.TRACE),
)


@given(st.text(max_size=80), st.sampled_from(ALL))
def test_no_text_breaks_a_finder(text: str, finder: Finder) -> None:
    assert len(finder.find(text)) == len(finder.gives)


@pytest.mark.parametrize(
    ("resource", "names"),
    [
        ("user/staff/ann", {"usernames": ("ann",)}),
        ("role/ops", {"usernames": ("ops",)}),
        ("assumed-role/ops/Ann@Example.com", {"usernames": ("ops",), "emails": ("ann@example.com",)}),
        ("assumed-role/ops/i-0123456789abcdef0", {"usernames": ("ops",), "aws_instance_ids": ("i-0123456789abcdef0",)}),
        ("federated-user/ann", {"usernames": ("ann",)}),
        ("root", {}),
    ],
)
def test_the_arn_of_who_acts_gives_a_name(resource: str, names: dict[str, tuple[str, ...]]) -> None:
    arn = f"arn:aws:iam::111122223333:{resource}"
    assert found(finders.PRINCIPAL, arn) == {"aws_arns": (arn,), "aws_account_ids": ("111122223333",), **names}
    assert found(finders.PRINCIPAL, "ann") == {}


def test_several_finders_find_what_each_of_them_finds() -> None:
    both = finders.all_of(finders.USER, finders.ACCOUNT)
    assert both.gives == ("p_any_usernames", "p_any_emails", "p_any_aws_account_ids")
    assert found(both, "111122223333") == {"usernames": ("111122223333",), "aws_account_ids": ("111122223333",)}
