"""Asks an OpenAI-compatible endpoint for one sentence, within a time and a size."""

import http.client
import json
import time
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, build_opener

from django.conf import settings

from explanations.rewriting.checker import Refused, Rejection
from explanations.rewriting.sources import TASK, Source

LARGEST = 65_536  # bytes of an answer
PIECE = 4_096


def ask(source: Source) -> str:
    """Raises Refused: unreachable or slow."""
    body = {
        "model": settings.REWRITING_MODEL,
        "messages": [
            {"role": "system", "content": TASK[source.language]},
            {"role": "user", "content": source.text},
        ],
        "max_tokens": 120,
        "temperature": 0.7,
    }
    url = f"{settings.REWRITING_URL.rstrip('/')}/chat/completions"
    if urlsplit(url).scheme not in {"http", "https"}:
        raise Refused(rejection=Rejection.UNREACHABLE)
    headers = {"Content-Type": "application/json"}
    if settings.REWRITING_KEY:
        headers["Authorization"] = f"Bearer {settings.REWRITING_KEY}"
    deadline = time.monotonic() + settings.REWRITING_SECONDS
    try:
        with build_opener().open(
            Request(url, json.dumps(body).encode(), headers),  # noqa: S310 — http or https, see above
            timeout=settings.REWRITING_SECONDS,
        ) as answer:
            content = _read(answer, deadline)
    except TimeoutError:
        raise Refused(rejection=Rejection.SLOW) from None
    except URLError as error:
        is_slow = isinstance(error.reason, TimeoutError)
        raise Refused(rejection=Rejection.SLOW if is_slow else Rejection.UNREACHABLE) from None
    except (OSError, http.client.HTTPException):
        raise Refused(rejection=Rejection.UNREACHABLE) from None
    return _text(content)


def _read(answer: http.client.HTTPResponse, deadline: float) -> bytes:
    """A piece at a time: an endpoint that trickles is slow, too."""
    content = b""
    while piece := answer.read1(PIECE):
        content += piece
        if time.monotonic() > deadline:
            raise Refused(rejection=Rejection.SLOW)
        if len(content) > LARGEST:
            raise Refused(rejection=Rejection.UNREACHABLE)
    return content


def _text(content: bytes) -> str:
    try:
        text = json.loads(content)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        raise Refused(rejection=Rejection.UNREACHABLE) from None
    return text.strip().strip('"“”') if isinstance(text, str) else ""
