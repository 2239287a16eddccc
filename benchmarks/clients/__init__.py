"""The clients, each in a file its rival's venv can import."""

QUESTION = "hello"
MESSAGES = [{"role": "user", "content": QUESTION}]
