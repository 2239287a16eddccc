"""The example's page in Chromium: what its visitor sees, whatever is done to the connection."""

import runpy
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx
import pytest

pytestmark = pytest.mark.interop

EXAMPLE = Path(__file__).parent.parent / "docs" / "examples" / "chat-page"
PACE = "0.4"
"""What every pause of the provider is multiplied with: a word each 60 ms."""
PATIENCE = 15
"""Seconds until a page shows what it must."""
SCENES = runpy.run_path(str(EXAMPLE / "scenes.py"))["scenes"]()
WHOLE = SCENES["healthy"].text

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
]  # fmt: skip

LOOK = """
    const text = (id) => document.getElementById(id).textContent;
    const all = (query) => [...document.querySelectorAll(query)];
    const lines = (query) => all(query).map((each) => each.textContent);
    return {
        run: location.hash.slice(1),
        state: document.querySelector("main").dataset.state, said: text("state"),
        text: text("text"), end: text("end"), rerouted: text("rerouted"), last: text("last"),
        heartbeats: Number(text("heartbeats")), connections: Number(text("connections")),
        retractions: Number(text("retractions")),
        log: all("#log li").map((line) => [...line.childNodes].map((n) => n.textContent).join(" ")),
        calls: lines(".call b").map((name, n) => [
            name, lines(".call pre")[n], lines(".call span")[n]
        ]),
    };
"""

STALE = """
    sessionStorage.setItem("answer", JSON.stringify({
        run: arguments[0], scene: "healthy", state: "answering", last: "9-9",
        text: "what was never said ", calls: [], log: [], end: "", rerouted: "",
        heartbeats: 0, connections: 0, retractions: 0,
    }));
    location.hash = arguments[0];
"""
"""What a page put aside that the log knows nothing of; it then comes back to that run."""


@contextmanager
def service(port=0):
    """The example, started by its one command; it ends by Ctrl-C, and without a complaint."""
    command = [sys.executable, "-W", "error", EXAMPLE / "app.py", "--port", str(port)]
    with subprocess.Popen(
        [*command, "--pace", PACE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        url = process.stdout.readline().strip()  # pytest's own timeout covers it
        try:
            yield url, process
        finally:
            process.send_signal(signal.SIGINT)
            _, complaints = process.communicate(timeout=20)
        assert (0, "") == (process.returncode, complaints)


@pytest.fixture(scope="module")
def url():
    """The address that one example serves for all tests."""
    with service() as (address, _):
        yield address


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Debian's Chromium, without a window."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.fail("needs Chromium: apt-get install chromium chromium-driver", pytrace=False)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    # Selenium downloads nothing where it is told of a driver.
    with webdriver.Chrome(options=options, service=Service(executable_path=driver)) as started:
        yield started


class Relay(socketserver.ThreadingTCPServer):
    """A hop between browser and service, which may break."""

    @classmethod
    @contextmanager
    def to(cls, port):
        """Relay to *port*, each connection in two threads, until the end."""
        with cls(("127.0.0.1", 0), Relayed) as relay:
            relay.port, relay.sockets = port, set()
            thread = threading.Thread(target=relay.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield relay
            finally:
                relay.shutdown()
                relay.cut()
                thread.join()

    def cut(self):
        """Break every connection there is."""
        for each in list(self.sockets):
            with suppress(OSError):  # it ended by itself
                each.shutdown(socket.SHUT_RDWR)


class Relayed(socketserver.BaseRequestHandler):
    """One connection of the browser's."""

    def handle(self):
        """Carry bytes both ways."""
        address, seconds = ("127.0.0.1", self.server.port), PATIENCE
        self.request.settimeout(seconds)
        with socket.create_connection(address, seconds) as service:
            self.server.sockets |= {self.request, service}
            back = threading.Thread(target=self.carry, args=(service, self.request))
            back.start()
            self.carry(self.request, service)
            back.join()

    @staticmethod
    def carry(source, sink):
        """Carry bytes until the source ends; then the sink does."""
        with suppress(OSError):  # cut
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


class Tab:
    """A tab of the browser with the page in it."""

    def __init__(self, browser, url):
        self.browser = browser
        browser.switch_to.new_window("tab")
        self.handle = browser.current_window_handle
        browser.get(url)

    def ask(self, scene):
        """Choose a scene, once the page has them, and press Ask."""
        script = "const it = document.querySelector(`[value=${arguments[0]}]`); it?.click();"
        self.wait(lambda _: self.browser.execute_script(f"{script} return Boolean(it)", scene))
        self.press("ask")

    def press(self, button):
        """Press a button of the page, as soon as it can be."""
        from selenium.webdriver.common.by import By

        self.wait(lambda _: self.browser.find_element(By.ID, button).is_enabled())
        self.browser.find_element(By.ID, button).click()

    def until(self, condition):
        """Give what the page shows once *condition* holds of it."""
        return self.wait(lambda _: condition(seen := self.look()) and seen)

    def look(self):
        """Give what the page shows, all of one moment."""
        return SimpleNamespace(**self.browser.execute_script(LOOK))

    def wait(self, condition):
        from selenium.webdriver.support.wait import WebDriverWait

        return WebDriverWait(self.browser, PATIENCE, poll_frequency=0.02).until(condition)

    def ended(self, state="done"):
        """Give what the page shows at the end, which must be *state*."""
        seen = self.until(lambda seen: seen.state in {"done", "failed", "cancelled", "gone"})
        assert state == seen.state, vars(seen)
        return seen


@pytest.fixture
def tab(browser, url):
    """A new tab with the page; nothing may break in its script."""
    before = browser.current_window_handle
    yield Tab(browser, url)
    broken = [each["message"] for each in browser.get_log("browser")]
    for handle in set(browser.window_handles) - {before}:
        browser.switch_to.window(handle)
        browser.close()
    browser.switch_to.window(before)
    assert [] == [message for message in broken if "Uncaught" in message]


@pytest.fixture
def asked(url):
    """How often the provider was asked since the test began."""
    before = httpx.get(url + "requests").json()["requests"]
    return lambda: httpx.get(url + "requests").json()["requests"] - before


def begun(seen):
    """Whether some of the answer is there, and not yet all."""
    return seen.state == "answering" and 20 < len(seen.text) < len(WHOLE) / 2


def test_the_answer_comes_live_and_whole(tab, asked):
    """A visitor reads every word as it comes, and the answer the service has."""
    tab.ask("healthy")
    part = tab.until(begun)
    seen = tab.ended()

    assert WHOLE.startswith(part.text)
    assert WHOLE == seen.text
    assert "nothing lost, nothing doubled" in seen.end
    assert (1, 1, 0) == (asked(), seen.connections, seen.retractions)


def test_a_reload_goes_on_behind_the_last_id(tab, asked):
    """Nothing is lost and nothing comes twice, and the provider is asked once."""
    tab.ask("healthy")
    part = tab.until(begun)
    tab.browser.refresh()
    seen = tab.ended()

    assert WHOLE == seen.text
    assert (1, 2) == (asked(), seen.connections)
    (resumed,) = (line for line in seen.log if line.startswith("asked behind"))
    assert number(part.last) <= number(resumed.split()[-1]) < number(seen.last)


def number(id_):
    """The event's place in its log."""
    return int(id_.split("-")[1].split("+")[0])


def test_a_second_tab_reads_the_run_from_its_start(tab, asked):
    """The id in the address is enough for the same visitor, also half way."""
    tab.ask("healthy")
    tab.until(begun)
    second = Tab(tab.browser, tab.browser.current_url)
    seen = second.ended()

    assert WHOLE == seen.text
    assert "asked from the start" == seen.log[0]
    assert (1, 1) == (asked(), seen.connections)


def test_a_reload_after_the_end_shows_it_again_and_asks_nobody(tab, asked):
    """What is over is only drawn."""
    tab.ask("tool")
    before = tab.ended()
    tab.browser.refresh()

    assert before == tab.ended()
    assert 1 == asked()


def test_a_connection_that_was_dropped_is_taken_up_behind_the_last_id(tab, asked):
    """The run goes on without its watcher, and what was missed comes then."""
    tab.ask("healthy")
    tab.until(begun)
    tab.press("drop")
    dropped = tab.until(lambda seen: seen.state == "dropped")
    seen = tab.ended()

    assert WHOLE == seen.text
    assert f"asked behind {dropped.last}" in seen.log
    assert (1, 2) == (asked(), seen.connections)


def test_a_connection_that_breaks_is_left_to_the_browser(tab, asked, url):
    """EventSource reconnects by itself, and its Last-Event-ID is where it goes on."""
    with Relay.to(urlsplit(url).port) as relay:
        watching = Tab(tab.browser, f"http://127.0.0.1:{relay.server_address[1]}/")
        watching.ask("healthy")
        watching.until(begun)
        relay.cut()
        seen = watching.ended()

    assert WHOLE == seen.text
    assert "broken off; the browser comes back" in seen.log
    assert (1, 2) == (asked(), seen.connections)


def test_a_gap_starts_the_answer_over(tab, url):
    """An id that the log does not have: what was shown is forgotten, and nothing is doubled."""
    tab.ask("healthy")
    part = tab.until(begun)
    other = Tab(tab.browser, url)
    other.browser.execute_script(STALE, part.run)
    seen = other.ended()

    assert WHOLE == seen.text
    assert "asked behind 9-9" == seen.log[0]
    assert any(line.endswith(" gap") for line in seen.log)


def test_silence_is_told_and_heartbeats_are_counted(tab):
    """A visitor can tell a slow provider from a server that is gone."""
    tab.ask("silent")
    silent = tab.until(lambda seen: seen.state == "silent" and seen.heartbeats == 2)
    seen = tab.ended()

    assert WHOLE.startswith(silent.text)
    assert "+2" in silent.last
    assert WHOLE == seen.text


def test_a_tool_call_grows_and_is_whole_at_the_end(tab):
    """Its arguments come in pieces; it is marked done only when it may be acted upon."""
    tab.ask("tool")
    part = tab.until(lambda seen: seen.calls and seen.calls[0][1])
    seen = tab.ended()

    assert ("look_up", "…") == (part.calls[0][0], part.calls[0][2])
    assert [["look_up", '{"city": "Reykjavík", "quantity": "colour of the sky"}', "✓ whole"]] == (
        seen.calls
    )
    assert SCENES["tool"].text == seen.text


def test_a_stream_that_breaks_is_completed_by_its_tail(tab, asked):
    """What was read stays, and the buffered answer's rest follows it."""
    tab.ask("cut")
    tab.until(lambda seen: seen.state == "rerouted")
    seen = tab.ended()

    assert WHOLE == seen.text
    assert ("rerouted: transport", 0, 2) == (seen.rerouted, seen.retractions, asked())


def test_another_second_answer_replaces_the_first(tab):
    """What was retracted is gone from the page, and only the right answer is left."""
    tab.ask("other")
    wrong = tab.until(lambda seen: seen.state == "rerouted")
    seen = tab.ended()

    assert "mirrors" in wrong.text
    assert (WHOLE, 1) == (seen.text, seen.retractions)
    assert "nothing lost, nothing doubled" in seen.end


def test_a_run_that_fails_half_way_keeps_what_came(tab):
    """The end is told in band, behind the words that were read."""
    tab.ask("broken")
    seen = tab.ended("failed")

    assert SCENES["broken"].text == seen.text
    assert "(rejected)" in seen.end


def test_a_provider_that_is_down_is_a_status(tab):
    """An early failure is no stream: the page shows the status, and when to ask again."""
    tab.ask("down")
    seen = tab.ended("failed")

    assert ("", 0) == (seen.text, seen.connections)
    assert "HTTP 503" in seen.end
    assert "in 5 s" in seen.end


def test_a_run_that_is_stopped_says_so(tab):
    """Stopping ends the run for all who watch, and keeps what came."""
    tab.ask("healthy")
    tab.until(begun)
    tab.press("stop")
    seen = tab.ended("cancelled")

    assert WHOLE.startswith(seen.text)
    assert WHOLE != seen.text


def test_a_question_that_is_posted_twice_is_asked_once(tab, asked):
    """The same Idempotency-Key joins the run it began; another visitor gets neither."""
    post = """
        const [done] = arguments;
        const posted = () => fetch("/answers?scene=tool", {
            method: "POST", headers: { "Idempotency-Key": "the same" },
        }).then((response) => response.json());
        Promise.all([posted(), posted()]).then(done);
    """
    first, second = tab.browser.execute_async_script(post)
    stranger = httpx.get(f"{tab.browser.current_url}answers/{first['run']}")

    assert first == second
    assert 403 == stranger.status_code
    tab.wait(lambda _: asked() == 1)


def test_a_server_that_goes_away_is_taken_up_when_it_is_back(browser):
    """Its streams end with a farewell; one that has no such run says so, and that is an end."""
    with service() as (url, process):
        tab = Tab(browser, url)
        tab.ask("healthy")
        tab.until(begun)
        process.send_signal(signal.SIGINT)
        left = tab.until(lambda seen: seen.state == "reconnecting")
        process.wait(timeout=10)
    assert any("farewell" in line for line in left.log)

    with service(urlsplit(url).port):
        seen = tab.ended("gone")
        browser.close()
        browser.switch_to.window(browser.window_handles[0])
    assert WHOLE.startswith(seen.text)
