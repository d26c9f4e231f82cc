"""Build the demonstration set of child guidance centers and their territories.

Usage: python3 scripts/demonstration_centers.py      (Python 3.11, nothing else)

Reads data/registry/local_governments.csv and writes, in the same folder,
child_guidance_centers.csv and jurisdictions.csv. Nothing in it is random: the
same input gives the same bytes. These are NOT the real centers: their names,
phone numbers, territories and dates are made up (see data/registry/README.md).

The rules:
  * Every designated city has one center of its own, and so have a few other
    cities and special wards (OWN_CENTER).
  * Every prefecture has 3 to 9 centers, by its number of municipalities. The
    other municipalities, in the order of their codes, are cut into runs of
    nearly equal length, one run for each center. This is not geography.
  * Municipalities that got a center of their own after START belong to a
    center of the prefecture before that.
  * Two centers were closed and have a successor (SUCCESSORS). In some
    prefectures one municipality moved to the next center (MOVES).
  * Dates are inclusive at both ends; an empty valid_to means "until further
    notice".

The script checks its result before it writes anything and fails loudly.
"""

import csv
import re
import sys
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "data" / "registry"
START = date(2020, 4, 1)
MUNICIPALITIES_PER_CENTER = 9
DIRECTIONS = ["中央", "北", "南", "東", "西", "北東", "南西", "北西", "南東"]

# Cities and special wards, besides the designated cities, that run a center.
OWN_CENTER = {
    "131032": date(2021, 4, 1),  # 港区
    "131121": START,             # 世田谷区
    "131181": START,             # 荒川区
    "131237": START,             # 江戸川区
    "142018": START,             # 横須賀市
    "172014": START,             # 金沢市
    "282031": START,             # 明石市
    "292010": date(2022, 4, 1),  # 奈良市
}
# (prefecture, direction of the closed center): first day of the successor.
SUCCESSORS = {("23", "北"): date(2022, 4, 1), ("40", "南"): date(2024, 4, 1)}
# Prefectures where the last municipality of the first center moved to the second.
MOVES = ["01", "11", "12", "20", "34", "47"]
MOVE_DATE = date(2024, 4, 1)

# First digit after the 0 of the made-up phone numbers, by prefecture. The
# exchange 0000 does not exist: no exchange in Japan starts with 0.
PHONE_ZONES = {
    "1": "01 02 03 05", "2": "04 06 07 08 09 10 15 20", "3": "13", "4": "11 12 14",
    "5": "19 21 22 23 24", "6": "27", "7": "16 17 18 25 26 28 29 30",
    "8": "31 32 33 34 35 36 37 38 39", "9": "40 41 42 43 44 45 46 47",
}
PHONE_ZONE = {p: zone for zone, numbers in PHONE_ZONES.items() for p in numbers.split()}

CENTER_COLUMNS = ["code", "name", "prefecture", "phone", "valid_from", "valid_to"]
JURISDICTION_COLUMNS = ["center", "municipality", "valid_from", "valid_to"]


def require(condition, message):
    if not condition:
        sys.exit(f"demonstration_centers.py: {message}")


def day_before(day):
    return day - timedelta(days=1)


def runs(items, number):
    """Cut a list into `number` runs whose lengths differ by at most one."""
    cuts = [len(items) * i // number for i in range(number + 1)]
    return [items[a:b] for a, b in zip(cuts, cuts[1:])]


def read_governments():
    with (FOLDER / "local_governments.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Registry:
    def __init__(self):
        self.centers = []        # [code, name, prefecture, phone, from, to]
        self.jurisdictions = []  # [center, municipality, from, to]
        self.of_operator = defaultdict(int)
        self.in_zone = defaultdict(int)

    def add_center(self, operator, prefecture, name, start, end=None):
        self.of_operator[operator] += 1
        code = f"{operator}-{self.of_operator[operator]:02}"
        zone = PHONE_ZONE[prefecture]
        self.in_zone[zone] += 1
        phone = f"0{zone}-0000-{self.in_zone[zone]:04}"
        self.centers.append([code, name, prefecture, phone, start, end])
        return code

    def assign(self, spans, municipality, until=None):
        """Add the spans (center, from, to) of a municipality, cut off at `until`."""
        for center, start, end in spans:
            if until and start > until:
                continue
            if until and (end is None or end > until):
                end = until
            self.jurisdictions.append([center, municipality, start, end])


def add_prefecture(registry, government, members):
    prefecture, operator, name = government["prefecture"], government["code"], government["name"]
    number = round(len(members) / MUNICIPALITIES_PER_CENTER)
    number = max(3, min(len(DIRECTIONS), number))
    territories = []  # (spans, municipalities) of each run
    successors = []
    for direction, run in zip(DIRECTIONS, runs(members, number)):
        change = SUCCESSORS.get((prefecture, direction))
        end = day_before(change) if change else None
        code = registry.add_center(operator, prefecture, f"{name}{direction}児童相談所", START, end)
        spans = [(code, START, end)]
        territories.append((spans, run))
        if change:
            successors.append((spans, f"{name}{direction}部児童相談所", change))
    for spans, successor, change in successors:
        code = registry.add_center(operator, prefecture, successor, change)
        spans.append((code, change, None))

    moved = territories[0][1][-1] if prefecture in MOVES else None
    for spans, run in territories:
        for municipality in run:
            if municipality == moved:
                old, new = territories[0][0][0][0], territories[1][0][0][0]
                registry.assign([(old, START, day_before(MOVE_DATE)), (new, MOVE_DATE, None)], municipality)
            else:
                own = OWN_CENTER.get(municipality)
                registry.assign(spans, municipality, until=day_before(own) if own else None)


def build(governments):
    registry = Registry()
    for government in governments:
        if government["kind"] == "prefecture":
            members = [
                g["code"] for g in governments
                if g["prefecture"] == government["prefecture"]
                and g["kind"] in ("city", "special_ward", "town", "village")
                and OWN_CENTER.get(g["code"]) != START
            ]
            add_prefecture(registry, government, members)
        elif government["kind"] == "designated_city" or government["code"] in OWN_CENTER:
            start = OWN_CENTER.get(government["code"], START)
            name = f"{government['name']}児童相談所"
            code = registry.add_center(government["code"], government["prefecture"], name, start)
            registry.assign([(code, start, None)], government["code"])
    registry.centers.sort()
    registry.jurisdictions.sort(key=lambda row: (row[1], row[2]))
    return registry.centers, registry.jurisdictions


def check(governments, centers, jurisdictions):
    by_code = {g["code"]: g for g in governments}
    by_center = {row[0]: row for row in centers}
    require(len(by_center) == len(centers), "a center code occurs twice")
    require(len({row[1] for row in centers}) == len(centers), "a center name occurs twice")
    require(len({row[3] for row in centers}) == len(centers), "a phone number occurs twice")
    require({row[2] for row in centers} == {g["prefecture"] for g in governments}, "a prefecture has no center")
    for code, _, prefecture, phone, start, end in centers:
        require(re.fullmatch(r"[0-9]{6}-[0-9]{2}", code), f"{code}: malformed center code")
        require(by_code[code[:6]]["prefecture"] == prefecture, f"{code}: wrong prefecture")
        require(re.fullmatch(r"0[1-9]-0000-00[0-9]{2}", phone), f"{code}: phone number {phone}")
        require(START <= start and (end is None or start <= end), f"{code}: bad dates")
    require(sum(row[5] is not None for row in centers) >= 2, "fewer than two closed centers")

    expected = {g["code"] for g in governments if g["kind"] not in ("prefecture", "ward")}
    spans = defaultdict(list)
    for center, municipality, start, end in jurisdictions:
        require(municipality in expected, f"{municipality}: not a municipality")
        _, _, prefecture, _, opened, closed = by_center[center]
        require(by_code[municipality]["prefecture"] == prefecture, f"{municipality}: center {center} is elsewhere")
        require(opened <= start, f"{municipality}: center {center} was not open yet")
        require(closed is None or (end and end <= closed), f"{municipality}: center {center} was closed")
        operator = by_code[center[:6]]
        require(operator["kind"] == "prefecture" or operator["code"] == municipality,
                f"{municipality}: answered for by another municipality")
        require(by_code[municipality]["kind"] != "designated_city" or operator["code"] == municipality,
                f"{municipality}: a designated city without its own center")
        spans[municipality].append((start, end))
    require(set(spans) == expected, "a municipality has no center")
    require({row[0] for row in jurisdictions} == set(by_center), "a center has no territory")
    for municipality, rows in spans.items():
        require(rows[0][0] == START, f"{municipality}: does not begin on {START}")
        require(rows[-1][1] is None, f"{municipality}: ends on {rows[-1][1]}")
        for (_, end), (start, _) in zip(rows, rows[1:]):
            require(end and end + timedelta(days=1) == start, f"{municipality}: gap or overlap at {start}")
    moved = sum(row[2] == MOVE_DATE for row in jurisdictions)
    require(moved >= len(MOVES), "too few changes of center")


def write(name, columns, rows):
    with (FOLDER / name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *rows])
    print(f"{len(rows):6} rows in {name}")


def main():
    governments = read_governments()
    centers, jurisdictions = build(governments)
    check(governments, centers, jurisdictions)
    write("child_guidance_centers.csv", CENTER_COLUMNS, centers)
    write("jurisdictions.csv", JURISDICTION_COLUMNS, jurisdictions)


if __name__ == "__main__":
    main()
