"""How fast recommendations are served: `pytest -s tests/benchmarks/serving.py`, by hand.

A shop of its own, gunicorn as in the demo with one and with two processes, and clients that keep their connections,
on the same machine: they take a part of its time, and so does whatever else is running.
"""

import http.client
import json
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import psutil
import pytest

from catalog.models import EventType, Interaction, Partner, Product, Scope, Shopper
from catalog.services import issue_key
from explanations.contract import Cause, Contract, Counterfactual, Strength
from recommendations.models import Placement
from tests.factories import NOON, CategoryFactory, EventTypeFactory, ProductFactory, RunFactory, ShopPartnerFactory
from tests.worlds import contract, evidence, explained_slate, publish, reason

HOST = "127.0.0.1"
CANDIDATES = 500
BOUGHT = 30
EXPLAINED = 20
SHOPPERS = 200
SECONDS = 8.0


def build() -> tuple[str, list[str]]:
    """A live run: every shopper with a history and a full slate, each contract with reasons for and against."""
    groups = [CategoryFactory(path=f"group-{number}") for number in range(20)]
    products = [ProductFactory(category=groups[number % 20]) for number in range(CANDIDATES)]
    partner = ShopPartnerFactory()
    purchase = EventTypeFactory(code="purchase")
    run = RunFactory()
    for number in range(SHOPPERS):
        shopper = Shopper.objects.create(partner=partner, external_id=f"{number}")
        history = _history(partner, shopper, products, purchase, number)
        contracts = [
            _contract(products[(number + 100 + rank) % CANDIDATES], history, rank) for rank in range(EXPLAINED)
        ]
        explained_slate(run=run, shopper=shopper, contracts=contracts)
    explained_slate(run=run, contracts=[contract(product, cause=Cause.NOT_PERSONAL) for product in products[:20]])
    publish(run)
    _, secret = issue_key(partner=partner, name="benchmark", scopes=list(Scope))
    return secret, [f"{number}" for number in range(SHOPPERS)]


def _history(
    partner: Partner, shopper: Shopper, products: list[Product], purchase: EventType, number: int
) -> list[Interaction]:
    return Interaction.objects.bulk_create(
        Interaction(
            partner=partner,
            event_id=f"{number}-{turn}",
            shopper=shopper,
            product=products[(number + turn) % CANDIDATES],
            event_type=purchase,
            occurred_at=NOON - timedelta(days=turn),
        )
        for turn in range(BOUGHT)
    )


def _contract(product: Product, history: list[Interaction], rank: int) -> Contract:
    units = [evidence(row.product_id, [row]) for row in history[rank % 10 : rank % 10 + 4]]
    return contract(
        product,
        rank=rank + 1,
        reasons=tuple(reason(unit) for unit in units[:3]),
        opposing=(reason(units[3], delta=-0.2, rank_without=1),),
        counterfactual=Counterfactual(
            strength=Strength.LOSES_PLACE, removed=(units[0].product_id,), rank=rank + 9, replacement_id=product.pk
        ),
    )


@contextmanager
def gunicorn(processes: int, environment: dict[str, str]) -> Iterator[tuple[int, psutil.Process]]:
    """The web process of the demo, on a free port."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    options = ["--bind", f"{HOST}:{port}", "--worker-class", "gthread", "--workers", str(processes), "--threads", "4"]
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "config.wsgi", *options, "--no-control-socket", "--log-level", "warning"],
        env={**environment, "API_RATE": "1000000000/min"},
    )
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection((HOST, port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port, psutil.Process(server.pid)
    finally:
        server.terminate()
        server.wait(timeout=30)


def cpu_seconds(server: psutil.Process) -> float:
    """What the web processes took until now: tells more than the clock while others use the machine."""
    times = [worker.cpu_times() for worker in server.children()]
    return sum(float(spent.user + spent.system) for spent in times)


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What is asked, by whom."""

    port: int
    secret: str
    shoppers: list[str]
    query: str
    clients: int


def ask(load: Load, *, until: Callable[[int], bool]) -> tuple[list[float], list[int]]:
    """Seconds and bytes of each request: every client asks for one shopper after the other."""
    took: list[float] = []
    sizes: list[int] = []

    def go(first: int) -> None:
        link = http.client.HTTPConnection(HOST, load.port, timeout=60)
        turn = first
        while not until(len(took)):
            path = f"/api/v1/shoppers/{load.shoppers[turn * 7 % len(load.shoppers)]}/recommendations?{load.query}"
            begun = time.perf_counter()
            link.request("GET", path, headers={"Authorization": f"Bearer {load.secret}"})
            answer = link.getresponse()
            body = answer.read()
            took.append(time.perf_counter() - begun)
            sizes.append(len(body))
            if answer.status != 200 or not json.loads(body)["is_personal"]:
                raise RuntimeError(body[:300])
            turn += load.clients
        link.close()

    threads = [threading.Thread(target=go, args=(number,)) for number in range(load.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took, sizes


def measure(load: Load, server: psutil.Process) -> str:
    ask(load, until=lambda count: count >= 50)  # every process has answered
    begun, spent = time.perf_counter(), cpu_seconds(server)
    took, sizes = ask(load, until=lambda _: time.perf_counter() > begun + SECONDS)
    passed, used = time.perf_counter() - begun, cpu_seconds(server) - spent
    cuts = statistics.quantiles(took, n=100)
    return (
        f"{len(took) / passed:6.1f} requests/s   p50 {cuts[49] * 1000:6.1f} ms   p95 {cuts[94] * 1000:6.1f} ms   "
        f"{used / len(took) * 1000:5.1f} ms of CPU   {statistics.fmean(sizes) / 1000:5.1f} kB"
    )


@pytest.mark.parametrize("processes", [1, 2])
def test_serving(process_environment: dict[str, str], processes: int, capsys: pytest.CaptureFixture[str]) -> None:
    secret, shoppers = build()
    with gunicorn(processes, process_environment) as (port, server):
        for clients in (1, 4):
            for limit in (1, 10, 20):
                query = f"placement={Placement.HOME}&limit={limit}"
                load = Load(port=port, secret=secret, shoppers=shoppers, query=query, clients=clients)
                line = measure(load, server)
                with capsys.disabled():
                    sys.stdout.write(f"\n{processes} processes, {clients} clients, limit {limit:2}: {line}")
