"""Files that a web server must never hand out."""

from urllib.parse import unquote

SECRET_FILES = (
    "/.env",
    "/.env.production",
    "/.git/config",
    "/.git/head",
    "/.aws/credentials",
    "/.ssh/id_rsa",
    "/.htpasswd",
    "/wp-config.php.bak",
    "/terraform.tfstate",
)


def secret_file(url):
    """The secret file that a URL or path asks for, or an empty text."""
    # By hand: the standard library's parser raises on what scanners send.
    path = url.partition("?")[0].partition("#")[0]
    if "://" in path:
        path = "/" + path.partition("://")[2].partition("/")[2]
    path = unquote(path).lower()
    return path if path.endswith(SECRET_FILES) else ""
