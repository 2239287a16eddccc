"""The processes of a run: a worker for each client, and who is told what when."""

import json
import os
import queue
import subprocess
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

from .subjects import SUBJECTS
from .unavailable import Unavailable

__all__ = ["ROOT", "Cores", "Worker", "environment"]

ROOT = Path(__file__).parents[1]
STARTING, COMMAND = 90.0, 120.0
"""What importing a client, and one command, may take (seconds)."""


def environment():
    """What every measured process finds: this checkout, and no proxy between it and loopback."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "no_proxy": "*", "NO_PROXY": "*"}


class Cores:
    """A core for the provider, another for who is measured: nothing moves between them."""

    def __init__(self, *, pinned=True):
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        self.pinned = pinned and len(cores) > 1
        self._first, self._last = (cores[0], cores[-1]) if self.pinned else (None, None)

    def provider(self, pid):
        self._pin(pid, self._first)

    def measured(self, pid):
        self._pin(pid, self._last)

    def _pin(self, pid, core):
        if self.pinned:
            os.sched_setaffinity(pid, {core})


class Worker:
    """
    The harness's handle of one (see `benchmarks.worker`).

    Args:
        room: the table of `benchmarks.subjects`.
        name: the subject's name in it.
        python: the interpreter of its venv.
        root: the provider's URL, without a path.
    """

    def __init__(self, room, name, python, root):
        self.name, self._answers = name, queue.Queue()
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.worker", room, name, root],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.pid = self._process.pid
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self._process.stdout:
            self._answers.put(json.loads(line))
        self._answers.put(None)

    def ready(self):
        """Wait until it has opened its client."""
        return self._answer("start", STARTING)

    def tell(self, do, **command):
        """
        Give a command, and wait for its answer.

        Raises:
            Unavailable: it failed, is gone, or takes too long.
        """
        with suppress(OSError):  # it is gone: its last words are the answer
            print(json.dumps({"do": do, **command}), file=self._process.stdin, flush=True)
        return self._answer(do, COMMAND)

    def _answer(self, do, seconds):
        try:
            answer = self._answers.get(timeout=seconds)
        except queue.Empty:
            raise Unavailable(f"{do}: no answer for {seconds:g} s") from None
        if answer is None:
            raise Unavailable(f"{do}: its process ended: {self._last_words()}")
        if "failed" in answer:
            raise Unavailable(f"{do}: {answer['failed']}")
        return answer

    def _last_words(self):
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return lines[-1][:300] if lines else "without a word"

    def close(self):
        """End it, and wait until it is gone."""
        self._process.kill()  # it has nothing to lose, and 500 streams take their time to end
        self._process.wait()
        with suppress(OSError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._errors.close()


@contextmanager
def workers(room, names, venvs, provider, cores):
    """
    Start a worker for each name; gives the workers, and why others are not there.

    They are started together: what is measured comes later, one at a time.
    """
    started, missing = {}, {}
    try:
        for name in names:
            try:
                python = venvs.python(SUBJECTS[room][name].venv)
                started[name] = Worker(room, name, python, provider.root)
            except (Unavailable, OSError) as error:
                missing[name] = str(error)
        for name, worker in [*started.items()]:
            try:
                worker.ready()
                cores.measured(worker.pid)
            except Unavailable as error:
                missing[name] = str(error)
                started.pop(name).close()
        yield started, missing
    finally:
        for worker in started.values():
            worker.close()
