"""Build data/names/surnames.tsv and data/names/given_names.tsv, from which the
synthetic population of the benchmarks is drawn.

Usage: python3 scripts/names.py        (needs Python 3.11, pip, apt-get, dpkg-deb)

Two public packages give the spellings and readings:

  * japanese-personal-name-dataset (PyPI): given names by reading and sex with
    their kanji spellings, and the 1,999 commonest surnames;
  * mecab-ipadic (Debian): the surnames and given names of the IPA dictionary.

Neither gives usable numbers, so the weights are made here:

  * Surnames: TOP_SURNAMES are the shares of the commonest hundred in percent,
    rounded public knowledge. The others follow a power law below the last of
    them: first the surnames of the PyPI package, then the others, either in the
    order of the word cost of the IPA dictionary. The numbers of people in the
    PyPI package (estimates after a web site) are not used, nor is its order.
  * Given names: a flatter power law over readings, ranked by the number of
    spellings; within a reading a power law over its
    spellings, first those that the IPA dictionary has. TOP_GIVEN (written here
    like TOP_SURNAMES) heads the list. Only the heaviest GIVEN_NAMES are kept.

A weight is a number of people in ten million; each file adds up to that.
The archives are pinned by version and SHA-256, so a rerun gives the same bytes.
"""

import csv
import hashlib
import io
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

PYPI_PACKAGE = "japanese-personal-name-dataset==0.4.0"
PYPI_SHA256 = "81e771871ef9c11510c9f28736b734e7d321f69e175cbc4f22064360c125db23"
DEBIAN_PACKAGE = "mecab-ipadic=2.7.0-20070801+main-3"
DEBIAN_SHA256 = "2a59bb65193b605cec3e5540e69e7d3ce8db4624744f8686f419aa0cf3f327f2"

OUTPUT = Path(__file__).resolve().parent.parent / "data" / "names"
TOTAL = 10_000_000
GIVEN_NAMES = 36_000

# Percent of the population, rounded.
TOP_SURNAMES = """
佐藤 1.50 鈴木 1.42 高橋 1.12 田中 1.05 伊藤 0.84 渡辺 0.83 山本 0.83 中村 0.82 小林 0.80 加藤 0.70
吉田 0.66 山田 0.64 佐々木 0.53 山口 0.51 松本 0.49 井上 0.48 木村 0.45 林 0.43 斎藤 0.43 清水 0.42
山崎 0.38 森 0.37 池田 0.36 橋本 0.35 阿部 0.35 石川 0.34 山下 0.33 中島 0.32 石井 0.31 小川 0.31
前田 0.31 岡田 0.30 長谷川 0.30 藤田 0.30 後藤 0.29 近藤 0.29 村上 0.28 遠藤 0.27 青木 0.26 坂本 0.26
福田 0.25 太田 0.25 西村 0.25 藤井 0.24 岡本 0.24 金子 0.24 藤原 0.23 三浦 0.23 中野 0.23 中川 0.22
原田 0.22 松田 0.22 竹内 0.22 小野 0.21 田村 0.21 中山 0.21 和田 0.21 石田 0.20 森田 0.20 上田 0.20
原 0.20 内田 0.19 柴田 0.19 酒井 0.19 宮崎 0.19 横山 0.19 高木 0.18 安藤 0.18 谷口 0.18 大野 0.18
丸山 0.17 今井 0.17 高田 0.17 藤本 0.17 河野 0.17 小島 0.17 村田 0.17 武田 0.17 上野 0.16 杉山 0.16
増田 0.16 平野 0.16 菅原 0.16 小山 0.16 久保 0.16 大塚 0.15 千葉 0.15 松井 0.15 岩崎 0.15 木下 0.15
松尾 0.15 野口 0.15 野村 0.15 菊地 0.15 佐野 0.14 大西 0.14 渡部 0.14 杉本 0.14 新井 0.14 浜田 0.14
"""

# Given names of two generations, children first, that head the ranking.
TOP_GIVEN = {
    "m": """
蓮:レン 湊:ミナト 陽翔:ハルト 大翔:ヒロト 悠真:ユウマ 蒼:アオイ 樹:イツキ 律:リツ 陽向:ヒナタ 悠人:ユウト 颯真:ソウマ
朝陽:アサヒ 伊織:イオリ 碧:アオイ 暖:ダン 新:アラタ 翔太:ショウタ 大和:ヤマト 陸:リク 蒼空:ソラ 健太:ケンタ 大輔:ダイスケ
翔:ショウ 拓也:タクヤ 直樹:ナオキ 達也:タツヤ 健一:ケンイチ 誠:マコト 浩:ヒロシ 和也:カズヤ 哲也:テツヤ 剛:ツヨシ 隆:タカシ
亮:リョウ 雄太:ユウタ 祐介:ユウスケ 大樹:ダイキ 海斗:カイト 優斗:ユウト 涼太:リョウタ 駿:シュン 隼人:ハヤト 悠斗:ユウト
""",
    "f": """
陽葵:ヒマリ 凛:リン 紬:ツムギ 芽依:メイ 葵:アオイ 結菜:ユイナ 陽菜:ヒナ 莉子:リコ 結衣:ユイ 澪:ミオ 美桜:ミオ 咲良:サクラ
心春:コハル 杏:アン 琴音:コトネ 楓:カエデ 美月:ミツキ 花:ハナ 凪:ナギ さくら:サクラ 美咲:ミサキ 愛:アイ 彩:アヤ 陽子:ヨウコ
恵:メグミ 裕子:ユウコ 智子:トモコ 久美子:クミコ 由美子:ユミコ 真由美:マユミ 恵子:ケイコ 明美:アケミ 直美:ナオミ 幸子:サチコ
麻衣:マイ 綾:アヤ 舞:マイ 美穂:ミホ 香織:カオリ 千尋:チヒロ 優花:ユウカ 七海:ナナミ 愛美:マナミ 菜々子:ナナコ
""",
}

KANJI = r"一-鿿㐀-䶿﨎-﨩々〇"
SURNAME = re.compile(rf"(?=.*[{KANJI}])[{KANJI}ヶケノツのつ]{{1,6}}")
GIVEN = re.compile(rf"[{KANJI}ぁ-んゝゞ]{{1,5}}|[{KANJI}ァ-ヶー]{{1,5}}")
KATAKANA_ONLY = re.compile(r"[ァ-ヶー]+")
# No kana that no Japanese name has: historical and foreign ones.
READING = re.compile(r"(?![ンーッ])[アイウエオカ-ヂッ-モヤ-ロワンャュョー]{1,12}")

MALE_ENDS = "郎朗夫男雄彦介助輔太吉蔵斗士司平之治二三一"
FEMALE_ENDS = "子美恵代江枝奈菜香花華音絵乃穂織葉沙紗"


def require(condition, message):
    if not condition:
        sys.exit(f"names.py: {message}")


def download(command, pattern, sha256, folder):
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = list(folder.glob(pattern))
    require(len(found) == 1, f"{pattern}: expected one file, found {len(found)}")
    actual = hashlib.sha256(found[0].read_bytes()).hexdigest()
    require(actual == sha256, f"{found[0].name}: SHA-256 is {actual}, expected {sha256}")
    return found[0]


def katakana(text):
    return "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in text)


def read_dataset(folder):
    """Surnames as (kanji, reading); given names as sex -> reading -> spellings."""
    archive = download(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", PYPI_PACKAGE],
        "*.whl", PYPI_SHA256, folder,
    )

    def rows(wheel, name):
        data = wheel.read(f"japanese_personal_name_dataset/dataset/{name}.csv").decode("utf-8")
        return list(csv.reader(io.StringIO(data)))

    with zipfile.ZipFile(archive) as wheel:
        surnames = [(kanji, katakana(reading)) for kanji, _, reading, _ in rows(wheel, "last_name_org")]
        given = {
            sex: {katakana(reading): spellings for reading, _, *spellings in rows(wheel, name)}
            for sex, name in (("m", "first_name_man_org"), ("f", "first_name_woman_org"))
        }
    require(len(surnames) == 1999, f"{len(surnames)} surnames in the data set")
    return surnames, given


def read_ipadic(folder):
    """(spelling, reading) -> lowest cost, for surnames and for given names."""
    archive = download(["apt-get", "download", "--quiet", DEBIAN_PACKAGE], "*.deb", DEBIAN_SHA256, folder)
    subprocess.run(["dpkg-deb", "-x", archive.name, "ipadic"], cwd=folder, check=True)
    names = {"姓": {}, "名": {}}
    counts = Counter()
    with open(folder / "ipadic/usr/share/mecab/dic/ipadic/Noun.name.csv", encoding="euc_jp") as file:
        for row in csv.reader(file):
            spelling, cost, kind, reading = row[0], int(row[3]), row[7], row[11]
            counts[kind] += 1
            if kind in names:
                known = names[kind].get((spelling, reading))
                names[kind][spelling, reading] = cost if known is None else min(cost, known)
    require((counts["姓"], counts["名"]) == (13021, 18986), f"unexpected counts in the dictionary: {counts}")
    return names["姓"], names["名"]


def exact(shares):
    """Whole weights that add up to TOTAL, none of them zero."""
    scale = TOTAL / sum(shares)
    weights = [max(1, int(share * scale)) for share in shares]
    rest = TOTAL - sum(weights)
    require(abs(rest) <= 2 * len(weights), "rounding is too coarse")
    step = 1 if rest > 0 else -1
    place = 0
    while rest:
        if weights[place] + step >= 1:
            weights[place] += step
            rest -= step
        place = (place + 1) % len(weights)
    return weights


def surname_rows(dataset, ipadic):
    top = TOP_SURNAMES.split()
    top = [(kanji, float(share)) for kanji, share in zip(top[::2], top[1::2])]
    require(len(top) == 100, f"{len(top)} top surnames")
    first_reading = {}
    for kanji, reading in dataset:
        first_reading.setdefault(kanji, reading)
    head = [(kanji, first_reading[kanji]) for kanji, _ in top]
    require(len(set(head)) == len(head), "a top surname occurs twice")

    common, dearest = set(dataset), max(ipadic.values())
    tail = [key for key in common.union(ipadic).difference(head)
            if SURNAME.fullmatch(key[0]) and READING.fullmatch(key[1])]

    def rank(key):
        # Another reading of a common surname than its usual one goes last.
        tier = 0 if key in common else 2 if key[0] in first_reading else 1
        return tier, ipadic.get(key, dearest), key

    tail.sort(key=rank)
    head_shares = [share for _, share in top]
    rest = 100 - sum(head_shares)

    def tail_shares(power):
        return [head_shares[-1] * (len(head) / (len(head) + 1 + place)) ** power for place in range(len(tail))]

    low, high = 0.5, 3.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(tail_shares(middle)) > rest else (low, middle)
    weights = exact(head_shares + tail_shares(high))
    return [(*key, str(weight)) for key, weight in zip(head + tail, weights)]


def sex_of(spelling, reading, given):
    """By the data set; where it has the spelling for neither sex, by the last character."""
    known = {sex for sex in "mf" if spelling in given[sex].get(reading, ())}
    if len(known) == 2:
        return "u"
    known = known or {sex for sex in "mf" if reading in given[sex]}
    if len(known) == 1:
        return known.pop()
    return "f" if spelling[-1] in FEMALE_ENDS else "m" if spelling[-1] in MALE_ENDS else "u"


def given_rows(given, ipadic):
    head = []
    for pair in zip(*(TOP_GIVEN[sex].split() for sex in "mf")):
        head += [tuple(entry.split(":")) for entry in pair]
    spellings = defaultdict(set)
    for sex in "mf":
        for reading, written in given[sex].items():
            for spelling in written:
                spellings[reading].add(spelling)
    for spelling, reading in ipadic:
        if KATAKANA_ONLY.fullmatch(spelling) and not any(reading in given[sex] for sex in "mf"):
            continue  # foreign
        spellings[reading].add(spelling)
    usual = Counter(c for written in spellings.values() for spelling in written for c in spelling)

    def rank(reading):
        def key(spelling):
            rare = min(usual[c] for c in spelling)
            return (spelling, reading) not in ipadic, -rare, spelling
        return key

    found = {}
    readings = sorted((r for r in spellings if READING.fullmatch(r)), key=lambda r: (-len(spellings[r]), r))
    for place, reading in enumerate(readings):
        share = 1 / (place + 40) ** 0.85
        written = sorted((s for s in spellings[reading] if GIVEN.fullmatch(s)), key=rank(reading))
        parts = [1 / (number + 3) ** 0.9 for number in range(len(written))]
        for spelling, part in zip(written, parts):
            found[spelling, reading] = share * part / sum(parts)
    total = sum(found.values())
    for place, key in enumerate(head):
        found[key] = total * 0.0035 / (1 + place / 12) ** 0.7
    kept = sorted(found, key=lambda key: (-found[key], key))[:GIVEN_NAMES]
    require(set(head) <= set(kept), "a top given name was cut")
    weights = exact([found[key] for key in kept])
    return [(*key, sex_of(*key, given), str(weight)) for key, weight in zip(kept, weights)]


def write(name, header, rows):
    require(len({row[:2] for row in rows}) == len(rows), f"{name}: an entry occurs twice")
    require(sum(int(row[-1]) for row in rows) == TOTAL, f"{name}: weights do not add up")
    for row in rows:
        require(READING.fullmatch(row[1]), f"{name}: bad reading {row}")
    text = "".join("\t".join(row) + "\n" for row in [header, *rows])
    (OUTPUT / name).write_bytes(text.encode("utf-8"))
    print(f"{name}: {len(rows)} names, {len(text.encode('utf-8'))} bytes")


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        folder.chmod(0o755)
        dataset_surnames, dataset_given = read_dataset(folder)
        ipadic_surnames, ipadic_given = read_ipadic(folder)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    write("surnames.tsv", ("kanji", "reading", "weight"), surname_rows(dataset_surnames, ipadic_surnames))
    write("given_names.tsv", ("kanji", "reading", "sex", "weight"), given_rows(dataset_given, ipadic_given))


if __name__ == "__main__":
    main()
