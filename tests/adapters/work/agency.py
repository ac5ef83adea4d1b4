"""An agency: it takes the files that are put into its folder, and answers as agencies do: late, twice, in part, and of
accounts that nobody knows. `python agency.py FOLDER ANSWERS`, until its input ends."""

import csv
import sys
import threading
import time
from pathlib import Path
from typing import Any

HEADER = ("record", "account_number", "reference", "amount", "date", "code", "file", "accounts", "total", "notes")
DAY = "2026-03-02"


def main() -> None:
    folder, answers = Path(sys.argv[1]), Path(sys.argv[2])
    over = threading.Event()

    def until_input_ends() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=until_input_ends, daemon=True).start()
    seen: set[Path] = set()
    while not over.is_set():
        for file in sorted(folder.glob("acme-new-*.csv")):
            if file not in seen:
                seen.add(file)
                answer(file, answers)
        time.sleep(0.02)


def answer(file: Path, answers: Path) -> None:
    """First of half of it, and too few; then of all, with what it had said before."""
    with file.open(encoding="utf-8", newline="") as content:
        *rows, trailer = csv.DictReader(content)
    accounts = [each["account_number"] for each in rows if each["record"] == "account"]
    total = trailer["client_number"]
    half = accounts[: len(accounts) // 2]
    first: list[dict[str, Any]] = [
        {"record": "acknowledgement", "file": file.name, "accounts": len(half), "total": total},
        *[
            {"record": "payment", "account_number": a, "reference": f"T-{a}", "amount": "40.00", "date": DAY}
            for a in half
        ],
    ]
    second: list[dict[str, Any]] = [
        *first[1:],
        {"record": "acknowledgement", "file": file.name, "accounts": len(accounts), "total": total},
        {"record": "accepted", "account_number": accounts[0]},
        {"record": "payment", "account_number": "Z-9", "reference": "T-Z", "amount": "1.00", "date": DAY},
        {"record": "payment", "account_number": accounts[0], "reference": "T-0", "amount": "=1+1", "date": DAY},
        {"record": "adjustment", "account_number": accounts[0], "reference": "J-1", "amount": "-5.00", "date": DAY},
        {"record": "dispute", "account_number": accounts[1], "code": "other", "notes": "Not mine"},
        {"record": "closure", "account_number": accounts[2], "code": "uncollectible"},
        {"record": "rejection", "account_number": accounts[3], "code": "duplicate"},
        {"record": "trailer", "accounts": len(first) - 1 + 8, "total": None},
    ]
    for name, said in (("1", first), ("2", second)):
        draft = answers / f".{name}.part"
        with draft.open("w", encoding="utf-8", newline="") as content:
            writer = csv.DictWriter(content, HEADER)
            writer.writeheader()
            writer.writerows(said)
        draft.replace(answers / f"{name}.csv")


if __name__ == "__main__":
    main()
