from gsuite_helpers import actor, gsuite_context, named, parameters, words

NAMES = ("email_forwarding_out_of_domain",)


def rule(event):
    return bool(named(event, NAMES))


def address(event):
    values = parameters(named(event, NAMES)[0])
    return words(values.get("email_forwarding_destination_address")) or "an outside address"


def title(event):
    return f"{actor(event)} forwards all mail to {address(event)}"


def alert_context(event):
    return gsuite_context(event) | {"address": address(event)}
