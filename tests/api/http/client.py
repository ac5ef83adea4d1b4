"""A client of the app in this process, and a portfolio to ask about."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx
from fastapi import FastAPI


class Client:
    """Sends requests into the app; every answer is checked to be the one error shape where it is an error."""

    def __init__(self, app: FastAPI, *, headers: Mapping[str, str] | None = None) -> None:
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://localhost", headers=headers
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        response = self._runner.run(self._client.request(method, path, **more))
        if response.status_code >= 400 and method != "HEAD" and "text/html" not in response.headers["content-type"]:
            assert_problem(response)
        return response

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        return self.request("POST", path, **({"json": json} if json is not None else {}), **more)

    def put(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        return self.request("PUT", path, **({"json": json} if json is not None else {}), **more)

    def patch(self, path: str, json: Any, **more: Any) -> httpx.Response:
        return self.request("PATCH", path, json=json, **more)

    def delete(self, path: str, **more: Any) -> httpx.Response:
        return self.request("DELETE", path, **more)

    def done(self, method: str, path: str, json: Any = None, **more: Any) -> dict[str, Any]:
        """What came of a command that has to be accepted."""
        response = self.request(method, path, **({"json": json} if json is not None else {}), **more)
        assert response.status_code in {200, 201}, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def refused(self, status: int, method: str, path: str, json: Any = None, **more: Any) -> dict[str, Any]:
        """The problem of a request that has to be refused with this status."""
        response = self.request(method, path, **({"json": json} if json is not None else {}), **more)
        assert response.status_code == status, response.text
        problem: dict[str, Any] = response.json()
        return problem


def assert_problem(response: httpx.Response) -> None:
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert {"type", "title", "status", "detail", "correlation_id"} <= problem.keys()
    assert problem["type"].startswith("urn:arrears:problem:")
    assert problem["status"] == response.status_code
    assert response.headers["x-correlation-id"] == problem["correlation_id"]


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}
