"""Access logs of load balancers: application ones of every age, network and classic ones."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.sources.alb import SOURCE
from tests.core.sources.cases import columns, indicators, read_safely, rows

GROUP = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/73e2d6bc24d8a067"
CERTIFICATE = "arn:aws:acm:eu-west-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"
OLDEST = (
    "https 2024-03-14T09:26:53.186641Z app/web/50dc6c495c0c9188 203.0.113.9:52144 10.0.0.7:8080 0.001 0.212 0.000 "
    '200 201 812 30144 "GET https://www.example.com:443/search?q=a%20b HTTP/2.0" "Mozilla/5.0 (X)" '
    f'ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 {GROUP} "Root=1-65f2c1ad-0123456789abcdef01234567"'
)
OLD = f'{OLDEST} "www.example.com" "{CERTIFICATE}" 2'
LINE = f'{OLD} 2024-03-14T09:26:52.973000Z "waf,forward" "-" "-"'
NEW = f'{LINE} "10.0.0.7:8080" "201" "Acceptable" "SpaceInUri" TID_0123456789abcdef "new.example.com" "/new" "Done"'
MALFORMED = (
    "http 2024-03-14T09:26:56.000000Z app/web/50dc6c495c0c9188 203.0.113.10:1 - -1 -1 -1 400 - 0 272 "
    '"- http://web-1.eu-west-1.elb.amazonaws.com:80- -" "-" - - - "-" "-" "-" - 2024-03-14T09:26:55.990000Z "-" "-" "-"'
)
NETWORK = (
    "tls 2.0 2018-12-20T02:59:40 net/balancer/c6e77e28c25b2234 g3d4b5e8bb8464cd 203.0.113.9:51341 10.0.0.185:443 5 2 "
    f"98 246 42 {CERTIFICATE} - ECDHE-RSA-AES128-SHA tlsv12 - www.example.com"
)
NEGOTIATED = f'{NETWORK} h2 http/1.1 "h2","http/1.1" 2018-12-20T02:59:30'
CLASSIC = (
    "2015-05-13T23:39:43.945958Z my-balancer 203.0.113.9:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 201 3 29 "
    '"GET http://www.example.com:80/a b HTTP/1.1"'
)
FLOW = "2 111122223333 eni-0123456789abcdef0 10.0.0.1 10.0.0.2 443 50000 6 1 40 1700000000 1700000060 ACCEPT OK"


def _row(line: str) -> dict[str, object]:
    (found,) = rows(SOURCE, line.encode())
    return found


def test_a_line_fills_the_columns_of_its_fields() -> None:
    assert columns(_row(NEW)) == {
        "type": "https",
        "timestamp": datetime(2024, 3, 14, 9, 26, 53, 186641, tzinfo=UTC),
        "elb": "app/web/50dc6c495c0c9188",
        "clientIp": "203.0.113.9",
        "clientPort": 52144,
        "targetIp": "10.0.0.7",
        "targetPort": 8080,
        "requestProcessingTime": 0.001,
        "targetProcessingTime": 0.212,
        "responseProcessingTime": 0.0,
        "elbStatusCode": 200,
        "targetStatusCode": 201,
        "receivedBytes": 812,
        "sentBytes": 30144,
        "requestHttpMethod": "GET",
        "requestUrl": "https://www.example.com:443/search?q=a%20b",
        "requestHttpVersion": "HTTP/2.0",
        "userAgent": "Mozilla/5.0 (X)",
        "sslCipher": "ECDHE-RSA-AES128-GCM-SHA256",
        "sslProtocol": "TLSv1.2",
        "targetGroupArn": GROUP,
        "traceId": "Root=1-65f2c1ad-0123456789abcdef01234567",
        "domainName": "www.example.com",
        "chosenCertArn": CERTIFICATE,
        "matchedRulePriority": 2,
        "requestCreationTime": datetime(2024, 3, 14, 9, 26, 52, 973000, tzinfo=UTC),
        "actionsExecuted": ["waf", "forward"],
        "targetPortList": "10.0.0.7:8080",
        "targetStatusCodeList": "201",
        "classification": "Acceptable",
        "classificationReason": "SpaceInUri",
        "connTraceId": "TID_0123456789abcdef",
        "transformedHost": "new.example.com",
        "transformedUri": "/new",
        "requestTransformStatus": "Done",
    }


def test_time_account_and_region_are_the_records_and_its_identity_is_its_place() -> None:
    found = _row(NEW)
    assert found["time"] == datetime(2024, 3, 14, 9, 26, 53, 186641, tzinfo=UTC)
    assert (found["account"], found["region"]) == ("111122223333", "eu-west-1")
    assert "id" not in found
    lambda_target = _row(LINE.replace(GROUP, "-"))
    assert (lambda_target["account"], lambda_target["region"]) == ("111122223333", "eu-west-1")


def test_indicators_name_both_ends_the_host_the_arns_and_the_traces() -> None:
    assert indicators(_row(NEW.replace("https://www.", "https://api."))) == {
        "ip_addresses": ["203.0.113.9", "10.0.0.7"],
        "domain_names": ["www.example.com", "api.example.com"],
        "aws_arns": [GROUP, CERTIFICATE],
        "aws_account_ids": ["111122223333"],
        "trace_ids": ["1-65f2c1ad-0123456789abcdef01234567", "TID_0123456789abcdef"],
    }


@pytest.mark.parametrize(
    ("line", "last"),
    [(OLDEST, "traceId"), (OLD, "matchedRulePriority"), (LINE, "requestCreationTime")],
)
def test_lines_of_every_age_are_read_alike(line: str, last: str) -> None:
    found, newest = columns(_row(line)), columns(_row(NEW))
    assert found.items() <= {**newest, **{name: found[name] for name in ("actionsExecuted",) if name in found}}.items()
    assert last in found


def test_fields_that_were_appended_since_are_kept_in_one_column() -> None:
    assert columns(_row(f'{NEW} "a b" 10.0.0.9'))["tail"] == "a b 10.0.0.9"
    bare = columns(_row(f'{LINE} 10.0.0.7:8080 201 "-" "-" TID_1'))
    assert (bare["targetPortList"], bare["targetStatusCodeList"], bare["connTraceId"]) == (
        "10.0.0.7:8080",
        "201",
        "TID_1",
    )
    assert "classification" not in bare


@pytest.mark.parametrize("client", ["[2001:db8::7]:52144", "2001:db8::7:52144"])
def test_an_address_of_the_sixth_version_ends_before_the_port(client: str) -> None:
    found = _row(NEW.replace("203.0.113.9:52144", client).replace("10.0.0.7:8080 0", "[fd00:10::a]:8080 0"))
    assert columns(found)["clientIp"] == "2001:db8::7"
    assert columns(found)["clientPort"] == 52144
    assert indicators(found)["ip_addresses"] == ["2001:db8::7", "fd00:10::a"]


def test_a_client_that_is_no_address_stays_in_the_column_and_is_no_indicator() -> None:
    found = _row(NEW.replace("203.0.113.9:52144", "12.34.178.90.32:52144"))
    assert (columns(found)["clientIp"], columns(found)["clientPort"]) == ("12.34.178.90.32", 52144)
    assert indicators(found)["ip_addresses"] == ["10.0.0.7"]


def test_a_malformed_request_has_no_method_and_no_target() -> None:
    found = _row(MALFORMED)
    assert columns(found)["requestUrl"] == "http://web-1.eu-west-1.elb.amazonaws.com:80-"
    assert columns(found)["requestProcessingTime"] == -1
    assert not {"requestHttpMethod", "requestHttpVersion", "targetIp", "targetPort"} & columns(found).keys()
    assert indicators(found)["domain_names"] == ["web-1.eu-west-1.elb.amazonaws.com"]


def test_a_url_may_hold_spaces_and_escaped_quotes() -> None:
    found = columns(_row(NEW.replace("/search?q=a%20b", "/a b?c=\\x22d\\x22 e").replace("(X)", "\\x22\\xC3\\xA4\\xFF")))
    assert found["requestUrl"] == 'https://www.example.com:443/a b?c="d" e'
    assert found["requestHttpVersion"] == "HTTP/2.0"
    assert columns(_row(NEW.replace("(X)", "\\xC3\\xA4\\x5C")))["userAgent"] == "Mozilla/5.0 ä\\"


def test_escaped_bytes_that_are_no_text_stay_as_they_are() -> None:
    assert columns(_row(NEW.replace("(X)", "\\xFF")))["userAgent"] == "Mozilla/5.0 \\xFF"
    assert columns(_row(NEW.replace("app/web", "app/w\\x20b")))["elb"] == "app/w\\x20b/50dc6c495c0c9188"


@pytest.mark.parametrize("agent", ['evil " UA', '"', 'a" "b', '" - - - "Root=1" "x', '\\"quoted\\"'])
def test_quotes_in_the_user_agent_change_no_other_field(agent: str) -> None:
    found = columns(_row(NEW.replace("Mozilla/5.0 (X)", agent)))
    assert (found["userAgent"], found["sslProtocol"]) == (agent, "TLSv1.2")
    assert (found["requestUrl"], found["connTraceId"]) == (columns(_row(NEW))["requestUrl"], "TID_0123456789abcdef")


def test_a_header_with_several_trace_ids_names_all_that_aws_made() -> None:
    header = "Self=1-65f2c1ae-0123456789abcdef01234568;Root=1-65f2c1ad-0123456789abcdef01234567;mine=x"
    found = _row(LINE.replace("Root=1-65f2c1ad-0123456789abcdef01234567", header))
    assert columns(found)["traceId"] == header
    assert indicators(found)["trace_ids"] == [
        "1-65f2c1ae-0123456789abcdef01234568",
        "1-65f2c1ad-0123456789abcdef01234567",
    ]


def test_a_network_load_balancer_writes_tls_connections() -> None:
    found = _row(NEGOTIATED)
    assert columns(found) == {
        "type": "tls",
        "timestamp": datetime(2018, 12, 20, 2, 59, 40, tzinfo=UTC),
        "elb": "net/balancer/c6e77e28c25b2234",
        "listener": "g3d4b5e8bb8464cd",
        "clientIp": "203.0.113.9",
        "clientPort": 51341,
        "destinationIp": "10.0.0.185",
        "destinationPort": 443,
        "connectionTime": 5,
        "tlsHandshakeTime": 2,
        "receivedBytes": 98,
        "sentBytes": 246,
        "incomingTlsAlert": 42,
        "chosenCertArn": CERTIFICATE,
        "sslCipher": "ECDHE-RSA-AES128-SHA",
        "sslProtocol": "tlsv12",
        "domainName": "www.example.com",
        "alpnFeProtocol": "h2",
        "alpnBeProtocol": "http/1.1",
        "alpnClientPreferenceList": ["h2", "http/1.1"],
        "requestCreationTime": datetime(2018, 12, 20, 2, 59, 30, tzinfo=UTC),
    }
    assert (found["account"], found["region"]) == ("111122223333", "eu-west-1")
    assert indicators(found)["ip_addresses"] == ["203.0.113.9", "10.0.0.185"]
    assert columns(_row(NETWORK)).items() <= columns(found).items()
    assert columns(_row(f"{NEGOTIATED} x y"))["tail"] == "x y"


def test_a_classic_load_balancer_writes_no_type() -> None:
    found = columns(_row(f'{CLASSIC} "curl "7"" DHE-RSA-AES128-SHA TLSv1.2'))
    assert (found["type"], found["elb"], found["clientIp"], found["targetPort"]) == (
        "classic",
        "my-balancer",
        "203.0.113.9",
        80,
    )
    assert (found["elbStatusCode"], found["targetStatusCode"], found["sentBytes"]) == (200, 201, 29)
    assert (found["requestHttpMethod"], found["requestUrl"]) == ("GET", "http://www.example.com:80/a b")
    assert (found["userAgent"], found["sslCipher"], found["sslProtocol"]) == (
        'curl "7"',
        "DHE-RSA-AES128-SHA",
        "TLSv1.2",
    )
    assert columns(_row(CLASSIC)).items() <= found.items()


def test_a_classic_one_writes_dashes_for_what_is_not_http() -> None:
    line = CLASSIC.partition(' "')[0].replace("200 201", "- -")
    found = columns(_row(f'{line} "- - - " "-" - -'))
    assert (found["type"], found["receivedBytes"]) == ("classic", 3)
    assert not {"requestHttpMethod", "requestUrl", "requestHttpVersion", "userAgent", "elbStatusCode"} & found.keys()


def test_lines_are_known_by_their_beginning() -> None:
    lines = [OLDEST, OLD, LINE, NEW, MALFORMED, NETWORK, NEGOTIATED, CLASSIC, LINE.replace("https", "grpcs", 1)]
    assert all(SOURCE.accepts(line.encode()) for line in lines)
    health_check = "http 2024-03-14T09:26:53.186641Z 0.019584011 10.0.0.7:80 web PASS 200 -"
    connection = "2024-03-14T09:26:53.186641Z 203.0.113.9 36280 443 TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 0.03 -"
    assert not any(SOURCE.accepts(line.encode()) for line in (FLOW, health_check, connection, "{}", ""))
    assert SOURCE.expects("AWSLogs/111122223333/elasticloadbalancing/eu-west-1/2024/03/14/x.log.gz")


def test_a_field_that_is_not_as_declared_costs_only_itself() -> None:
    found = columns(_row(NEW.replace(" 200 201 ", " 2x0 201 ").replace("186641Z", "186641?")))
    assert not {"elbStatusCode", "timestamp"} & found.keys()
    assert found["targetStatusCode"] == 201


@pytest.mark.parametrize("line", [NEW[:200], NETWORK[:120], CLASSIC[:60], NEW.replace(" 812 ", " 812 1 ")])
def test_a_line_that_is_not_whole_is_refused(line: str) -> None:
    assert SOURCE.read_many([line.encode()]).rejected[0].reason == "malformed"


@pytest.mark.parametrize("line", [NEW, NEGOTIATED, f'{CLASSIC} "curl/7" - -'])
@given(data=st.data())
def test_no_line_breaks_the_reading(line: str, data: st.DataObject) -> None:
    cut, size = data.draw(st.integers(0, len(line))), data.draw(st.integers(0, 9))
    written = [line, line[:cut], line[:cut] + line[cut + size :], data.draw(st.text()), "tls " + data.draw(st.text())]
    read_safely(SOURCE, [text.encode(errors="replace") for text in written])
