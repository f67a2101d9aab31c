from gsuite_helpers import actor, gsuite_context, named, parameters, words

CHANGES = ("change_document_visibility", "change_document_access_scope")
OPEN = ("public_on_the_web", "people_with_link")


def rule(event):
    return bool(published(event))


def published(event):
    changes = [parameters(item) for item in named(event, CHANGES)]
    return [
        change for change in changes if change.get("visibility") in OPEN and change.get("old_visibility") not in OPEN
    ]


def title(event):
    return f"{actor(event)} opened several documents in Google Drive to anybody"


def dedup(event):
    return actor(event)


def unique(event):
    return words(published(event)[0].get("doc_id")) or "unknown"


def alert_context(event):
    document = published(event)[0]
    keys = ("doc_id", "doc_title", "doc_type", "owner", "visibility")
    return gsuite_context(event) | {key: words(document.get(key)) for key in keys}
