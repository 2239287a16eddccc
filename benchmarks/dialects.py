"""
What a dialect costs: ``python -m benchmarks.dialects``.

For each dialect a long answer, written with its own encoder, is decoded and
folded in this process, and its JSON alone is decoded by msgspec: processor
time, in microseconds a chunk, the best of several runs, and how many times the
one is the other. Flat means that the last column does not grow.
"""

import gc
import time

import msgspec

from streamkit.dialects import _DIALECTS, get_dialect
from streamkit.events import Finished, ResponseCompleted, ResponseStarted, TextDelta
from streamkit.framing import DONE, Frame
from streamkit.stages import Accumulator

LENGTHS, RUNS, READ = (1_000, 10_000, 100_000), 5, 10
"""Pieces of text; runs; frames that one read of a socket brings (counts)."""


def frames_of(dialect, length):
    """A long answer in the frames of *dialect*, as framing gives them."""
    encoder = dialect.encoder()
    encoder.opening("run-1")
    texts = (TextDelta(f" word{number % 97}") for number in range(length))
    end = (Finished(0, "stop"), ResponseCompleted(evidence="finish_reason"))
    told = [f for e in (ResponseStarted("a-1", "m-1"), *texts, *end) for f in encoder.encode(e)]
    return [Frame(f.data if isinstance(f.data, str) else f.data.decode(), f.event) for f in told]


def folded(dialect, frames):
    """Decode and accumulate, read by read."""
    decoder, stage = dialect.decoder(), Accumulator()
    stage.bind(dialect)
    for at in range(0, len(frames), READ):
        events = []
        for frame in frames[at : at + READ]:
            events.extend(decoder.feed(frame))
        stage.batch(events)


def parsed(texts):
    """Decode the JSON, and nothing else."""
    for text in texts:
        msgspec.json.decode(text)


def cost(work, given, count):
    """What *work* costs a chunk; the best run."""
    best = float("inf")
    for _ in range(RUNS):
        gc.collect()
        began = time.process_time()
        work(given)
        best = min(best, time.process_time() - began)
    return best / count * 1e6


def main():
    """Measure dialect by dialect, and print a table."""
    print("| dialect | chunks | msgspec, µs | all, µs | times |\n|---|---:|---:|---:|---:|")
    for name in sorted(_DIALECTS):
        dialect = get_dialect(name)
        for length in LENGTHS:
            frames = frames_of(dialect, length)
            alone = cost(parsed, [f.data for f in frames if f.data != DONE], length)
            whole = cost(lambda given, one=dialect: folded(one, given), frames, length)
            print(f"| `{name}` | {length:,} | {alone:.2f} | {whole:.2f} | {whole / alone:.1f} |")


if __name__ == "__main__":
    main()
