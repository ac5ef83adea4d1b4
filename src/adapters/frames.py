"""What processes of this machine say to each other over a pipe: frames of four bytes of length, the most significant
first, and JSON."""

import json
from typing import IO, Any


def read_frame(source: IO[bytes]) -> Any:
    """What was written by `write_frame`; None at the end. Raises EOFError in the middle of a frame."""
    head = source.read(4)
    if not head:
        return None
    length = int.from_bytes(head, "big")
    body = source.read(length)
    if len(head) < 4 or len(body) < length:
        raise EOFError
    return json.loads(body)


def write_frame(target: IO[bytes], content: Any) -> None:
    body = json.dumps(content).encode("ascii")
    target.write(len(body).to_bytes(4, "big") + body)
    target.flush()
