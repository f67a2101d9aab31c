from dns_helpers import asker, belongs_to, dns_context, name, source

# Services that tell an attacker when a server looks a name up: the proof that a blind exploit worked.
LISTENING = (
    "burpcollaborator.net",
    "dnslog.cn",
    "interact.sh",
    "oast.fun",
    "oast.live",
    "oast.me",
    "oast.online",
    "oast.pro",
    "oast.site",
    "oastify.com",
    "requestrepo.com",
    "webhook.site",
)


def rule(event):
    return bool(belongs_to(name(event), LISTENING))


def title(event):
    return f"{asker(event)} was made to call {belongs_to(name(event), LISTENING)}: an exploit may have worked"


def dedup(event):
    return f"{source(event)}/{belongs_to(name(event), LISTENING)}"


def alert_context(event):
    return dns_context(event)
