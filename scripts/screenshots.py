"""The pictures in docs/pictures: the demo is started, looked at by a headless Chromium, and ended.

python scripts/screenshots.py [--ui http://127.0.0.1:3000] [--out docs/pictures]

Needs the Debian packages chromium and pngquant. The browser is driven through its own debugging protocol, over the
websockets package that comes with Dagster's webserver.
"""

from __future__ import annotations

import argparse
import base64
import io
import itertools
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

from rich.console import Console
from rich.terminal_theme import MONOKAI
from websockets.sync.client import ClientConnection, connect

from iota_dagster.demo.live import run_live
from iota_dagster.demo.processes import start, stop
from iota_dagster.demo.view import page as terminal_page
from iota_dagster.demo.watch import View

WIDTH = 1600
LINEAGE_SCALE = 0.7
"""Dagster leaves out what an asset's box says when there is little room for the graph."""
LARGEST = 300_000
"""Bytes of a picture: a README loads three of them."""
TERMINAL_COLUMNS, TERMINAL_LINES = 118, 34
TERMINAL_STYLE = "<style>body { margin: 24px } pre { font-size: 20px !important; line-height: 1.25 }</style>"
PATIENCE = 60.0
"""Seconds for a page to show what it is asked for."""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
_direct = build_opener(ProxyHandler({}))


class Page:
    """One page of a browser."""

    def __init__(self, connection: ClientConnection) -> None:
        """The connection is to the page's debugger."""
        self._connection, self._numbers = connection, itertools.count(1)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the DevTools protocol; its events are passed over."""
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(PATIENCE))
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return dict(answer["result"])

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def wait(self, condition: str) -> None:
        """Until an expression is true."""
        end = time.monotonic() + PATIENCE
        while not self.run(condition):
            if time.monotonic() > end:
                raise TimeoutError(f"the page never showed {condition}")
            time.sleep(0.25)

    def click(self, element: str) -> None:
        """Press the mouse at the right-hand end of what a JavaScript expression finds: its icon, if it has one."""
        self.wait(f"!!{element}")
        x, y = self.run(f"(({{right, top}}) => [right - 20, top + 20])({element}.getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        time.sleep(3)

    def open(self, address: str, height: int, *texts: str, scale: float = 1.0) -> None:
        """Go to an address, and wait until the page shows these texts and stands still.

        The picture has the same size whatever the scale; below 1 there is more on it, and smaller.
        """
        size = {"width": round(WIDTH / scale), "height": round(height / scale)}
        self.call("Emulation.setDeviceMetricsOverride", **size, deviceScaleFactor=scale, mobile=False)
        self.call("Page.navigate", url=address)
        for text in texts:
            self.wait(f"document.body && document.body.textContent.includes({json.dumps(text)})")
        time.sleep(3)

    def save(self, path: Path) -> None:
        """The page as a PNG with a palette, small enough for a README."""
        picture = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        small = subprocess.run(["pngquant", "--quality=60-95", "-"], input=picture, capture_output=True, check=True)
        if len(small.stdout) > LARGEST:
            raise ValueError(f"{path.name} has {len(small.stdout):,} bytes, the most is {LARGEST:,}")
        path.write_bytes(small.stdout)


@contextmanager
def browser() -> Iterator[Page]:
    """A page of a Chromium of our own, which ends with the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        profile = Path(folder) / "profile"
        command = ["chromium", *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = start(command, Path(folder) / "log", grace=5)
        try:
            port = _port(profile / "DevToolsActivePort")
            (target,) = [item for item in _json(f"http://127.0.0.1:{port}/json") if item["type"] == "page"]
            with connect(target["webSocketDebuggerUrl"], proxy=None, max_size=None) as connection:
                yield Page(connection)
        finally:
            stop(process)


def _port(file: Path) -> int:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if file.exists() and (lines := file.read_text().splitlines()):
            return int(lines[0])
        time.sleep(0.1)
    raise TimeoutError("Chromium did not start")


def _json(address: str, body: dict[str, Any] | None = None) -> Any:
    data = json.dumps(body).encode() if body else None
    with _direct.open(Request(address, data, {"Content-Type": "application/json"}), timeout=PATIENCE) as answer:
        return json.load(answer)


def finished_run(ui: str) -> tuple[str, str]:
    """The run to show: the newest that went all the way and told somebody, and its hour."""
    query = """{assetNodes(assetKeys: [{path: ["alert_deliveries"]}]) {assetMaterializations(limit: 200) {
        runId partition metadataEntries {label ... on IntMetadataEntry {intValue}}}}}"""
    (node,) = _json(f"{ui}/graphql", {"query": query})["data"]["assetNodes"]
    runs = node["assetMaterializations"]
    told = [run for run in runs if {"label": "sent", "intValue": 0} not in run["metadataEntries"]]
    chosen = (told or runs)[0]
    return chosen["runId"], chosen["partition"]


def take_pictures(ui: str, folder: Path) -> None:
    """All pictures of a UI that has something to show."""
    run, _ = finished_run(ui)
    with browser() as page:
        groups = quote(",".join(f"global@global:{name}" for name in ("ingest", "detect", "lake")))
        page.open(f"{ui}/asset-groups?expanded={groups}", 900, "glue_partitions", "% filled", scale=LINEAGE_SCALE)
        page.save(folder / "lineage.png")
        page.open(f"{ui}/assets/events", 1100, "batch_rows")
        page.click(_element("button", "Plots"))
        page.run(f"{_element('div', 'hour_duplicates')}.scrollIntoView()")
        page.save(folder / "events.png")
        page.open(f"{ui}/runs/{run}", 900, "RUN_SUCCESS")
        page.save(folder / "run.png")


def take_terminal(view: View, folder: Path) -> None:
    """The picture of what the demo shows in a terminal."""
    view = replace(view, folder=Path(".iota", "demo", view.folder.name))  # not where this machine has it
    console = Console(file=io.StringIO(), width=TERMINAL_COLUMNS, record=True, force_terminal=True, highlight=False)
    console.print(terminal_page(view, TERMINAL_LINES))
    with browser() as page, tempfile.TemporaryDirectory() as where:
        file = Path(where) / "demo.html"
        file.write_text(console.export_html(theme=MONOKAI, inline_styles=True) + TERMINAL_STYLE, encoding="utf-8")
        page.open(file.as_uri(), 900, "iota")
        page.save(folder / "demo.png")


def _element(kind: str, text: str) -> str:
    """JavaScript for the first element of a kind whose text begins with this one."""
    return (
        f"[...document.querySelectorAll('{kind}')].find(one => one.textContent.trim().startsWith({json.dumps(text)}))"
    )


def _when_ready(folder: Path, view: View) -> None:
    """Once the last day's traffic is in the lake, take the pictures and end the demo."""
    done = view.figures.get("objects", 0)
    if view.ui_answers and view.answer is not None and view.seconds > 60 and done >= 0.98 * view.put:
        take_terminal(view, folder)
        take_pictures(view.ui, folder)
        raise KeyboardInterrupt


def main() -> None:
    """Take the pictures of a running UI, or of a demo that is started for them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ui", help="a Dagster UI that is running already")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"), help="the folder for the pictures")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.ui:
        take_pictures(arguments.ui.rstrip("/"), arguments.out)
    else:
        run_live(print, lambda view: _when_ready(arguments.out, view))


if __name__ == "__main__":
    main()
