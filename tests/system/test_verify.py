"""`make verify`: books that agree are told in numbers, and every difference by company and id.

Each way in which they may disagree is planted into the stores of a company of its own; one audit then looks at all.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from benchmarks.books import settling
from benchmarks.books.audit import Report, audit
from benchmarks.books.claims import Claims, Sent
from benchmarks.books.settling import NotSettled
from benchmarks.scan import Scan
from deploy.local.mesh import Mesh
from deploy.local.settings import ROOT
from tests.system.actors import Company, Operator, scan
from tests.system.tamperings import OTHER, TAMPERINGS, Tampering

SCANS = 5


@pytest.fixture(scope="module")
def companies(mesh: Mesh, platform: Operator) -> list[Company]:
    """Companies with a few scans each, one of them sent twice and one sent again as another one."""
    edge = mesh.describe()["edge"]["http"]
    with ThreadPoolExecutor(4) as makers:
        made = list(makers.map(lambda _: Company(edge, platform), range(len(TAMPERINGS) + 1)))
        list(makers.map(_scan, made))
    return made


def _scan(company: Company) -> None:
    device = company.scanner()
    scans = [scan() for _ in range(SCANS)]
    for sent in ([*scans, scans[0]], [scans[1], {**scans[2], "location": "elsewhere"}]):
        answer = device.http.insist("POST", "/v1/scans:batch", {"scans": sent})
        assert not answer.body["rejections"]


@pytest.fixture(scope="module")
def clean(mesh: Mesh, companies: list[Company]) -> Report:
    return asyncio.run(audit(mesh.describe(), companies=[company.id for company in companies]))


def test_books_that_agree_are_told_in_numbers(clean: Report, companies: list[Company]) -> None:
    assert clean.differences == ()
    number = SCANS * len(companies)
    counts = clean.counts
    assert {counts.stored, counts.rolled_up, counts.metered, counts.invoiced, counts.enriched} == {number}
    assert (clean.companies, counts.dead_letters, counts.accepted) == (len(companies), len(companies), None)


def test_every_difference_is_told_with_its_company_and_id(
    mesh: Mesh, companies: list[Company], clean: Report
) -> None:
    untouched, *others = companies
    pairs = list(zip(others, TAMPERINGS, strict=True))
    ids = [company.id for company in companies]
    report = asyncio.run(_audited(mesh.describe(), pairs, ids))
    told = {
        company.id: [line for line in report.differences if f"company {company.id}:" in line]
        for company in companies
    }
    assert told[untouched.id] == []
    for company, tampering in pairs:
        beginning = f"company {company.id}: {tampering.subject}"
        found = [
            line for line in told[company.id] if line.startswith(beginning) and tampering.problem in line
        ]
        assert found, (tampering, told[company.id])
    assert asyncio.run(audit(mesh.describe(), companies=ids)).differences == ()


async def _audited(
    description: dict[str, Any], pairs: Sequence[tuple[Company, Tampering]], ids: list[int]
) -> Report:
    connection = await asyncpg.connect(description["postgres"])
    try:
        async with _tampered(connection, pairs):
            return await audit(description, companies=ids)
    finally:
        await connection.close()


@asynccontextmanager
async def _tampered(
    connection: asyncpg.Connection, pairs: Sequence[tuple[Company, Tampering]]
) -> AsyncIterator[None]:
    """Change the rows, and put back what was there."""
    kept = [
        await connection.fetch(f"SELECT * FROM {tampering.table} WHERE company_id = $1", company.id)
        for company, tampering in pairs
    ]
    try:
        for company, tampering in pairs:
            changed = await connection.execute(tampering.change, company.id)
            assert not changed.endswith(" 0"), tampering
        yield
    finally:
        for (company, tampering), rows in zip(pairs, kept, strict=True):
            schema, _, table = tampering.table.partition(".")
            await connection.execute(f"DELETE FROM {tampering.table} WHERE company_id = $1", company.id)
            await connection.copy_records_to_table(table, schema_name=schema, records=map(tuple, rows))


def test_what_clients_were_told_is_held_against_what_is_stored(
    mesh: Mesh, companies: list[Company], clean: Report
) -> None:
    company = companies[0]
    stored = {(company.id, each["scanId"]): each for each in _listed(company)}
    refused, unsent, *rest = sorted(stored)
    lost = (company.id, OTHER)
    sent = {key: _as_shown(stored[key]) for key in rest}
    sent[rest[1]] = replace(sent[rest[1]], scanner_id=OTHER)
    claims = Claims(
        {*rest, lost}, {rest[0]}, {refused}, sent={key: {attempt} for key, attempt in sent.items()}
    )
    report = asyncio.run(audit(mesh.describe(), companies=[company.id], claims=claims))
    *differences, unlike = report.differences
    assert unlike.startswith(f"company {company.id}: scan {rest[1][1]}: is not what was sent (sent Sent(")
    assert differences == [
        f"company {company.id}: scan {OTHER}: accepted, and neither stored nor in a dead letter",
        f"company {company.id}: scan {refused[1]}: refused in every attempt, and stored",
        f"company {company.id}: scan {unsent[1]}: stored, and nobody has sent it",
    ]
    assert report.counts.accepted == len(claims.accepted)


def _as_shown(shown: dict[str, Any]) -> Sent:
    return Sent(shown["scannerId"], shown["lane"], Scan.of_json(shown))


def _listed(company: Company) -> list[dict[str, Any]]:
    answer = company.reader.insist("GET", "/v1/scans")
    scans: list[dict[str, Any]] = answer.body["scans"]
    return scans


def test_the_command_exits_by_what_it_has_found(
    mesh: Mesh, companies: list[Company], clean: Report, tmp_path: Path
) -> None:
    one, other = companies[:2]
    assert _verify(mesh.home.root, one).returncode == 0
    with _broken(mesh, other):
        found = _verify(mesh.home.root, one, other)
    assert (found.returncode, "is stored, and has no result" in found.stdout) == (1, True)
    nothing = _verify(tmp_path, one)
    assert nothing.returncode == 2
    assert "no mesh is up" in nothing.stderr


@contextmanager
def _broken(mesh: Mesh, company: Company) -> Iterator[None]:
    tampering = next(
        each for each in TAMPERINGS if each.problem == "is stored, and has no result of enrichment"
    )

    async def run(step: str) -> None:
        connection = await asyncpg.connect(mesh.describe()["postgres"])
        try:
            if step == "break":
                kept.extend(
                    await connection.fetch(
                        "SELECT * FROM enrichment.results WHERE company_id = $1", company.id
                    )
                )
                await connection.execute(tampering.change, company.id)
            else:
                await connection.execute("DELETE FROM enrichment.results WHERE company_id = $1", company.id)
                await connection.copy_records_to_table(
                    "results", schema_name="enrichment", records=map(tuple, kept)
                )
        finally:
            await connection.close()

    kept: list[asyncpg.Record] = []
    asyncio.run(run("break"))
    try:
        yield
    finally:
        asyncio.run(run("mend"))


def _verify(home: Path, *companies: Company) -> subprocess.CompletedProcess[str]:
    chosen = [word for company in companies for word in ("--company", str(company.id))]
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.books", *chosen],
        cwd=ROOT,
        env={**os.environ, "SCANMESH_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_work_that_does_not_arrive_is_said_with_its_queue(mesh: Mesh, companies: list[Company]) -> None:
    async def settle() -> None:
        async with settling.queues(mesh.describe()) as queues:
            await queues.settle(0.3)

    mesh.hold("ingest-recorder")
    try:
        _scan(companies[0])
        with pytest.raises(NotSettled, match=r"SCANS holds [0-9]+ messages"):
            asyncio.run(settle())
    finally:
        mesh.release("ingest-recorder")


def test_books_agree_while_scans_go_on_arriving(mesh: Mesh, companies: list[Company], clean: Report) -> None:
    company = companies[0]
    with _sending(company):
        first, last = (asyncio.run(audit(mesh.describe(), companies=[company.id])) for _ in range(2))
    assert first.differences == last.differences == ()
    assert last.counts.metered > first.counts.metered


@contextmanager
def _sending(company: Company) -> Iterator[None]:
    """Send scans all the time, each twice."""
    device, over = company.without_limits().scanner(), threading.Event()

    def send() -> None:
        while not over.wait(0.02):
            device.http.insist("POST", "/v1/scans:batch", {"scans": [scan() for _ in range(10)] * 2})

    with ThreadPoolExecutor() as threads:
        sender = threads.submit(send)
        try:
            yield
        finally:
            over.set()
        sender.result()
