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
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

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
def gunicorn(processes: int, environment: dict[str, str]) -> Iterator[int]:
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
        yield port
    finally:
        server.terminate()
        server.wait(timeout=30)


def measure(port: int, secret: str, shoppers: list[str], *, query: str, clients: int, seconds: float) -> str:
    """Each client asks for one shopper after the other until the time is over."""
    took: list[float] = []
    sizes: list[int] = []
    end = time.perf_counter() + seconds

    def ask(first: int) -> None:
        link = http.client.HTTPConnection(HOST, port, timeout=30)
        turn = first
        while time.perf_counter() < end:
            shopper = shoppers[turn * 7 % len(shoppers)]
            begun = time.perf_counter()
            link.request(
                "GET",
                f"/api/v1/shoppers/{shopper}/recommendations?{query}",
                headers={"Authorization": f"Bearer {secret}"},
            )
            answer = link.getresponse()
            body = answer.read()
            took.append(time.perf_counter() - begun)
            sizes.append(len(body))
            if answer.status != 200 or not json.loads(body)["is_personal"]:
                raise RuntimeError(body[:300])
            turn += clients
        link.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    passed = time.perf_counter() - begun
    cuts = statistics.quantiles(took, n=100)
    return (
        f"{len(took) / passed:7.1f} requests/s   p50 {cuts[49] * 1000:6.1f} ms   p95 {cuts[94] * 1000:6.1f} ms   "
        f"{statistics.fmean(sizes) / 1000:5.1f} kB"
    )


@pytest.mark.parametrize("processes", [1, 2])
def test_serving(process_environment: dict[str, str], processes: int, capsys: pytest.CaptureFixture[str]) -> None:
    secret, shoppers = build()
    with gunicorn(processes, process_environment) as port:
        for clients in (1, 4):
            for limit in (10, 20):
                query = f"placement={Placement.HOME}&limit={limit}"
                measure(port, secret, shoppers, query=query, clients=clients, seconds=5)  # warm up
                line = measure(port, secret, shoppers, query=query, clients=clients, seconds=SECONDS)
                with capsys.disabled():
                    sys.stdout.write(f"\n{processes} processes, {clients} clients, limit {limit}: {line}")
