from dns_helpers import asker, belongs_to, dns_context, name, source

POOLS = (
    "2miners.com",
    "c3pool.com",
    "ethermine.org",
    "f2pool.com",
    "hashvault.pro",
    "herominers.com",
    "minergate.com",
    "minexmr.com",
    "moneroocean.stream",
    "nanopool.org",
    "nicehash.com",
    "supportxmr.com",
    "unmineable.com",
    "xmrpool.eu",
)


def rule(event):
    return bool(belongs_to(name(event), POOLS))


def title(event):
    return f"{asker(event)} looked up the mining pool {belongs_to(name(event), POOLS)}"


def dedup(event):
    return source(event)


def alert_context(event):
    return dns_context(event)
