"""Many connections that all ask at once, and again as soon as they are answered: a process of its own.

Who is refused comes back after as long as Retry-After said.

`python -m tests.benchmarks.overload_client ADDRESS CONNECTIONS SECONDS` prints what came of it as JSON.
"""

import asyncio
import itertools
import json
import math
import random
import sys
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

import aiohttp

_HEALTH_SECONDS = 0.05
_RETRY_SECONDS = 1.0
_MIX = ("question", "command", "page", "question", "command", "question", "account", "command", "question", "page")
"""Of ten requests: four reports and an account, three payments, two pages."""


@dataclass(slots=True)
class Seen:
    """What came of the requests: milliseconds of those that were admitted, how many were refused, what failed."""

    admitted: list[float] = field(default_factory=list)
    refused: int = 0
    failed: list[str] = field(default_factory=list)
    health: list[float] = field(default_factory=list)
    by_kind: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of whom, until when."""

    session: aiohttp.ClientSession
    accounts: list[str]
    ends: float
    seen: Seen
    turn: "itertools.count[int]"

    async def ask(self, first: int) -> None:
        """One connection: the next request as soon as the one before is answered."""
        for n in itertools.count(first):
            if time.monotonic() > self.ends:
                return
            what = _MIX[n % len(_MIX)]
            started = time.perf_counter()
            try:
                status = await self._once(what, self.accounts[n % len(self.accounts)])
            except (aiohttp.ClientError, TimeoutError) as error:
                self.seen.failed.append(f"{what}: {type(error).__name__}")
                continue
            took = 1_000 * (time.perf_counter() - started)
            if status == 503:
                self.seen.refused += 1
                await asyncio.sleep(_RETRY_SECONDS * random.uniform(1, 1.5))
            elif status < 400:
                self.seen.admitted.append(took)
                self.seen.by_kind.setdefault(what, []).append(took)
            else:
                self.seen.failed.append(f"{what}: {status}")

    async def _once(self, what: str, account: str) -> int:
        match what:
            case "question":
                return await self._get("/v1/report/collections?limit=50")
            case "account":
                return await self._get(f"/v1/accounts/{account}")
            case "page":
                return await self._get("/", Accept="text/html")
            case _:
                payment = {
                    "number": f"P-{next(self.turn)}-{time.time_ns()}",
                    "amount": {"amount": "0.01", "currency": "USD"},
                    "received_on": str(datetime.now(UTC).date()),
                }
                async with self.session.post(f"/v1/accounts/{account}/payments", json=payment) as response:
                    await response.read()
                    return response.status

    async def _get(self, path: str, **headers: str) -> int:
        async with self.session.get(path, headers=headers) as response:
            await response.read()
            return response.status

    async def watch_health(self) -> None:
        """On a connection of its own, as a supervisor would."""
        for path in itertools.cycle(("/health/live", "/health/ready")):
            if time.monotonic() > self.ends:
                return
            started = time.perf_counter()
            if (status := await self._get(path)) != 200:
                self.seen.failed.append(f"{path}: {status}")
            self.seen.health.append(1_000 * (time.perf_counter() - started))
            await asyncio.sleep(_HEALTH_SECONDS)


async def load(address: str, connections: int, seconds: float) -> Seen:
    seen = Seen()
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(address, connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        async with session.get("/v1/accounts?limit=500") as response:
            accounts = [row["account_id"] for row in (await response.json())["items"]]
        this = Load(session, accounts, time.monotonic() + seconds, seen, itertools.count())
        async with asyncio.TaskGroup() as group:
            group.create_task(this.watch_health())
            for n in range(connections):
                group.create_task(this.ask(7 * n))
    return seen


def percentile(figures: list[float], share: float) -> float:
    return sorted(figures)[math.ceil(len(figures) * share) - 1] if figures else math.nan


if __name__ == "__main__":
    address, connections, seconds = sys.argv[1:]
    print(json.dumps(asdict(asyncio.run(load(address, int(connections), float(seconds))))))
