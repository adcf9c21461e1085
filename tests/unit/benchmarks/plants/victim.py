"""What faults are planted into: started as a process, it says how far it came."""

from __future__ import annotations

import asyncio

from tests.unit.benchmarks.plants import steps


async def main() -> None:
    for number in range(1, 4):
        print(number, steps.plain(number), await steps.Steps().waiting(number), flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
