"""
Llama Stack's agent turns: the API of versions 0.2, until 0.4 took it away.

Source: the ``AgentTurnResponse`` types of llama-stack-client 0.2, and what the
reference server sends. Divergences from those types, all of them towards
telling a watcher each thing once:

1. A step that was never started is started by the first that is heard of it;
   nothing waits for ``turn_start``, which the reference server never sends.
2. A tool call begins when its name and arguments are known: what comes before
   cannot be told apart by call, and may come to nothing (``failed``). Such a
   fragment is a ``ToolCallDelta`` that has the wire's ``tool_call`` and
   ``parse_status`` in ``extra``, and its number is that of the next call.
3. The content of a whole message (of ``step_complete``, of the turn's
   ``output_message``) adds to the text only what the deltas did not bring.
   Where it says something else it stays in ``extra``; but what a shield's
   violation puts in the answer's place is told behind the answer.
4. The steps of a resumed turn that came before are no part of this answer;
   they are in `streamkit.Response.raw` and nowhere else.
"""

from .decoder import LlamaStackTurnDecoder
from .dialect import LlamaStackTurn
from .encoder import LlamaStackTurnEncoder

__all__ = ["LlamaStackTurn", "LlamaStackTurnDecoder", "LlamaStackTurnEncoder"]
