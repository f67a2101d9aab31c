from field_helpers import number
from network_helpers import TCP, comes_in, flow_context

SERVICES = {
    22: "SSH",
    445: "SMB",
    1433: "SQL Server",
    2375: "Docker",
    3306: "MySQL",
    3389: "RDP",
    5432: "PostgreSQL",
    5985: "WinRM",
    6379: "Redis",
    9200: "Elasticsearch",
    10250: "kubelet",
    27017: "MongoDB",
}


def rule(event):
    if event.get("action") != "ACCEPT" or number(event, "dstPort") not in SERVICES or number(event, "protocol") != TCP:
        return False
    # Answers of web servers to a NAT gateway may end on any port, and a lone SYN with its repetitions is no visit.
    if number(event, "srcPort") < 1024 or number(event, "packets") < 4:
        return False
    return comes_in(event)


def service(event):
    return SERVICES.get(number(event, "dstPort"), "an administrative port")


def title(event):
    return f"{service(event)} on {event.get('dstAddr')} is reached from the internet"


def severity(event):
    # SSH is opened on purpose now and then; a database, Docker or a kubelet never is.
    return "LOW" if number(event, "dstPort") == 22 else "DEFAULT"


def dedup(event):
    return f"{event.get('dstAddr')}:{event.get('dstPort')}"


def alert_context(event):
    return flow_context(event) | {"service": service(event)}
