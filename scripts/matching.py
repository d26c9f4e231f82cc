"""Build tests/matching/pairs.tsv: labelled pairs of a query and a registered name.

Usage: python3 scripts/matching.py        (needs Python 3.11, nothing else)

Reads data/names and draws from a seeded generator, so a rerun gives the same
bytes. The labels come from how a pair is made, never from the program under
test: a "same" pair is one name and the same name written another way by one
rule; a "different" pair is two names. So that no accident makes two names of
a "different" pair the same, coarse() below folds much more than the rules ask
for, and a pair that it folds together, or whose kana it brings within one
character, is not used. What the classes are: tests/matching/README.md.
"""

import random
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from itertools import accumulate
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "tests" / "matching" / "pairs.tsv"
SEED = 20261001
SPACE = "\u3000"

# Pairs for each class.
SAME = {
    "width": 220, "case": 160, "hiragana": 200, "small_kana": 200, "unvoiced": 220, "long_vowel": 260,
    "di_du": 180, "v_row": 180, "no": 200, "ke": 180, "iteration": 200, "spaces": 240,
    "variation_selector": 200, "compatibility": 220, "old_kanji": 420, "variant_kanji": 400,
    "run_together": 160, "latin_order": 200, "unknown_part": 240, "unknown_part_long_vowel": 60, "fragment": 300,
    "fragment_long_vowel": 60, "combined": 400, "near_miss": 240,
}
DIFFERENT = {
    "different_random": 2600, "different_same_family": 1300, "different_same_given": 1200,
    "different_close": 1100, "different_one_kana": 300,
}

# --- tables -------------------------------------------------------------------------------------------------------

# New form, then its old forms (旧字体), as the tables of 常用漢字 and 人名用漢字 pair them.
OLD_KANJI = """
亜亞 悪惡 為爲 医醫 壱壹 隠隱 栄榮 営營 衛衞 駅驛 円圓 塩鹽 縁緣 艶艷 応應 桜櫻 奥奧 横橫 温溫 価價 会會 絵繪 壊壞 懐懷
楽樂 覚覺 学學 岳嶽 巻卷 寛寬 関關 観觀 亀龜 気氣 帰歸 偽僞 戯戲 旧舊 拠據 挙擧 虚虛 峡峽 挟挾 狭狹 尭堯 暁曉 勲勳 薫薰
区區 駆驅 径徑 茎莖 恵惠 掲揭 渓溪 経經 継繼 鶏鷄 軽輕 蛍螢 芸藝 撃擊 県縣 剣劍 圏圈 検檢 権權 献獻 顕顯 験驗 厳嚴 広廣
効效 恒恆 晃晄 黄黃 鉱鑛 号號 国國 黒黑 砕碎 済濟 斎齋 剤劑 桟棧 蚕蠶 参參 賛贊 残殘 糸絲 歯齒 児兒 辞辭 湿濕 実實
釈釋 写寫 寿壽 収收 従從 渋澁 縦縱 粛肅 叙敍 緒緖 将將 渉涉 奨奬 焼燒 称稱 証證 乗乘 浄淨 剰剩 条條 状狀 畳疊 縄繩 壌壤
嬢孃 穣穰 譲讓 醸釀 触觸 真眞 慎愼 晋晉 尽盡 図圖 粋粹 酔醉 穂穗 随隨 髄髓 枢樞 数數 瀬瀨 声聲 斉齊 静靜 摂攝 浅淺 銭錢
専專 戦戰 禅禪 双雙 壮壯 荘莊 争爭 捜搜 巣巢 曽曾 装裝 総總 聡聰 騒騷 蔵藏 属屬 続續 対對 帯帶 滞滯 台臺 滝瀧 沢澤 択擇
単單 団團 弾彈 断斷 昼晝 鋳鑄 庁廳 徴徵 聴聽 鎮鎭 逓遞 鉄鐵 転轉 点點 伝傳 灯燈 当當 党黨 稲稻 闘鬪 徳德 独獨 読讀 届屆
弐貳 悩惱 脳腦 拝拜 売賣 麦麥 発發 髪髮 抜拔 蛮蠻 秘祕 浜濱 仏佛 払拂 並竝 変變 辺邊 舗舖 歩步 豊豐 宝寶 翻飜 毎每 万萬
満滿 弥彌 黙默 訳譯 薬藥 余餘 与與 予豫 誉譽 揺搖 様樣 遥遙 瑶瑤 謡謠 来來 頼賴 乱亂 覧覽 竜龍 両兩 涼凉 猟獵 緑綠 凛凜
塁壘 励勵 礼禮 霊靈 齢齡 暦曆 歴歷 恋戀 錬鍊 炉爐 労勞 楼樓 郎郞 禄祿 録錄 湾灣 亘亙 巌巖 祢禰 萌萠 槙槇 清淸 青靑
彦彥 産產 戸戶 呉吳 内內 悦悅 鋭銳 説說 顔顏 教敎 尚尙 増增 郷鄕 瓶甁 既旣 概槪 閲閱 桧檜 蒋蔣 繋繫 頬頰
"""
# The character in use, then others that owners write for it (異体字, 俗字).
VARIANT_KANJI = """
高髙 崎﨑嵜 辺邉 斎斉齋齊 淵渕渊 凛凜 遥遙 槙槇 島嶋嶌 富冨 竜龍 吉𠮷 桑桒 浜濵 柳栁桺 鶴靏靍 橋𣘺槗 館舘 野埜 峰峯 昇曻 昂昻
晃晄 秋穐 薮藪籔 園薗 篭籠 祢袮 梅楳 国圀囯 達逹 喜㐂 宝寳 枡桝 熙煕熈 雁鴈 船舩 讃讚 壷壺 簑蓑 協恊 珍珎 弥彌 兎兔 穎頴 稲稻
勲勛 曽曾 諌諫 厨廚 鴬鶯 鴎鷗 桧檜 芦蘆 皋皐 麹麴 梼檮 条條
"""
# Perhaps one, perhaps two: neither a "same" nor a "different" pair rests on these.
DOUBTFUL = """
崎碕埼 坂阪 刈苅 湧涌 哲喆 亨享 郷卿 彬斌 弦絃 渓谿 篠笹 回廻 欣忻 箇個 曜耀燿 煌晃皇 杉椙 鷹鳷 叶協 函凾 蘇甦 暉輝煇 炤照 糠粳
駿儁 繇由 砂沙 簾廉 連聯 仙僊 耶邪 惇敦 暖煖 穂穐 蓬莱萊 鎌鐮 泰𣳾 博愽 杯盃 裏裡 皓皜 侠俠 俣俟 盤磐 淵潭 壱一 弐二 参三 丸圓
"""

# Compatibility ideographs met in Japanese text, by code point; each but the first has a canonical unified form.
COMPATIBILITY = [
    0xFA11, 0xF928, 0xF929, 0xF936, 0xF970, 0xF9D0, 0xF9DC, 0xFA10, 0xFA12, 0xFA15, 0xFA16, 0xFA17, 0xFA18, 0xFA19, 0xFA1A,
    0xFA1B, 0xFA1C, 0xFA1D, 0xFA1E, 0xFA20, 0xFA22, 0xFA25, 0xFA26, 0xFA2A, 0xFA2B, 0xFA2C, 0xFA2D, *range(0xFA30, 0xFA6B),
]

# A kanji and the long vowels that it is read with: a long vowel is changed only where the kanji vouches for it.
LONG = {
    "コウ": "幸光浩康孝航晃宏弘公功広洸煌皓高昂行河甲江向紅虹香", "ショウ": "翔昌祥正章勝昇匠将奨笙尚庄照",
    "ヨウ": "陽洋葉遥容要曜耀瑶", "トウ": "桃藤東冬透統登", "ロウ": "郎朗", "リョウ": "亮涼良遼諒凌椋稜梁",
    "キョウ": "京恭杏響叶興", "ソウ": "聡颯蒼壮奏創爽総宗湊", "ドウ": "道堂童藤", "ゴウ": "豪剛郷", "オウ": "央桜旺",
    "ホウ": "峰芳豊朋宝邦", "ジョウ": "丈城条", "ユウ": "優祐裕悠勇雄友佑侑結夕有湧柚由", "シュウ": "秀修周柊脩州秋",
    "リュウ": "龍竜隆琉流柳", "オオ": "大太", "トオ": "遠透徹亨", "ケイ": "恵慶圭啓敬景桂渓慧", "エイ": "英栄瑛詠永",
    "セイ": "清誠聖星成晴世政正", "レイ": "礼玲麗怜澪鈴", "ヘイ": "平", "テイ": "貞禎", "メイ": "明芽",
}

FOREIGN_FAMILY = """
García:ガルシア Santos:サントス Silva:シルヴァ Reyes:レイエス Cruz:クルス Fernández:フェルナンデス Martínez:マルティネス
González:ゴンサレス Nguyễn:グエン Trần:チャン Phạm:ファム Hoàng:ホアン Đặng:ダン Oliveira:オリヴェイラ Pereira:ペレイラ
Souza:ソウザ Villanueva:ヴィリャヌエヴァ Navarro:ナヴァロ Rivera:リヴェラ Müller:ミュラー Schröder:シュレーダー
Kowalski:コヴァルスキ Ivanov:イワノヴ Dvořák:ドヴォルザーク Petrov:ペトロヴ Shrestha:シュレスタ Gurung:グルン Thapa:タパ
Rahman:ラフマン Khan:カーン Kim:キム Zhang:チャン Wang:ワン Chen:チェン Johnson:ジョンソン Smith:スミス Brown:ブラウン
Vasquez:ヴァスケス Evans:エヴァンス Davis:デイヴィス Oliver:オリヴァー Volkov:ヴォルコヴ Calvo:カルヴォ Verdi:ヴェルディ
""".split()
FOREIGN_GIVEN = """
María:マリア José:ホセ Ana:アナ Luis:ルイス Juan:フアン Sofía:ソフィア Andrés:アンドレス Inês:イネス João:ジョアン Thảo:タオ
Minh:ミン Hương:フオン Đức:ドゥック Anh:アイン Renée:ルネ Zoë:ゾーイ Chloé:クロエ Björn:ビョルン Jürgen:ユルゲン
Valeria:ヴァレリア Victoria:ヴィクトリア Vera:ヴェラ Violeta:ヴィオレタ Ivan:イヴァン Eva:エヴァ Kevin:ケヴィン David:デイヴィッド
Oliver:オリヴァー Vivian:ヴィヴィアン Silvia:シルヴィア Vincent:ヴィンセント Ravi:ラヴィ Olivia:オリヴィア Xavier:ザヴィエル
Sita:シタ Bibek:ビベク Priya:プリヤ Grace:グレース Daniel:ダニエル Michelle:ミシェル Yvonne:イヴォンヌ Aoife:イーファ Ivo:イヴォ
""".split()
V_ROW = (("ヴァ", "バ"), ("ヴィ", "ビ"), ("ヴェ", "ベ"), ("ヴォ", "ボ"), ("ヴュ", "ビュ"), ("ヴ", "ブ"))

SURNAMES_KE = """
関ヶ原 龍ヶ崎 竜ヶ崎 鶴ヶ谷 茅ヶ崎 市ヶ谷 鎌ヶ谷 鳩ヶ谷 城ヶ崎 松ヶ崎 金ヶ崎 内ヶ崎 梶ヶ谷 矢ヶ崎 井ヶ谷 池ヶ谷 針ヶ谷 霞ヶ関 槍ヶ岳
八ヶ代 鶴ヶ島 緑ヶ丘 桜ヶ丘 藤ヶ谷 熊ヶ谷 越ヶ谷 剱ヶ峰 萩ヶ瀬 杉ヶ原 栗ヶ沢 保土ヶ谷 世ヶ谷 雑司ヶ谷 百合ヶ丘 自由ヶ丘 希望ヶ丘 千ヶ滝
""".split()
SURNAMES_NO = """
一ノ瀬 井ノ上 木ノ下 竹ノ内 山ノ内 西ノ宮 二ノ宮 三ノ宮 四ノ宮 池ノ上 田ノ上 堀ノ内 宮ノ下 坂ノ上 松ノ木 瀬ノ尾 猪ノ口 日ノ下 上ノ山 下ノ村
""".split()
CLOSE_FAMILIES = """
高橋/高柳 斎藤/佐藤 太田/大田 川島/河島 伊東/伊藤 阿部/安部 菊池/菊地 渡辺/渡部 辺見/逸見 川合/河合 河井/河合 新井/荒井 坂井/酒井
今井/今村 小田/織田 小野/大野 大野/太野 大島/小島 中山/中川 中村/中林 中田/仲田 木下/木村 森下/森田 石井/岩井 石田/岩田 上田/植田
上野/植野 福島/福田 福井/福永 藤井/藤田 藤本/藤木 松本/松木 松下/松田 村上/村山 山口/山田 山下/山中 吉川/古川 吉田/古田 古谷/古屋
丸山/円山 三浦/三橋 宮本/宮木 安田/保田 堀内/堀田 遠藤/近藤 後藤/武藤 加藤/工藤 内藤/安藤 長田/永田 長井/永井 柴田/芝田 杉山/桧山
原田/原口 平井/平田 前田/前川 増田/益田 水野/水口 本田/本間 本多/本田 八木/八田 矢野/矢島 横山/横田 和田/和久 若林/若松 青木/青山
秋山/秋田 池田/池上 岡田/岡本 尾崎/岡崎 片山/片岡 金子/金井 北村/北川 久保/窪田 黒田/黒木 小林/小森 小松/小柳 佐野/佐伯 島田/島村
一ノ関/一関 二宮/二ノ瀬 土井/土居 土屋/槌谷 塚本/塚田 津田/律田 戸田/戸川 野口/野村 橋本/橋口 浜田/浜口 林/林田 森/森本 原/原田
""".split()
CLOSE_GIVEN = """
真/慎 翔太/翔大 翔太/翔平 健太/健人 大輔/大介 大樹/大希 裕子/祐子 弘美/宏美 智子/知子 和子/和美 恵子/恵美 幸子/幸恵 美咲/美桜 万里/真里
真理/真里 愛/愛子 彩/彩花 彩花/彩香 結衣/結菜 結菜/結奈 陽菜/陽葵 陽太/陽大 悠斗/悠人 悠真/悠馬 蓮/漣 颯太/颯大 隼人/隼斗 拓也/拓哉
達也/達哉 直樹/直哉 直美/直子 正/正一 誠/誠一 浩/浩一 浩二/浩三 康夫/康雄 和夫/和雄 秀夫/秀雄 一郎/二郎 太郎/大郎 三郎/三朗 優/優子
優花/優香 優奈/優菜 綾/綾子 綾香/綾花 千夏/千春 千尋/千里 麻衣/麻友 舞/舞子 桃花/桃香 桜/桜子 凛/凛子 葵/蒼 碧/蒼 湊/奏 律/津 樹/樹生
朝陽/朝日 海斗/海人 陸/陸斗 大和/大地 新/新太 伊織/衣織 心春/小春 琴音/美音 莉子/莉央 芽依/芽生 美月/美空 七海/七美 杏/杏奈 澪/零
""".split()
CLOSE_KANA_FAMILIES = """
タカハシ/タカヤナギ タカハシ/タカバヤシ サトウ/サイトウ イトウ/カトウ ナカムラ/ナカバヤシ コバヤシ/オオバヤシ ワタナベ/タナベ ヤマモト/ヤマシタ
ヨシダ/ヨシカワ スズキ/ススキダ キクチ/ミクリヤ マツモト/マツシタ オオタ/オオタニ イノウエ/イノクチ ハセガワ/ハギワラ フジタ/フジワラ
ニシムラ/ニシノ ミヤザキ/ミヤモト カワシマ/カワハラ コンドウ/エンドウ アベ/アベマツ ヤマグチ/ヤマザキ オガワ/オガサワラ ムラカミ/ムラヤマ
""".split()
CLOSE_KANA_GIVEN = """
ハナコ/ハルコ ショウタ/ショウヘイ ケンタ/ケンジロウ アヤカ/サヤネ ミサキ/ミナミ ユイ/ユイナ ハルト/ハルマサ ヒナタ/ヒマリ ダイスケ/ダイキ
ナオキ/ナオユキ トモコ/トモエリ マユミ/マサミ リョウタ/リョウヘイ カズキ/カズヒロ アイリ/アカリナ サクラ/サオリ コウヘイ/コウタロウ
""".split()


def require(condition, message):
    if not condition:
        sys.exit(f"matching.py: {message}")


# --- the coarse fold, for "different" pairs only ------------------------------------------------------------------

class Groups:
    """Characters that may stand for one another, as one of them."""

    def __init__(self):
        self.parent = {}

    def find(self, c):
        while self.parent.get(c, c) != c:
            c = self.parent[c]
        return c

    def join(self, characters):
        first, *others = map(self.find, characters)
        for other in others:
            if self.find(other) != self.find(first):
                self.parent[self.find(other)] = self.find(first)


GROUPS = Groups()
for entry in (OLD_KANJI + VARIANT_KANJI + DOUBTFUL).split():
    GROUPS.join(entry)
GROUPS.join("ノ之乃")
GROUPS.join("ケカ")

VOWELS = {}
for vowel, row in zip("アイウエオ", ("アカサタナハマヤラワ", "イキシチニヒミリ", "ウクスツヌフムユル", "エケセテネヘメレ",
                                     "オコソトノホモヨロ")):
    VOWELS.update(dict.fromkeys(row, vowel))
LARGE = str.maketrans("ァィゥェォッャュョヮヵヶヰヱヲ", "アイウエオツヤユヨワカケイエオ")


def katakana(text):
    return "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in text)


def unvoiced(text):
    plain = (c for c in unicodedata.normalize("NFD", text) if c not in "\u3099\u309a")
    return unicodedata.normalize("NFC", "".join(plain))


def has_kanji(text):
    return any("㐀" <= c <= "鿿" or ord(c) > 0x20000 for c in text)


def coarse(text):
    """Far coarser than any rule: what this tells apart, every rule tells apart."""
    text = unicodedata.normalize("NFKC", text)
    text = "".join(c for c in unicodedata.normalize("NFD", text) if not 0x300 <= ord(c) <= 0x36F)
    text = unicodedata.normalize("NFC", text).lower().replace("đ", "d")
    text = "".join(c for c in text if c.isalnum() or c in "々〻ゝゞヽヾー")
    text = katakana(text)
    text = re.sub("(.)[々〻ゝゞヽヾ]", r"\1\1", text)
    text = text.replace("ヂ", "ジ").replace("ヅ", "ズ")
    for wide, plain in V_ROW:
        text = text.replace(wide, plain)
    text = unvoiced(text).translate(LARGE)
    kanji = has_kanji(text)
    out = []
    for c in text:
        vowel = VOWELS.get(out[-1]) if out else None
        if not kanji and (c == "ー" or c == vowel or (vowel, c) in (("オ", "ウ"), ("エ", "イ"), ("ウ", "オ"))):
            continue
        if not kanji:
            c = {"チ": "シ", "ツ": "ス"}.get(c, c)
            if out and c == out[-1]:
                continue
        out.append(GROUPS.find(c) if kanji else c)
    return "".join(out)


def distance(one, other):
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def far_apart(one, other):
    """Not to be found as each other's whole name by any folding, fragment or one wrong kana."""
    a, b = coarse(one), coarse(other)
    if a == b or a in b or b in a or sorted(coarse(p) for p in one.split()) == sorted(coarse(p) for p in other.split()):
        return False
    return has_kanji(one) or has_kanji(other) or distance(a, b) >= 2


# --- drawing names ------------------------------------------------------------------------------------------------

def read(name):
    lines = (ROOT / "data" / "names" / name).read_text(encoding="utf-8").splitlines()[1:]
    return [line.split("\t") for line in lines]


class Draw:
    """Names drawn by weight; every name is (family, given), each as (kanji, reading)."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.families = [(row[0], row[1]) for row in read("surnames.tsv")]
        self.givens = [(row[0], row[1]) for row in read("given_names.tsv")]
        self.family_weights = list(accumulate(int(row[2]) for row in read("surnames.tsv")))
        self.given_weights = list(accumulate(int(row[3]) for row in read("given_names.tsv")))

    def family(self):
        return self.random.choices(self.families, cum_weights=self.family_weights)[0]

    def given(self):
        return self.random.choices(self.givens, cum_weights=self.given_weights)[0]

    def name(self):
        return self.family(), self.given()

    def choice(self, options):
        return self.random.choice(options)

    def chance(self, part):
        return self.random.random() < part

    def foreign(self):
        """Latin and katakana of a foreign name."""
        family, given = self.choice(FOREIGN_FAMILY).split(":"), self.choice(FOREIGN_GIVEN).split(":")
        return (family[0], given[0]), (family[1], given[1])


def kanji(name, space=SPACE):
    return space.join(part[0] for part in name)


def kana(name, space=SPACE):
    return space.join(part[1] for part in name)


def hiragana(text):
    return "".join(chr(ord(c) - 0x60) if "ァ" <= c <= "ヶ" and c != "ヴ" else "ゔ" if c == "ヴ" else c for c in text)


HALF = {}
for code in range(0xFF61, 0xFF9E):
    HALF[unicodedata.normalize("NFKC", chr(code))] = chr(code)


def halfwidth(text):
    out = []
    for c in text:
        if c == SPACE:
            out.append(" ")
            continue
        for part in unicodedata.normalize("NFD", c) if "ァ" <= c <= "ヺ" else c:
            out.append({"\u3099": "\uff9e", "\u309a": "\uff9f"}.get(part, HALF.get(part, part)))
    return "".join(out)


def fullwidth(text):
    return "".join(SPACE if c == " " else chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def plain(text):
    """Latin without its diacritics."""
    text = text.replace("Đ", "D").replace("đ", "d")
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def replace_one(draw, text, places):
    """Replace one (start, end, options) of places, or None if there is none."""
    if not places:
        return None
    start, end, options = draw.choice(places)
    return text[:start] + draw.choice(options) + text[end:]


# --- the classes of "same" ----------------------------------------------------------------------------------------
# Each yields (query, registered); an empty or unchanged one is drawn again.

SMALL = {"ャ": "ヤ", "ュ": "ユ", "ョ": "ヨ", "ッ": "ツ", "ァ": "ア", "ィ": "イ", "ェ": "エ", "ォ": "オ"}


def either(draw, one, other):
    return (one, other) if draw.chance(0.5) else (other, one)


def width(draw):
    if draw.chance(0.35):
        latin = plain(" ".join(reversed(draw.foreign()[0])))
        return either(draw, latin, fullwidth(latin))
    text = kana(draw.name())
    return either(draw, halfwidth(text), text)


def case(draw):
    text = plain(" ".join(reversed(draw.foreign()[0])))
    forms = draw.random.sample([text, text.upper(), text.lower(), text.swapcase()], 2)
    return tuple(forms)


def hiragana_class(draw):
    text = kana(draw.name())
    return either(draw, hiragana(text), text)


def small_kana(draw):
    text = kana(draw.name())
    if not set(text) & set(SMALL):
        return None
    large = "".join(SMALL.get(c, c) for c in text)
    query, registered = either(draw, large, text)
    if draw.chance(0.25):
        query, registered = hiragana(query), hiragana(registered)
    return query, registered


def unvoiced_class(draw):
    text = kana(draw.name())
    if "ヂ" in text or "ヅ" in text:
        return None  # 清音 of ヂ is チ, and ヂ is also ジ: see hard_cases.tsv
    return (unvoiced(text), text) if draw.chance(0.75) else (text, unvoiced(text))


def long_places(part):
    """(start, end, spellings) of the long vowels of a reading for which a kanji vouches."""
    spelling, reading = part
    places = []
    for sound, vouching in LONG.items():
        if not set(vouching) & set(spelling):
            continue
        for found in re.finditer(sound, reading):
            if reading[found.end():found.end() + 1] in ("チ", "ラ", "エ", "ー"):
                continue  # タケイチ, ミノウラ: no long vowel
            stem, vowel = sound[:-1], VOWELS[unvoiced(sound).translate(LARGE)[-2]]
            ends = {"ウ": "ウー", "オ": "ウオー", "エ": "イエー"}[vowel]
            places.append((found.start(), found.end(), [stem + end for end in ends if stem + end != sound]))
    return places


def long_vowel(draw):
    name = draw.name()
    parts, changed = [], False
    for part in name:
        other = replace_one(draw, part[1], long_places(part))
        changed = changed or other is not None
        parts.append(other or part[1])
    if not changed:
        return None
    query, registered = either(draw, SPACE.join(parts), kana(name))
    if draw.chance(0.2):
        query, registered = hiragana(query), hiragana(registered)
    return query, registered


def di_du(draw):
    text = kana(draw.name())
    if draw.chance(0.5) and not set(text) & set("ヂヅ"):
        return None
    swap = str.maketrans("ヂヅ", "ジズ") if set(text) & set("ヂヅ") else str.maketrans("ジズ", "ヂヅ")
    return either(draw, text.translate(swap), text)


def v_row(draw):
    space = draw.choice([SPACE, "・", " "])
    text = space.join(reversed(draw.foreign()[1]))
    other = text
    for wide, narrow in V_ROW:
        other = other.replace(wide, narrow)
    query, registered = either(draw, other, text)
    if draw.chance(0.15):
        query, registered = hiragana(query), hiragana(registered)
    return query, registered


def written_with(draw, pool, characters):
    """A name of which one part has one of the characters, and is from pool or the sources."""
    part = (draw.choice(pool), "") if pool and draw.chance(0.5) else draw.choice(
        draw.memo(characters, lambda: [f for f in draw.families if set(f[0]) & set(characters)]))
    return part, draw.given()


def no(draw):
    if draw.chance(0.4):
        pool = draw.memo("no", lambda: [g for g in draw.givens if re.fullmatch(".+[之乃]|[乃之].+", g[0]) and "ノ" in g[1]
                                        and "々" not in g[0]])
        text = kanji((draw.family(), draw.choice(pool)))
        characters = "之乃"
    else:
        part, given = written_with(draw, SURNAMES_NO, "ノ之の")
        if not re.search(".[ノ之の].", part[0]):
            return None
        text, characters = kanji((part, given)), "ノ之の"
    ways = "ノ之乃のﾉ"
    return tuple(re.sub(f"(?<=.)[{characters}]", way, text, count=1) for way in draw.random.sample(ways, 2))


def ke(draw):
    part, given = written_with(draw, SURNAMES_KE, "ヶケ")
    if not re.search(".[ヶケ].", part[0]):
        return None
    text = kanji((part, given))
    ways = "ヶケヵカがガかｹｶ"
    return tuple(re.sub("[ヶケ]", way, text, count=1) for way in draw.random.sample(ways, 2))


def iteration(draw):
    if draw.chance(0.35):
        pools = [draw.memo(f"repeated {kind}", lambda: [
            part for part in names if re.search("カガ|キギ|クグ|ササ|シジ|スズ|タダ|チチ|ツヅ|トト|トド|ナナ|ハバ|ママ|ミミ|モモ|ララ|ルル|ココ",
                                                part[1])]) for kind, names in (("f", draw.families), ("g", draw.givens))]
        name = (draw.choice(pools[0]), draw.given()) if draw.chance(0.5) else (draw.family(), draw.choice(pools[1]))
        text = kana(name)
        places = []
        for at in range(1, len(text)):
            before, c = text[at - 1], text[at]
            if before == unvoiced(before) and unvoiced(c) == before and before in VOWELS and c not in "アイウエオ":
                places.append((at, at + 1, ["ヽ" if c == before else "ヾ"]))
        other = replace_one(draw, text, places)
        if other is None or "ヽ" in text:
            return None
        if draw.chance(0.5):
            marks = str.maketrans("ヽヾ", "ゝゞ")
            return either(draw, hiragana(other).translate(marks), hiragana(text))
        return either(draw, other, text)
    name = draw.name()
    if draw.chance(0.6):
        families = draw.memo("々", lambda: [f for f in draw.families if "々" in f[0]])
        name = draw.choice(families), name[1]
    else:
        givens = draw.memo("々 given", lambda: [g for g in draw.givens if re.search("々|([一-鿿])\\1", g[0])])
        name = name[0], draw.choice(givens)
    text = kanji(name)
    doubled = re.sub("(.)々", r"\1\1", text)
    marked = re.sub(r"([一-鿿])\1", r"\1々", doubled)
    if doubled == marked or re.search(r"(.)\1\1", doubled):
        return None
    return either(draw, doubled, marked.replace("々", "〻") if draw.chance(0.1) else marked)


SPACES = [SPACE, " ", "\u00a0", "\u2002", "\u2003", "\u2009", "\u202f", SPACE * 2, "  ", ""]
DOTS = ["・", "･", "·", "•", " ・ "]


def spaces(draw):
    if draw.chance(0.3):
        parts = list(reversed(draw.foreign()[1]))
        one, other = draw.random.sample(SPACES + DOTS * 2, 2)
    else:
        name = draw.name()
        index = draw.choice([0, 1])
        parts = [part[index] for part in name]
        one, other = draw.random.sample(SPACES, 2)
    query, registered = one.join(parts), other.join(parts)
    if draw.chance(0.1):
        query = draw.choice([" ", SPACE]) + query + draw.choice(["", " "])
    return query, registered


def variation_selector(draw):
    text = kanji(draw.name())
    out, marked = [], 0
    for c in text:
        out.append(c)
        if has_kanji(c) and c != "々" and draw.chance(0.4):
            marked += 1
            out.append(draw.choice(["\U000e0100", "\U000e0101", "\U000e0102", "\U000e0110", "\ufe00", "\ufe01"]))
    return either(draw, "".join(out), text) if marked else None


COMPATIBLE = {}
for code in COMPATIBILITY:
    form = unicodedata.normalize("NFKC", chr(code))
    COMPATIBLE.setdefault("崎" if code == 0xFA11 else form, []).append(chr(code))


def table_of(text):
    table = {}
    for entry in text.split():
        for c in entry[1:]:
            if c != entry[0] and c not in table.setdefault(entry[0], []):
                table[entry[0]].append(c)
    return {c: forms for c, forms in table.items() if forms}


def from_table(table):
    """Names with a character of the table, the characters taking turns so that all occur."""

    def pair(draw):
        key = "table" + "".join(table)
        names = draw.memo(key, lambda: [
            (c, forms, [f for f in draw.families if c in f[0]], [g for g in draw.givens if c in g[0]])
            for c, forms in table.items()])
        names = [entry for entry in names if entry[2] or entry[3]]
        turn = draw.turns[key] = draw.turns[key] + 1
        c, forms, families, givens = names[turn % len(names)]
        # The head of both lists is common names.
        if families and (not givens or draw.chance(0.6)):
            name = draw.choice(families[:25]), draw.given()
        else:
            name = draw.family(), draw.choice(givens[:25])
        text = kanji(name)
        other = text.replace(c, forms[(turn // len(names)) % len(forms)])
        if len(forms) > 1 and draw.chance(0.3):
            text = text.replace(c, forms[(turn // len(names) + 1) % len(forms)])
        return (other, text) if draw.chance(0.4) else (text, other)

    return pair


def run_together(draw):
    name = draw.name()
    written = draw.choice([kanji, kana, kanji])
    divided = written(name, draw.choice([SPACE, SPACE, " "]))
    query, registered = written(name, ""), divided
    return (query, registered) if draw.chance(0.75) else (registered, query)


def latin_order(draw):
    family, given = draw.foreign()[0]
    one = f"{given} {family}".upper() if draw.chance(0.5) else f"{given} {family}"
    kind = draw.choice(["order", "comma", "diacritics", "diacritics", "both"])
    if kind == "order":
        query, registered = plain(f"{family} {given}"), plain(one)
    elif kind == "comma":
        comma = draw.choice([", ", ",", "，"])
        query, registered = plain(f"{family}{comma}{given}"), plain(one)
        if draw.chance(0.5):
            query, registered = query.upper(), registered
    elif kind == "diacritics":
        if plain(one) == one:
            return None
        query, registered = plain(one), one
        if draw.chance(0.3):
            registered = unicodedata.normalize("NFD", registered)
    else:
        if plain(one) == one:
            return None
        query, registered = plain(f"{family}, {given}").upper(), one
    return either(draw, query, registered)


def unknown_part(draw):
    name = draw.name()
    written = draw.choice([kanji, kana])
    registered = written(name, draw.choice([SPACE, SPACE, " ", ""]))
    text = written(name, "")
    if len(text) < 4:
        return None
    if draw.chance(0.5):
        at = draw.random.randrange(len(text))
        query = text[:at] + draw.choice("?？") + text[at + 1:]
        if draw.chance(0.2):
            again = draw.random.randrange(len(text))
            query = query[:again] + "?" + query[again + 1:] if abs(again - at) > 1 else query
    else:
        start = draw.random.randrange(1, len(text) - 1)
        end = draw.random.randrange(start, len(text))
        if len(text) - (end - start) < 2:
            return None
        query = text[:start] + draw.choice("*＊") + text[end:]
    return query, registered


def long_vowel_cut(query, registered):
    """Whether the query cuts a long vowel of the registered kana in two, so that folding each by itself may miss."""
    if has_kanji(registered):
        return False
    whole = coarse(registered)
    pieces = [coarse(piece) for piece in re.split("[?*？＊]", query)]
    unknown = re.split("([?*？＊])", query)[1::2]
    pattern = "".join(
        re.escape(piece) + ("" if mark is None else "." if mark in "?？" else ".*")
        for piece, mark in zip(pieces, [*unknown, None]))
    return not (re.fullmatch(pattern, whole) if unknown else pattern in whole)


def only(make, cut):
    """The pairs of make that cut a long vowel, or those that do not."""
    def pair(draw):
        made = make(draw)
        return made if made and long_vowel_cut(*made) == cut else None

    return pair


def fragment(draw):
    name = draw.name()
    index = draw.choice([0, 1])
    parts = [part[index] for part in name]
    registered = draw.choice([SPACE, SPACE, " ", ""]).join(parts)
    least = 3 if index else 2
    kind = draw.choice(["family", "given", "inside", "inside"])
    if kind != "inside":
        query = parts[kind == "given"]
        # A single kana or kanji is too little to search by, unless it is the whole part in kanji.
        return (query, registered) if len(query) >= (2 if index else 1) else None
    text = registered if registered == "".join(parts) else draw.choice(parts)
    if len(text) <= least:
        return None
    length = draw.random.randrange(least, len(text))
    start = draw.random.randrange(len(text) - length + 1)
    query = text[start:start + length]
    if query[0] in "ーャュョッンァィェォ":
        return None
    return query, registered


def combined(draw):
    """Two or three rules at once."""
    if draw.chance(0.2):  # foreign
        (family, given), read_as = draw.foreign()
        if draw.chance(0.5):
            registered = f"{given} {family}"
            query = plain(draw.choice([f"{family}, {given}", f"{family} {given}"]))
            query = draw.choice([fullwidth, str.upper, str.lower])(query)
            return query, fullwidth(plain(registered)) if draw.chance(0.2) else registered
        registered = "・".join(reversed(read_as))
        query = registered
        for wide, narrow in V_ROW:
            query = query.replace(wide, narrow)
        if query == registered:
            return None
        query = query.replace("・", draw.choice(["", " "]))
        return draw.choice([hiragana, halfwidth])(query), registered
    name = draw.name()
    if draw.chance(0.5):  # kana
        parts = []
        rules = 0
        for part in name:
            other = replace_one(draw, part[1], long_places(part)) if draw.chance(0.6) else None
            rules += other is not None
            parts.append(other or part[1])
        registered, query = kana(name), SPACE.join(parts)
        steps = [
            lambda text: "".join(SMALL.get(c, c) for c in text),
            lambda text: unvoiced(text) if not set(text) & set("ヂヅ") else text,
            lambda text: text.replace(SPACE, draw.choice(["", " "])),
            lambda text: text.translate(str.maketrans("ジズ", "ヂヅ")),
        ]
        for step in draw.random.sample(steps[:3], 2) if draw.chance(0.8) else [steps[3], steps[2]]:
            after = step(query)
            rules += after != query
            query = after
        after = draw.choice([hiragana, halfwidth, str])(query)
        rules += after != query
        return (after, registered) if rules >= 2 else None
    registered = query = kanji(name)
    rules = 0
    for table in (table_of(OLD_KANJI), table_of(VARIANT_KANJI), COMPATIBLE):
        for c in registered:
            if c in table and c in query and draw.chance(0.8):
                query = query.replace(c, draw.choice(table[c]))
                rules += 1
    if "々" in query and draw.chance(0.7):
        query = re.sub("(.)々", r"\1\1", query)
        rules += 1
    if draw.chance(0.5):
        query = query.replace(SPACE, draw.choice(["", " "]))
        rules += 1
    if draw.chance(0.3):
        at = draw.random.randrange(1, len(query) + 1)
        if has_kanji(query[at - 1]):
            query = query[:at] + draw.choice(["\U000e0100", "\U000e0101"]) + query[at:]
            rules += 1
    if rules < 2 or coarse(query) == "":
        return None
    return either(draw, query, registered)


WRONG = "アイカキクケコサシスセソタチツテトナニネハヒフホマミムモヤユヨラリルレロワ"


def near_miss(draw):
    """One kana wrong, missing or extra, inside a whole name of at least four."""
    name = draw.name()
    text = kana(name)
    if len(text) < 6:
        return None
    at = draw.random.randrange(1, len(text) - 1)
    if SPACE in (text[at], text[at + 1]) or text[at] in "ャュョッンー" or text[at + 1] in "ャュョー":
        return None
    kind = draw.choice(["wrong", "wrong", "missing", "extra"])
    c = draw.choice(WRONG)
    query = {"wrong": text[:at] + c + text[at + 1:], "missing": text[:at] + text[at + 1:],
             "extra": text[:at] + c + text[at:]}[kind]
    # Exactly one off after folding as well, so that it is neither nothing nor two.
    if distance(coarse(query), coarse(text)) != 1 or min(len(coarse(query)), len(coarse(text))) < 4:
        return None
    if draw.chance(0.3):
        query = query.replace(SPACE, "")
    return query, text


MAKERS = {
    "width": width, "case": case, "hiragana": hiragana_class, "small_kana": small_kana, "unvoiced": unvoiced_class,
    "long_vowel": long_vowel, "di_du": di_du, "v_row": v_row, "no": no, "ke": ke, "iteration": iteration,
    "spaces": spaces, "variation_selector": variation_selector, "compatibility": from_table(COMPATIBLE),
    "old_kanji": from_table(table_of(OLD_KANJI)), "variant_kanji": from_table(table_of(VARIANT_KANJI)),
    "run_together": run_together, "latin_order": latin_order, "unknown_part": only(unknown_part, False),
    "unknown_part_long_vowel": only(unknown_part, True), "fragment": only(fragment, False),
    "fragment_long_vowel": only(fragment, True), "combined": combined, "near_miss": near_miss,
}


# --- the classes of "different" -----------------------------------------------------------------------------------

def written(draw, one, other):
    form = draw.choice([kanji, kana])
    space = draw.choice([SPACE, SPACE, " ", ""])
    return form(one, space), form(other, space)


def different_random(draw):
    return written(draw, draw.name(), draw.name())


def different_same_family(draw):
    family = draw.family()
    return written(draw, (family, draw.given()), (family, draw.given()))


def different_same_given(draw):
    given = draw.given()
    return written(draw, (draw.family(), given), (draw.family(), given))


def one_kanji_apart(names):
    """Real names that differ in one character, by what they share."""
    groups = defaultdict(list)
    for spelling in dict.fromkeys(name[0] for name in names):
        if len(spelling) >= 2 and all(has_kanji(c) for c in spelling):
            for at in range(len(spelling)):
                groups[spelling[:at] + "_" + spelling[at + 1:]].append(spelling)
    return [group for group in groups.values() if len(group) >= 2]


def different_close(draw):
    kind = draw.choice(["family", "given", "kana", "one family", "one family", "one given", "one given", "latin"])
    family, given = draw.name()
    space = draw.choice([SPACE, SPACE, " ", ""])
    if kind == "family":
        pair = [(f, given[0]) for f in draw.choice(CLOSE_FAMILIES).split("/")]
    elif kind == "given":
        pair = [(family[0], g) for g in draw.choice(CLOSE_GIVEN).split("/")]
    elif kind == "kana" and draw.chance(0.5):
        pair = [(f, given[1]) for f in draw.choice(CLOSE_KANA_FAMILIES).split("/")]
    elif kind == "kana":
        pair = [(family[1], g) for g in draw.choice(CLOSE_KANA_GIVEN).split("/")]
    elif kind == "one family":
        groups = draw.memo(kind, lambda: one_kanji_apart(draw.families[:3000]))
        pair = [(f, given[0]) for f in draw.random.sample(draw.choice(groups), 2)]
    elif kind == "one given":
        groups = draw.memo(kind, lambda: one_kanji_apart(draw.givens[:6000]))
        pair = [(family[0], g) for g in draw.random.sample(draw.choice(groups), 2)]
    else:
        (family, given), (other_family, other_given) = draw.foreign()[0], draw.foreign()[0]
        pair = [(given, family), (given, other_family)] if draw.chance(0.5) else [(given, family), (other_given, family)]
        pair = [tuple(map(plain, name)) for name in pair]
        space = " "
        if distance(*(" ".join(name).lower() for name in pair)) < 3:
            return None
    one, other = (space.join(name) for name in pair)
    return either(draw, one, other)


def different_one_kana(draw):
    """Two people whose real names are one kana apart."""
    def by_gap(names):
        groups = defaultdict(set)
        for reading in dict.fromkeys(name[1] for name in names):
            if 3 <= len(reading) <= 6:
                for at in range(len(reading)):
                    groups[reading[:at] + "_" + reading[at + 1:]].add(reading)
        return [sorted(group) for group in groups.values() if len(group) >= 2]

    family, given = draw.name()
    if draw.chance(0.5):
        groups = draw.memo("gap family", lambda: by_gap(draw.families[:2000]))
        one, other = ((reading, given[1]) for reading in draw.random.sample(draw.choice(groups), 2))
    else:
        groups = draw.memo("gap given", lambda: by_gap(draw.givens[:2500]))
        one, other = ((family[1], reading) for reading in draw.random.sample(draw.choice(groups), 2))
    one, other = SPACE.join(one), SPACE.join(other)
    return (one, other) if distance(coarse(one), coarse(other)) == 1 else None


DIFFERENT_MAKERS = {
    "different_random": different_random, "different_same_family": different_same_family,
    "different_same_given": different_same_given, "different_close": different_close,
    "different_one_kana": different_one_kana,
}


class ClassDraw(Draw):
    """The draws of one class, with what is worth keeping between them."""

    def __init__(self, shared, seed):
        self.__dict__.update(shared.__dict__)
        self.random = random.Random(seed)
        self.turns = Counter()

    def memo(self, key, make):
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]


def pairs_of(draw, make, wanted, label, allow=lambda query, registered: True):
    found = {}
    for _ in range(wanted * 400):
        if len(found) == wanted:
            break
        pair = make(draw)
        if pair is None or not all(pair) or pair[0] == pair[1] or pair in found:
            continue
        if allow(*pair):
            found[pair] = label
    require(len(found) == wanted, f"only {len(found)} of {wanted}")
    return list(found)


def check_same(name, query, registered):
    """A "same" pair that coarse() tells apart is a slip of this script."""
    if name in ("latin_order", "combined") and not has_kanji(query) and re.search("[A-Za-zＡ-Ｚａ-ｚ]", query):
        words = (sorted(coarse(w) for w in re.split(r"[\s,，]+", text) if w) for text in (query, registered))
        return len({tuple(w) for w in words}) == 1
    if name.startswith("unknown_part"):
        pattern = "".join("." if c in "?？" else ".*" if c in "*＊" else re.escape(c) for c in query)
        return re.fullmatch(pattern, re.sub(r"\s", "", registered)) is not None
    if name.startswith("fragment"):
        return query in re.sub(r"\s", "", registered) and query != re.sub(r"\s", "", registered)
    if name == "near_miss":
        return distance(coarse(query), coarse(registered)) == 1
    return coarse(query) == coarse(registered)


def main():
    shared = Draw(SEED)
    shared.kept = {}
    rows = []
    for name, wanted in SAME.items():
        draw = ClassDraw(shared, f"{SEED} {name}")
        for query, registered in pairs_of(draw, MAKERS[name], wanted, "same"):
            require(check_same(name, query, registered), f"{name}: {query} and {registered} are not the same")
            rows.append((name, "same", query, registered))
    for name, wanted in DIFFERENT.items():
        draw = ClassDraw(shared, f"{SEED} {name}")
        allow = (lambda query, registered: True) if name == "different_one_kana" else far_apart
        for query, registered in pairs_of(draw, DIFFERENT_MAKERS[name], wanted, "different", allow):
            require(coarse(query) != coarse(registered), f"{name}: {query} and {registered} are the same")
            rows.append((name, "different", query, registered))
    require(not any(c in "\t\n\r" for row in rows for cell in row for c in cell), "a cell with a tab or line end")
    lines = [
        "# Labelled pairs of names, made by scripts/matching.py; do not edit. README.md says what the classes are.",
        "# Do not normalize this file: it has compatibility and combining characters on purpose.",
        "class\tlabel\tquery\tregistered",
        *("\t".join(row) for row in rows),
    ]
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_bytes(("\n".join(lines) + "\n").encode("utf-8"))
    counts = Counter((row[1], row[0]) for row in rows)
    for (label, name), count in counts.items():
        print(f"{label}\t{name}\t{count}")
    print({label: sum(n for (which, _), n in counts.items() if which == label) for label in ("same", "different")})


if __name__ == "__main__":
    main()
