"""The page in a real browser of a phone's width, where one is installed: signed in, looked up, looked at."""

import asyncio
import base64
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from streams.dunning.explanation import Explanation
from streams.lab.customer_page import PATH, CustomerPage, sign_in
from streams.ops import Endpoint
from streams.ops.pages import Guard
from tests.ops.test_endpoint import Checks

from .test_customer_page import explanation as explanation  # noqa: PLC0414 - a fixture

TOKEN = "a token of some length"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_BROWSER = next(filter(None, map(shutil.which, _NAMES)), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(_BROWSER is None, reason=f"there is none of {', '.join(_NAMES)}"),
]


class Tab:
    """A browser's page, driven by the DevTools protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = count(1)
        self.complaints: list[str] = []

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive_json(timeout=20)
            if message.get("method") == "Log.entryAdded":
                self.complaints.append(message["params"]["entry"]["text"])
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result

    async def ask(self, expression: str) -> Any:
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, expression: str) -> None:
        for _ in range(200):
            try:
                if await self.ask(expression):
                    return
            except AssertionError:
                pass  # in the middle of a navigation there is nothing to ask
            await asyncio.sleep(0.05)
        raise AssertionError(expression)

    async def picture(self) -> bytes:
        shot = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])


_SCREEN: dict[str, Any] = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}


def browser(profile: Path) -> subprocess.Popen[bytes]:
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    where = ["--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
    return subprocess.Popen(
        [str(_BROWSER), *quiet, *where], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


@asynccontextmanager
async def phone(profile: Path) -> AsyncIterator[Tab]:
    process = browser(profile)
    try:
        said = profile / "DevToolsActivePort"
        for _ in range(400):
            if said.is_file() and said.read_text().count("\n"):
                break
            await asyncio.sleep(0.05)
        port = said.read_text().split("\n")[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                (target,) = [each for each in await answer.json() if each["type"] == "page"]
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=2**26) as socket:
                tab = Tab(socket)
                await tab.call("Page.enable")
                await tab.call("Log.enable")
                await tab.call("Emulation.setDeviceMetricsOverride", **_SCREEN)
                yield tab
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def endpoint(explanation: Explanation) -> Iterator[Endpoint]:
    guard = Guard(CustomerPage(lambda _customer, _at: explanation), path=PATH, token=TOKEN, sign_in=sign_in)
    with Endpoint(CollectorRegistry(), Checks(), port=0, pages={PATH: guard}) as endpoint:
        yield endpoint


_TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
_SMALL = """[...document.querySelectorAll('button, input, summary')].filter(
    each => each.checkVisibility() && each.getBoundingClientRect().height < 36).length"""
_GROUND = "getComputedStyle(document.body).backgroundColor"


def test_a_phone_signs_in_and_reads_the_page(endpoint: Endpoint, tmp_path: Path) -> None:
    pictures: dict[str, bytes] = {}

    async def use() -> None:
        async with phone(tmp_path / "profile") as tab:
            await tab.call("Page.navigate", url=endpoint.url + PATH)
            await tab.until("document.querySelector('#token') !== null && document.readyState === 'complete'")
            assert not await tab.ask(_TOO_WIDE)
            await tab.ask("document.querySelector('#token').value = 'wrong'")
            await tab.ask("document.querySelector('button').click()")
            await tab.until("document.querySelector('[role=alert]') !== null")
            await tab.ask(f"document.querySelector('#token').value = {TOKEN!r}")
            await tab.ask("document.querySelector('button').click()")
            await tab.until("document.querySelector('#customer') !== null")
            assert TOKEN not in await tab.ask("location.href + document.cookie + document.body.innerHTML")

            await tab.ask("document.querySelector('#customer').value = 'cus_1'")
            await tab.ask("document.querySelector('button').click()")
            await tab.until("document.querySelector('h1') !== null && document.readyState === 'complete'")
            assert await tab.ask("location.search") == "?customer=cus_1&at="
            assert not await tab.ask(_TOO_WIDE)
            assert await tab.ask(_SMALL) == 0
            assert await tab.ask("document.querySelectorAll('.story li').length") > 5
            style = await tab.ask("getComputedStyle(document.querySelector('.case')).borderRadius")
            assert style == "8px", "the page's own style is let in by its policy"
            await tab.ask("document.querySelector('.story details summary').click()")
            assert await tab.ask("document.querySelector('.story details .body').checkVisibility()")
            assert not await tab.ask(_TOO_WIDE)
            pictures["light"] = await tab.picture()

            light = await tab.ask(_GROUND)
            dark = [{"name": "prefers-color-scheme", "value": "dark"}]
            await tab.call("Emulation.setEmulatedMedia", features=dark)
            assert await tab.ask(_GROUND) != light
            pictures["dark"] = await tab.picture()
            unexpected = [each for each in tab.complaints if "401" not in each and "favicon" not in each]
            assert unexpected == []

    asyncio.run(use())
    # To be looked at: pytest keeps them for a while.
    for name, picture in pictures.items():
        (tmp_path / f"{name}.png").write_bytes(picture)
