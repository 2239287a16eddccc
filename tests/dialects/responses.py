"""Events and bodies of openai-responses, and ways to read them; shared by its tests."""

import json

from streamkit.dialects import OpenAIResponses
from streamkit.framing import Frame

from .spoken import Spoken

DIALECT = OpenAIResponses()
USAGE = {
    "input_tokens": 5,
    "input_tokens_details": {"cached_tokens": 1},
    "output_tokens": 2,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 7,
}
HEAD = {
    "id": "resp_1",
    "object": "response",
    "created_at": 17,
    "status": "in_progress",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "model": "m-1",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": None,
}


def event(kind, **fields):
    """One event of a stream; its name needs no prefix."""
    return {"type": kind if kind == "error" else f"response.{kind}", **fields}


def body(*output, status="completed", **fields):
    """A whole response of these items."""
    return {**HEAD, "status": status, "output": list(output), "usage": USAGE, **fields}


def text_part(text, **fields):
    """A part of text."""
    return {"type": "output_text", "annotations": [], "text": text, **fields}


def message(*parts, id_="msg_1", status="completed", **fields):
    """A message of these parts; a string is one of text."""
    content = [text_part(part) if isinstance(part, str) else part for part in parts]
    item = {"id": id_, "type": "message", "status": status, "role": "assistant"}
    return {**item, "content": content, **fields}


def reasoning(*summary, content=None, id_="rs_1", **fields):
    """Reasoning: of a summary, of the model's own words (*content*), or of both."""
    item = {"id": id_, "type": "reasoning"}
    item["summary"] = [{"type": "summary_text", "text": text} for text in summary]
    if content is not None:
        item["content"] = [{"type": "reasoning_text", "text": text} for text in content]
    return {**item, **fields}


def call(arguments, id_="fc_1", call_id="call_1", name="look", status="completed", **fields):
    """A function call."""
    item = {"id": id_, "type": "function_call", "status": status, "arguments": arguments}
    return {**item, "call_id": call_id, "name": name, **fields}


def custom(text, id_="ctc_1", call_id="call_c", name="run", **fields):
    """A call of a custom tool."""
    item = {"id": id_, "type": "custom_tool_call", "status": "completed", "input": text}
    return {**item, "call_id": call_id, "name": name, **fields}


def search(id_="ws_1", status="completed", **fields):
    """A search the provider runs."""
    action = {"type": "search", "query": "q"}
    return {"id": id_, "type": "web_search_call", "status": status, "action": action, **fields}


def added(item, index=0):
    """An item begins."""
    return event("output_item.added", output_index=index, item=item)


def done(item, index=0):
    """An item is whole."""
    return event("output_item.done", output_index=index, item=item)


def delta(piece, index=0, id_="msg_1", kind="output_text", **fields):
    """A piece of a message's text, or of another of its parts."""
    where = {"item_id": id_, "output_index": index, "content_index": 0}
    return event(f"{kind}.delta", **{**where, "delta": piece, **fields})


def summary_delta(piece, index=0, id_="rs_1", place=0):
    """A piece of a summary."""
    where = {"item_id": id_, "output_index": index, "summary_index": place}
    return event("reasoning_summary_text.delta", **where, delta=piece)


def arguments_delta(piece, index=0, id_="fc_1", kind="function_call_arguments"):
    """A piece of a call's arguments."""
    return event(f"{kind}.delta", item_id=id_, output_index=index, delta=piece)


def created(**fields):
    """The first event."""
    return event("response.created".removeprefix("response."), response={**HEAD, **fields})


def completed(*output, **fields):
    """The last event."""
    whole = body(*output, **fields)
    return event(
        {"failed": "failed", "incomplete": "incomplete"}.get(whole["status"], "completed"),
        response=whole,
    )


def said(*pieces, index=0, id_="msg_1"):
    """A message told in these pieces, from its beginning to its end."""
    item, where = message(id_=id_, status="in_progress"), {"item_id": id_, "output_index": index}
    text = "".join(pieces)
    return [
        added(item, index),
        event("content_part.added", **where, content_index=0, part=text_part("")),
        *[delta(piece, index, id_) for piece in pieces],
        event("output_text.done", **where, content_index=0, text=text, logprobs=[]),
        event("content_part.done", **where, content_index=0, part=text_part(text)),
        done(message(text, id_=id_), index),
    ]


def called(*pieces, index=0, **fields):
    """A call told in these pieces, from its beginning to its end."""
    begun = call("", status="in_progress", **fields)
    where = {"item_id": begun["id"], "output_index": index}
    whole = "".join(pieces)
    return [
        added(begun, index),
        *[arguments_delta(piece, index, begun["id"]) for piece in pieces],
        event("function_call_arguments.done", **where, arguments=whole),
        done(call(whole, **fields), index),
    ]


def frame(value, name=None):
    """One frame of a JSON value, or of text as it stands."""
    data = value if isinstance(value, str) else json.dumps(value)
    return Frame(
        data, name or (value["type"] if isinstance(value, dict) and "type" in value else "message")
    )


SPOKEN = Spoken(DIALECT, frame)
decoded = SPOKEN.decoded
streamed = SPOKEN.streamed
raw_of = SPOKEN.raw_of
accumulated = SPOKEN.accumulated
response_of = SPOKEN.response_of
opened = SPOKEN.opened
frames = SPOKEN.frames
