"""A provider, a client that reads it through a healing transport, and what they say."""

import json

from streamkit.healing import HealingTransport
from streamkit.testing import FaultProvider, Reply, answers

from ..serving.servers import until

ASKED = {"model": "m", "messages": [{"role": "user", "content": "?"}], "stream": True}
FRAMES = answers.text_stream("Hel", "lo", " world")
ROLE, HEL, LO, *REST = FRAMES
WHOLE = answers.completion("Hello world")
REFUSED = Reply('{"error": {"message": "busy"}}', status=503, headers={"retry-after": "7"})


class Healed:
    """A provider, and a client that reads it through a healing transport."""

    def __init__(self, http, *steps, buffered=None, **settings):
        self.provider = FaultProvider(
            stream=steps[0] if len(steps) == 1 and isinstance(steps[0], list) else Reply(*steps),
            buffered=buffered or Reply(WHOLE),
        )
        self.client = http.AsyncClient(transport=HealingTransport(**settings), timeout=5)

    async def __aenter__(self):
        await self.provider.__aenter__()
        await self.client.__aenter__()
        return self

    async def __aexit__(self, *exc):
        await self.client.__aexit__(*exc)
        await until(lambda: not self.provider.connections)
        await self.provider.__aexit__(*exc)

    async def ask(self, asked=ASKED, **settings):
        """The whole response."""
        url = f"{self.provider.url}/chat/completions"
        return await self.client.post(url, json=asked, **settings)

    def stream(self, asked=ASKED):
        """The response, as it comes."""
        return self.client.stream("POST", f"{self.provider.url}/chat/completions", json=asked)


def said(body):
    """What a body of chunks says: the text, and why it ended."""
    text, reason = "", None
    for line in body.splitlines():
        data = line.removeprefix("data: ")
        if data.startswith("{") and (choices := json.loads(data).get("choices")):
            text += choices[0]["delta"].get("content") or ""
            reason = choices[0].get("finish_reason") or reason
    return text, reason


def errors(body):
    """The errors in a body."""
    lines = [line.removeprefix("data: ") for line in body.splitlines() if '"error"' in line]
    return [json.loads(line)["error"] for line in lines]
