"""A small HTTP client: one request after the other on one connection, at little cost beside what it measures."""

import asyncio
import re
import time
from collections.abc import Iterator

import orjson

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
LARGEST_ANSWER = 64 * 1024 * 1024


class WrongAnswer(Exception):
    """A server answered something else than it should: with errors, or not what it answered at first."""


class Client:
    """One kept-alive HTTP/1.1 connection to a server. Every answer must come with a Content-Length."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, port: int) -> "Client":
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=LARGEST_ANSWER))

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer."""
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = CONTENT_LENGTH.search(head)
        if length is None:
            raise WrongAnswer("The answer has no Content-Length.")
        return int(head.split(b" ", 2)[1]), await self.reader.readexactly(int(length[1]))

    async def repeat(self, requests: Iterator[bytes], expected: bytes, until: float) -> list[float]:
        """Send them until that time (of `time.perf_counter`) and answer the seconds that each took.

        Raises WrongAnswer unless each answer is 200 with the expected body.
        """
        seconds = []
        while time.perf_counter() < until:
            request = next(requests)
            begin = time.perf_counter()
            status, body = await self.send(request)
            seconds.append(time.perf_counter() - begin)
            if status != 200 or body != expected:
                raise WrongAnswer(f"Not the first answer again, but {status} with {len(body)} bytes: {excerpt(body)}")
        return seconds

    def close(self) -> None:
        self.writer.close()


def graphql_request(document: str, variables: dict[str, object], token: str) -> bytes:
    """The POST request that runs a document for the caller with the token."""
    body = orjson.dumps({"query": document, "variables": variables})
    head = (
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Accept: application/graphql-response+json\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: Bearer {token}\r\nET-Client-Name: kundeport-bench\r\n\r\n"
    )
    return head.encode() + body


def data_of(status: int, body: bytes) -> dict[str, object]:
    """The data in an answer. Raises WrongAnswer unless it is 200, with something and without errors."""
    answer = orjson.loads(body) if status == 200 else {}
    data: dict[str, object] = answer.get("data") or {}
    if "errors" in answer or not data or None in data.values():
        raise WrongAnswer(f"{status}: {excerpt(body)}")
    return data


def excerpt(body: bytes) -> str:
    return body[:500].decode(errors="replace")
