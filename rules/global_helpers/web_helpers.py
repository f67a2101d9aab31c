"""What several rules ask of a load balancer's request."""

from urllib.parse import parse_qsl, unquote_plus, urlsplit

from field_helpers import number, text

LIMIT = 8192


def plain_url(event):
    """The request's URL as the application may come to read it: decoded twice, in small letters, with single spaces."""
    url = unquote_plus(unquote_plus(text(event, "requestUrl")[:LIMIT])).lower()
    return " ".join(url.replace("/**/", " ").replace("\\", "/").split())


def path(event):
    """The decoded path of the request in small letters, without host and query."""
    return unquote_plus(_parts(event).path).lower()


def parameters(event):
    """The decoded values of the request's query, in small letters."""
    return [value.strip().lower() for _, value in parse_qsl(_parts(event).query)]


def _parts(event):
    try:
        return urlsplit(text(event, "requestUrl")[:LIMIT])
    except ValueError:  # such as an open bracket in the host
        return urlsplit("")


def answered(event):
    """Whether the client got what it asked for."""
    return 200 <= number(event, "elbStatusCode") < 300


def balancer(event):
    """The load balancer's name (`app/web/50dc6c495c0c9188` → `web`)."""
    full = text(event, "elb", default="unknown")
    return full.split("/")[1] if full.count("/") == 2 else full


def client(event):
    """The client's address. Behind a CDN it is the CDN's."""
    return text(event, "clientIp", default="an unknown client")


def web_context(event):
    """What an analyst looks at first, the same in every alert on web requests."""
    return {
        "client": event.get("clientIp"),
        "domain": event.get("domainName"),
        "load_balancer": event.get("elb"),
        "method": event.get("requestHttpMethod"),
        "status": event.get("elbStatusCode"),
        "target": event.get("targetIp"),
        "target_status": event.get("targetStatusCode"),
        "trace_id": event.get("traceId"),
        "url": event.get("requestUrl"),
        "user_agent": event.get("userAgent"),
    }
