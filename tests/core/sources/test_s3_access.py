"""S3 server access logs: lines of every age, and what clients can do to them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.sources.s3_access import _LONGEST_WITH_QUOTES, SOURCE
from tests.core.sources.cases import columns, indicators, read_safely, rows

OWNER = "0123456789abcdef" * 4
HEAD = f"{OWNER} example-bucket [06/Feb/2019:00:00:38 +0000] 203.0.113.9"
LINE = (
    f"{HEAD} arn:aws:sts::111122223333:assumed-role/Admin/bob@example.com 3E57427F3EXAMPLE REST.GET.OBJECT a%2Bb.pdf "
    '"GET /a%2Bb.pdf?versionId=v1 HTTP/1.1" 206 - 113 4406583 7 5 "https://intranet.example.com/a b" "Mozilla/5.0 (X)" '
    "v1 aGVsbG8= SigV4 TLS_AES_128_GCM_SHA256 AuthHeader example-bucket.s3.eu-west-1.amazonaws.com TLSv1.3 "
    "arn:aws:s3:eu-west-1:111122223333:accesspoint/example Yes us-east-1"
)
BATCH = (
    f"{HEAD} svc:lifecycle.amazonaws.com 3E57427F3EXAMPLE BATCH.DELETE.OBJECT a/1.txt - 204 - - 22 - - - - 2e3ad "
    "aGVsbG8= SigV4 - AuthHeader s3.amazonaws.com TLSv1.3 - -"
)


def _row(line: str) -> dict[str, object]:
    (found,) = rows(SOURCE, line.encode())
    return found


def _with_headers(referrer: str, agent: str) -> str:
    answered = '"GET /k HTTP/1.1" 404 NoSuchKey 312 - 9 -'
    return f'{HEAD} - 1 REST.GET.OBJECT k {answered} "{referrer}" "{agent}" - id= - - - - - - -'


def test_a_line_fills_the_columns_of_its_fields() -> None:
    assert columns(_row(LINE)) == {
        "bucketowner": OWNER,
        "bucket": "example-bucket",
        "time": datetime(2019, 2, 6, 0, 0, 38, tzinfo=UTC),
        "remoteip": "203.0.113.9",
        "requester": "arn:aws:sts::111122223333:assumed-role/Admin/bob@example.com",
        "requestid": "3E57427F3EXAMPLE",
        "operation": "REST.GET.OBJECT",
        "key": "a%2Bb.pdf",
        "requesturi": "GET /a%2Bb.pdf?versionId=v1 HTTP/1.1",
        "requestmethod": "GET",
        "requestpath": "/a%2Bb.pdf?versionId=v1",
        "httpstatus": 206,
        "bytessent": 113,
        "objectsize": 4406583,
        "totaltime": 7,
        "turnaroundtime": 5,
        "referrer": "https://intranet.example.com/a b",
        "useragent": "Mozilla/5.0 (X)",
        "versionid": "v1",
        "hostid": "aGVsbG8=",
        "signatureversion": "SigV4",
        "ciphersuite": "TLS_AES_128_GCM_SHA256",
        "authenticationtype": "AuthHeader",
        "hostheader": "example-bucket.s3.eu-west-1.amazonaws.com",
        "tlsversion": "TLSv1.3",
        "accesspointarn": "arn:aws:s3:eu-west-1:111122223333:accesspoint/example",
        "aclrequired": "Yes",
        "sourceregion": "us-east-1",
    }


def test_its_time_is_that_of_the_request_and_its_identity_its_place() -> None:
    found = _row(LINE)
    assert found["time"] == datetime(2019, 2, 6, 0, 0, 38, tzinfo=UTC)
    assert not {"id", "account", "region"} & found.keys()
    abroad = _row(LINE.replace("+0000", "+0130"))
    assert abroad["time"] == datetime(2019, 2, 5, 22, 30, 38, tzinfo=UTC)


def test_indicators_name_who_asked_from_where_and_by_which_names() -> None:
    assert indicators(_row(LINE)) == {
        "ip_addresses": ["203.0.113.9"],
        "domain_names": ["intranet.example.com", "example-bucket.s3.eu-west-1.amazonaws.com"],
        "emails": ["bob@example.com"],
        "usernames": ["Admin"],
        "aws_arns": [
            "arn:aws:sts::111122223333:assumed-role/Admin/bob@example.com",
            "arn:aws:s3:eu-west-1:111122223333:accesspoint/example",
        ],
        "aws_account_ids": ["111122223333"],
        "trace_ids": ["3E57427F3EXAMPLE"],
    }
    assert indicators(_row(BATCH))["usernames"] == ["svc:lifecycle.amazonaws.com"]


def test_fields_that_were_appended_since_are_kept_in_one_column() -> None:
    assert columns(_row(f"{LINE} new newer"))["tail"] == "new newer"


def test_an_old_line_ends_with_the_version() -> None:
    found = columns(_row(LINE[: LINE.index(" aGVsbG8=")]))
    assert found["versionid"] == "v1"
    assert not {"hostid", "tlsversion", "sourceregion", "tail"} & found.keys()


def test_a_deletion_in_a_batch_has_no_request_of_its_own() -> None:
    found = columns(_row(BATCH))
    assert (found["key"], found["httpstatus"], found["objectsize"], found["versionid"]) == ("a/1.txt", 204, 22, "2e3ad")
    assert not {"requesturi", "requestmethod", "referrer", "useragent", "bytessent"} & found.keys()


@pytest.mark.parametrize("nobody", ["-", "Anonymous"])
def test_a_request_without_credentials_has_no_requester(nobody: str) -> None:
    assert "requester" not in columns(
        _row(LINE.replace("arn:aws:sts::111122223333:assumed-role/Admin/bob@example.com", nobody))
    )


@pytest.mark.parametrize(
    ("referrer", "agent"),
    [
        ("-x", 'evil " UA'),
        ("-x", 'curl \\"a\\" b'),
        ('x" 200 - 1 2 3 4 "y', "z"),
        ("x", '" 403 AccessDenied 1 2 3 4 "-" "y" - id= SigV4'),
        ("", '"'),
    ],
)
def test_quotes_in_headers_change_no_other_field(referrer: str, agent: str) -> None:
    found = columns(_row(_with_headers(referrer, agent)))
    assert (found["httpstatus"], found["errorcode"], found["hostid"]) == (404, "NoSuchKey", "id=")
    assert f'{found.get("referrer", "")}" "{found["useragent"]}' == f'{referrer}" "{agent}'


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"])))
def test_no_user_agent_hides_a_request(agent: str) -> None:
    found = columns(_row(_with_headers("r", agent)))
    assert (found["key"], found["httpstatus"], found["bytessent"], found["hostid"]) == ("k", 404, 312, "id=")


def test_a_request_with_spaces_keeps_its_path() -> None:
    found = columns(_row(LINE.replace("/a%2Bb.pdf?versionId=v1 HTTP", "/a b HTTP")))
    assert (found["requestmethod"], found["requestpath"]) == ("GET", "/a b")


def test_an_address_may_be_of_the_sixth_version_or_missing() -> None:
    assert indicators(_row(LINE.replace("203.0.113.9", "2001:db8::7")))["ip_addresses"] == ["2001:db8::7"]
    assert "ip_addresses" not in indicators(_row(LINE.replace("203.0.113.9", "-")))


def test_a_number_or_time_that_is_none_costs_only_itself() -> None:
    found = columns(_row(LINE.replace(" 113 ", f" {10**30} ").replace("/Feb/", "/Foo/")))
    assert not {"bytessent", "time"} & found.keys()
    assert found["httpstatus"] == 206


def test_lines_are_known_by_their_beginning() -> None:
    lines = [LINE, BATCH, LINE.replace("REST.GET.OBJECT", "S3.EXPIRE.OBJECT"), LINE.replace("REST.GET", "REST.GET.X_Y")]
    assert all(SOURCE.accepts(line.encode()) for line in lines)
    others = [
        "2 111122223333 eni-0123456789abcdef0 10.0.0.1 10.0.0.2 443 50000 6 1 40 1700000000 1700000060 ACCEPT OK",
        '203.0.113.9 - alice [06/Feb/2019:00:00:38 +0000] "GET / HTTP/1.1" 200 5',
        '{"bucket": "example-bucket"}',
        "",
    ]
    assert not any(SOURCE.accepts(line.encode()) for line in others)
    assert SOURCE.expects("logs/2019-02-06-00-15-22-0123456789ABCDEF")


def test_a_line_with_quotes_is_read_up_to_the_length_that_is_quick_to_split() -> None:
    short = _with_headers("r", '" x')
    longest = _with_headers("r", '" x' + "y" * (_LONGEST_WITH_QUOTES - len(short)))
    assert columns(_row(longest))["useragent"] == '" x' + "y" * (_LONGEST_WITH_QUOTES - len(short))
    longer = longest.replace('" x', '" xy')
    assert SOURCE.read_many([longer.encode()]).rejected[0].reason == "malformed"
    plain = _with_headers("r", "y" * _LONGEST_WITH_QUOTES)
    assert columns(_row(plain))["useragent"] == "y" * _LONGEST_WITH_QUOTES


@pytest.mark.parametrize("request_line", ["a " * (1 << 16), '" 200 - 1 2 3 4 ' * 2_000])
def test_no_request_takes_long_to_be_refused(request_line: str) -> None:
    """What takes the square of such a line's length runs into the test's time limit."""
    line = f'{HEAD} - 1 REST.GET.OBJECT k "GET {request_line}" x'.encode()
    assert SOURCE.accepts(line)
    assert len(SOURCE.read_many([line] * 200).rejected) == 200


@given(st.lists(st.text() | st.integers(0, len(LINE)).map(lambda cut: LINE[:cut] + LINE[cut + 3 :]), max_size=3))
def test_no_line_breaks_the_reading(lines: list[str]) -> None:
    read_safely(SOURCE, [line.encode(errors="replace") for line in [LINE, *lines]])
