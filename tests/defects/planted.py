"""The ways in which streamkit is broken on purpose."""

from typing import Final

from .defect import Defect

__all__ = ["PLANTED"]

_SEED = "tests/test_seed_streaming.py"
_CAUGHT = "tests/supervisor/test_caught.py"
_ENDINGS = "tests/supervisor/test_endings.py"
_ONE_END = "tests/supervisor/test_one_end.py"
_ONE_WAY = "test_there_is_one_end_and_it_tells_what_happened"
_DELIVERY = "tests/supervisor/test_delivery.py"
_LOG = "tests/logs/test_memory.py"
_EVIDENCE = "tests/policy/test_evidence.py"
_CUT_CALLS = "tests/dialects/test_cut_calls.py"

_COURSE: Final = (
    Defect(
        name="reroute twice",
        says="a buffered call that failed is made once more",
        file="streamkit/supervisor/course.py",
        before="        outcome = await self._buffer(buffered)\n",
        after=(
            "        outcome = await self._buffer(buffered)\n"
            "        if isinstance(outcome, ResponseFailed):\n"
            "            outcome = await self._buffer(buffered)\n"
        ),
        tests=(f"{_CAUGHT}::test_a_buffered_call_that_failed_is_not_made_again",),
    ),
    Defect(
        name="reroute after cancel",
        says="a cancelled stream is a failed one, and is rerouted",
        file="streamkit/supervisor/course.py",
        before=(
            "                except Exception as raised:"
            "  # noqa: BLE001 (the contract: any exception reroutes)\n"
        ),
        after=(
            "                except anyio.get_cancelled_exc_class() as error:\n"
            "                    with anyio.CancelScope(shield=True):\n"
            "                        return await self._reroute(error, self.ambit.buffered)\n"
            "                except Exception as raised:\n"
        ),
        tests=(f"{_ONE_END}::test_a_caller_that_is_cancelled_ends_the_run_and_is_cancelled",),
    ),
    Defect(
        name="reroute while cancelled",
        says="a failure that a cancellation brought about is rerouted",
        file="streamkit/supervisor/course.py",
        before=("await anyio.lowlevel.checkpoint_if_cancelled()  # cancellation is never rerouted"),
        after="pass",
        tests=(f"{_CAUGHT}::test_a_failure_that_a_cancellation_brought_about_is_none",),
    ),
    Defect(
        name="call for nobody",
        says="a run that was over before it began asks the provider all the same",
        file="streamkit/supervisor/attempt.py",
        before="await anyio.lowlevel.checkpoint_if_cancelled()",
        after="pass",
        tests=(f"{_CAUGHT}::test_nothing_is_asked_for_a_run_that_is_over_before_it_began",),
    ),
    Defect(
        name="cancel is failure",
        says="a cancelled run ends as a failed one",
        file="streamkit/supervisor/course.py",
        before='return ResponseCancelled(attrs.evolve(self.partial(), finish="cancelled"))',
        after='return ResponseFailed(StreamkitError("cancelled"), self.partial())',
        tests=(f"{_ONE_END}::test_cancelling_the_run_keeps_what_came",),
    ),
    Defect(
        name="cause forgotten",
        says="the buffered call's error does not tell what streaming failed with",
        file="streamkit/supervisor/course.py",
        before="error.__cause__ = self._streamed",
        after="pass",
        tests=(f"{_SEED}::test_both_failing_propagates_the_buffered_error",),
    ),
    Defect(
        name="terminal before on_result",
        says="everybody learns of the outcome before it is stored",
        file="streamkit/supervisor/supervisor.py",
        before=(
            "                await Audience(run, self.limits.finalise).hear(outcome)\n"
            "                delivery.end(outcome)\n"
        ),
        after=(
            "                delivery.end(outcome)\n"
            "                await Audience(run, self.limits.finalise).hear(outcome)\n"
        ),
        tests=(f"{_SEED}::test_on_result_comes_before_the_terminal",),
    ),
    Defect(
        name="on_result for ever",
        says="a hook that hangs is waited for without a limit",
        file="streamkit/supervisor/audience.py",
        before="with anyio.move_on_after(self.finalise) as scope:",
        after="with anyio.CancelScope() as scope:",
        tests=(f"{_CAUGHT}::test_a_hook_that_hangs_holds_nobody_up",),
    ),
    Defect(
        name="callback fails the run",
        says="an exception in a callback is the run's",
        file="streamkit/supervisor/audience.py",
        before='if self.run.callbacks.on_error == "fail":',
        after="if self.run.callbacks.on_error:",
        tests=(f"{_SEED}::test_a_raising_callback_is_isolated",),
    ),
    Defect(
        name="cancel does not wait",
        says="`run.cancel` returns while the connection is still open",
        file="streamkit/supervisor/run.py",
        before="        self.scope.cancel()\n        await self.done.wait()\n",
        after="        self.scope.cancel()\n",
        tests=(f"{_CAUGHT}::test_a_run_is_over_when_cancel_returns",),
    ),
    Defect(
        name="leaving does not wait",
        says="`async with client.stream` is left while the connection is still open",
        file="streamkit/supervisor/run.py",
        before="await run.done.wait()",
        after="pass",
        tests=(f"{_CAUGHT}::test_a_run_is_over_when_its_block_is_left",),
    ),
)
"""Attempts, outcomes and hooks."""

_TOLD: Final = (
    Defect(
        name="prefix forgotten",
        says="a later attempt is appended whole, whatever was shown",
        file="streamkit/supervisor/delivery.py",
        before="self._ledger.compare() if self._ledger else None",
        after="None",
        tests=(f"{_SEED}::test_a_reset_connection_reroutes",),
    ),
    Defect(
        name="held events leak",
        says="an attempt that showed nothing leaves its lifecycle events in the log",
        file="streamkit/supervisor/delivery.py",
        before="self._held = []",
        after="self._held = None",
        tests=(f"{_DELIVERY}::test_a_failure_before_the_first_visible_event_leaves_no_trace",),
    ),
    Defect(
        name="a call too early",
        says="a completed call that comes alone is told before the whole answer's evidence",
        file="streamkit/supervisor/delivery.py",
        before="elif self._plain and ToolCallCompleted not in map(type, batch):",
        after="elif self._plain:",
        tests=(f"{_DELIVERY}::test_completed_calls_wait_where_they_come_alone",),
    ),
    Defect(
        name="two starts",
        says="a log has a ResponseStarted for each attempt",
        file="streamkit/supervisor/delivery.py",
        before="self._started = True",
        after="pass",
        tests=(f"{_DELIVERY}::test_a_log_has_one_start",),
    ),
    Defect(
        name="call before evidence",
        says="a completed tool call is told before the answer's evidence",
        file="streamkit/supervisor/delivery.py",
        before="self._calls = (*self._calls, *calls)",
        after="self._append(calls)",
        tests=(f"{_DELIVERY}::test_completed_calls_wait_for_the_whole_answer",),
    ),
    Defect(
        name="the attempt ends the run",
        says="the terminal that came out of the stages is published as it is",
        file="streamkit/supervisor/delivery.py",
        before="self._release(batch[:-1])",
        after="self._release(batch)",
        tests=(f"{_SEED}::test_on_result_comes_before_the_terminal",),
    ),
    Defect(
        name="shorter answer kept",
        says="what the buffered answer did not repeat stays on the screen",
        file="streamkit/supervisor/delivery.py",
        before="self._append(list(self._comparison.end()))",
        after="pass",
        tests=(f"{_CAUGHT}::test_a_shorter_buffered_answer_is_all_that_is_left",),
    ),
    Defect(
        name="retraction forgotten",
        says="another answer is appended, and the first one not taken back",
        file="streamkit/policy/ledger.py",
        before="yield Retracted(*key)",
        after="yield from ()",
        tests=(f"{_SEED}::test_a_different_buffered_answer_retracts",),
    ),
    Defect(
        name="dead attempt writes",
        says="an attempt that was given up still appends to the log",
        file="streamkit/logs/memory.py",
        before="if epoch != self._epoch or self.ended:",
        after="if self.ended:",
        tests=(f"{_LOG}::test_an_older_epoch_is_refused",),
    ),
    Defect(
        name="second terminal",
        says="a log goes on behind its terminal event",
        file="streamkit/logs/memory.py",
        before="if epoch != self._epoch or self.ended:",
        after="if epoch != self._epoch:",
        tests=(f"{_LOG}::test_after_the_terminal_nothing_is_written",),
    ),
)
"""Delivery, the ledger and the log."""

_PROOF: Final = (
    Defect(
        name="a clean end is evidence",
        says="a connection that simply ends has finished the answer",
        file="streamkit/policy/evidence.py",
        before='(frozenset({"answered"}), Verdict.TRUNCATED),',
        after='(frozenset({"answered"}), "done_marker"),',
        tests=(f"{_SEED}::test_an_end_without_evidence_is_a_failure",),
    ),
    Defect(
        name="done alone is evidence",
        says="a done marker is an answer, with no chunk before it",
        file="streamkit/policy/evidence.py",
        before='(frozenset({"answered", "done"}), "done_marker"),',
        after='(frozenset({"done"}), "done_marker"),',
        tests=(f"{_ENDINGS}::test_a_run_has_one_terminal_event_and_it_is_last",),
    ),
    Defect(
        name="usage alone is evidence",
        says="a usage report is an answer, with no chunk before it",
        file="streamkit/policy/evidence.py",
        before='(frozenset({"answered", "usage"}), "usage"),',
        after='(frozenset({"usage"}), "usage"),',
        tests=(f"{_EVIDENCE}::test_what_was_seen_has_one_meaning",),
    ),
    Defect(
        name="cut call is whole",
        says="a tool call cut in its arguments is delivered as complete",
        file="streamkit/policy/evidence.py",
        before='(frozenset({"open_call"}), Verdict.CUT_CALL),',
        after="",
        tests=(f"{_CUT_CALLS}::test_a_cut_call_is_rerouted_and_called_once",),
    ),
    Defect(
        name="no pardon",
        says="an error behind the finish reason is rerouted, and billed twice",
        file="streamkit/pipeline/worker.py",
        before='if code in _PARDONED or (code == "in_band" and self.decoder.said):',
        after="if not _PARDONED:",
        tests=(f"{_SEED}::test_an_error_after_the_finish_reason_is_not_rerouted",),
    ),
)
"""What proves an answer."""

_CLOCKS: Final = (
    Defect(
        name="idle fed by pings",
        says="any byte is progress, a keep-alive too",
        file="streamkit/supervisor/attempt.py",
        before=(
            "        if marks.byte is None or self.limits.liveness is not None:\n"
            "            marks.alive = self.clock.now()\n"
        ),
        after=(
            "        marks.alive = self.clock.now()\n"
            "        if marks.progress is not None:\n"
            "            marks.progress = marks.alive\n"
        ),
        tests=(f"{_ONE_END}::{_ONE_WAY}[asyncio-idle, pings or not]",),
    ),
    Defect(
        name="total not shared",
        says="the buffered attempt has all of Limits.total to itself",
        file="streamkit/supervisor/attempt.py",
        before="timeline.started, self.clock.now(),",
        after="self.clock.now(), self.clock.now(),",
        tests=(f"{_CAUGHT}::test_the_buffered_call_has_what_streaming_left_of_the_total",),
    ),
    Defect(
        name="idle while held",
        says="a slow consumer looks like a slow provider",
        file="streamkit/pipeline/line.py",
        before="self.marks.hold(self.clock.now())",
        after="pass",
        tests=(f"{_CAUGHT}::test_no_clock_of_the_stream_runs_while_a_reader_holds_it_up",),
    ),
    Defect(
        name="whole, and too late",
        says="the total clock undoes an answer that was whole in time",
        file="streamkit/pipeline/line.py",
        before="if self.response is None:",
        after="if self.response is None or self._cause is not None:",
        tests=(f"{_CAUGHT}::test_an_answer_that_was_whole_in_time_is_not_too_late",),
    ),
    Defect(
        name="a stage for ever",
        says="the total clock does not end a stage that hangs behind the finish reason",
        file="streamkit/supervisor/attempt.py",
        before="within = 0.0 if self._marks.finished is None else self.limits.finalise",
        after="pass",
        tests=(f"{_CAUGHT}::test_a_stage_that_hangs_behind_the_finish_reason_ends_with_the_total",),
    ),
    Defect(
        name="watch remembers the dead",
        says="attempts that ended are kept until Limits.total is over",
        file="streamkit/supervisor/attempt.py",
        before="self.watch.remove(self._watched)",
        after="pass",
        tests=(f"{_CAUGHT}::test_an_attempt_that_ended_is_watched_no_longer",),
    ),
)
"""Who is to blame for a silence, and how long it may last."""

PLANTED: Final = (*_COURSE, *_TOLD, *_PROOF, *_CLOCKS)
