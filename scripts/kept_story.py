"""What happens at the gateway whose database is kept (scripts/keep_stores.py): people who do not exist, and all that
parties can do with their records. What comes about is asked for at the end, and the answers are kept.
"""

import base64
import copy
import hashlib
import json
import struct
import time
import uuid
import zlib
from pathlib import Path

import persons

ROOT = Path(__file__).resolve().parent.parent
PARTIES = {
    "city": "122327", "center": "120006-04", "other-city": "172014", "other-center": "172014-01",
    "far-center": "010006-01", "far-city": "012025", "ministry": "ministry",
}
ROLES = ["viewer", "caseworker", "supervisor", "auditor", "user_administrator"]
# Terminals beside the first one of each party: NAME and organization.
FURTHER = {"city-2": PARTIES["city"], "city-old": PARTIES["city"], "desk": PARTIES["city"]} | {
    f"{name}-desk": code for name, code in PARTIES.items() if name != "city"}
PATIENCE = 60

PEOPLE = {  # child and reading, guardian and reading, another name of the guardian, sex, birth date
    "main": ("髙橋 花子", "タカハシ ハナコ", "髙橋 誠", "タカハシ マコト", "渡邊 誠", "2", "2018-04-01"),
    "requested": ("齋藤 蓮", "サイトウ レン", "齋藤 愛", "サイトウ アイ", "架空 旧姓", "1", "2015-06-02"),
    "offered": ("山﨑 湊", "ヤマザキ ミナト", "山﨑 彩", "ヤマザキ アヤ", "架空 旧姓", "1", "2016-07-03"),
    "confirmed": ("渡邊 葵", "ワタナベ アオイ", "渡邊 翼", "ワタナベ ツバサ", "架空 旧姓", "2", "2017-08-04"),
    "taken_over": ("長谷川 凛", "ハセガワ リン", "長谷川 恵", "ハセガワ メグミ", "架空 旧姓", "2", "2014-09-05"),
    "rejected": ("五十嵐 樹", "イガラシ イツキ", "五十嵐 誠", "イガラシ マコト", "架空 旧姓", "1", "2013-10-06"),
    "withdrawn": ("小野寺 紬", "オノデラ ツムギ", "小野寺 愛", "オノデラ アイ", "架空 旧姓", "2", "2019-11-07"),
    "expired": ("早乙女 颯", "サオトメ ハヤテ", "早乙女 恵", "サオトメ メグミ", "架空 旧姓", "1", "2012-12-08"),
    "overdue": ("宇都宮 芽依", "ウツノミヤ メイ", "宇都宮 彩", "ウツノミヤ アヤ", "架空 旧姓", "2", "2020-01-09"),
    "shielded": ("近藤 美咲", "コンドウ ミサキ", "近藤 裕子", "コンドウ ユウコ", "架空 旧姓", "2", "2016-02-10"),
    "lift_asked": ("遠藤 拓海", "エンドウ タクミ", "遠藤 美穂", "エンドウ ミホ", "架空 旧姓", "1", "2015-03-11"),
    "lifted": ("坂本 陽菜", "サカモト ヒナ", "坂本 直樹", "サカモト ナオキ", "架空 旧姓", "2", "2014-04-12"),
    "serious": ("西村 悠真", "ニシムラ ユウマ", "西村 健一", "ニシムラ ケンイチ", "架空 旧姓", "1", "2017-05-13"),
    "glass": ("三浦 心春", "ミウラ コハル", "三浦 真由美", "ミウラ マユミ", "架空 旧姓", "2", "2018-06-14"),
    "locked": ("中野 大翔", "ナカノ ヒロト", "中野 和也", "ナカノ カズヤ", "架空 旧姓", "1", "2013-07-15"),
    "closed": ("藤原 さくら", "フジワラ サクラ", "藤原 大輔", "フジワラ ダイスケ", "架空 旧姓", "2", "2009-08-16"),
    "of_center": ("太田 花音", "オオタ カノン", "太田 誠", "オオタ マコト", "架空 旧姓", "2", "2016-09-17"),
    "of_other_city": ("福田 翔太", "フクダ ショウタ", "福田 愛", "フクダ アイ", "架空 旧姓", "1", "2015-10-18"),
    "of_far_center": ("青木 健太", "アオキ ケンタ", "青木 恵", "アオキ メグミ", "架空 旧姓", "1", "2014-11-19"),
    "disposed": ("石川 結菜", "イシカワ ユイナ", "石川 彩", "イシカワ アヤ", "架空 旧姓", "2", "1990-04-01"),
    "disposal_asked": ("前田 陽翔", "マエダ ハルト", "前田 翼", "マエダ ツバサ", "架空 旧姓", "1", "1990-05-02"),
    "batch_1": ("池田 陽翔", "イケダ ハルト", "池田 恵", "イケダ メグミ", "架空 旧姓", "1", "2011-01-21"),
    "batch_2": ("橋本 葵", "ハシモト アオイ", "橋本 誠", "ハシモト マコト", "架空 旧姓", "2", "2012-02-22"),
}


def record(who, municipality="122327", **sections):
    """A record of the national format as JSON: the full example with somebody else in it, and no shield."""
    child, kana, guardian, guardian_kana, other, sex, born = PEOPLE[who]
    document = copy.deepcopy(json.loads((ROOT / "schemas/example_full.json").read_text()))
    del document["shield"]
    document["index"]["child"] |= {"name": {"written": child, "kana": kana}, "sex": sex, "birthDate": born}
    document["index"]["guardian"][0] |= {
        "name": {"written": guardian, "kana": guardian_kana}, "otherName": [{"form": "former", "written": other}],
    }
    document["contact"]["municipality"] = municipality
    return json.dumps(document | sections, ensure_ascii=False)


def png():
    """A picture of eight by eight grey points."""
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    lines = b"".join(b"\0" + bytes(16 * (x ^ y) for x in range(8)) for y in range(8))
    header = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


FILES = {
    "image/png": png(),
    # Eight by eight grey points. In stores that were kept before photos had to be whole it is none.
    "image/jpeg": base64.b64decode(
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeXBkeFxl"
        "Z2P/wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAABv/EABwQAAEDBQAAAAAAAAAAAAAAABESEzVBYoHR8P/aAAgBAQAAPwA3GXKw3snqf//Z"
    ),
    "application/pdf": b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
                       b"2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n",
}


class Story:
    """What is done at one gateway, and the ids of what came of it."""

    def __init__(self, gateway):
        self.gateway, self.do = gateway, gateway.do
        self.records, self.transfers, self.notices, self.files = {}, {}, {}, []

    def register(self, who, by="city", municipality="122327"):
        body = record(who, municipality)
        self.records[who] = self.do(by, "POST", "/v1/records", body, Content_Type="application/json")["record"]
        return self.records[who]

    def path(self, who, rest=""):
        return f"/v1/records/{self.records[who]}{rest}"

    def offer(self, who, urgent=False, photos=False):
        parts = {name: {"state": "included"} for name in ("photos", "risk_sheet", "urgency")}
        if not photos:
            parts["photos"] = {"state": "missing", "reason": "写真はない"}
        offered = self.do("city", "POST", "/v1/transfers", {
            "record": self.records[who], "receiver": PARTIES["other-city"], "urgent": urgent, "completeness": parts,
            "message": "転出に伴う情報提供",
        })
        self.transfers[who] = offered["transfer"]
        return f"/v1/transfers/{offered['transfer']}"

    def connect(self):
        """Everybody, with staff of every role; one officer and one terminal are revoked, one city is suspended."""
        gateway = self.gateway
        self.chairs = persons.enrol_operators(gateway.at_desk("operator-desk"), gateway.opening_code, gateway.now)
        self.first = {}
        for name, code in PARTIES.items():
            own = [(one["serial"], "desk" if terminal.endswith("desk") else "machine", f"架空 {terminal}")
                   for terminal, one in gateway.terminals.items() if one["organization"] == code]
            desk = gateway.at_desk("desk" if name == "city" else f"{name}-desk")
            self.first[name] = persons.open_body(self.chairs[0], desk, code, f"{name} 000-000-0000", own)
            persons.appoint(self.first[name], "o1", "試験 担当", ROLES)
        city = self.first["city"]
        for number, role in enumerate(ROLES):
            persons.appoint(city, f"r{number}", f"架空 {role}", [role])
        for officer, name, roles in [("o2", "二人目 担当", ["supervisor"]), ("s1", "統括 一", ["supervisor"]),
                                     ("s2", "統括 二", ["supervisor"]), ("d1", "窓口 担当", ["caseworker"]),
                                     ("gone", "退職 担当", ["viewer"])]:
            persons.appoint(city, officer, name, roles)
        self.s1, self.s2, self.d1 = (persons.seat(city, officer) for officer in ("s1", "s2", "d1"))
        self.night = persons.seat(self.first["far-center"], "o1")
        self.do("city", "POST", f"/v1/staff/{PARTIES['city']}/gone/revoke", officer="o1")
        old = self.gateway.terminals["city-old"]["serial"]
        self.do("operator", "POST", f"/v1/terminals/{old}/revoke", officer="op1")
        self.do("operator", "POST", f"/v1/organizations/{PARTIES['far-city']}/suspend", officer="op1")

    def sign_in(self):
        """Everybody at a desk, for a day."""
        for person in (*self.chairs, *self.first["city"], self.s1, self.s2, self.d1, self.night):
            person.sign_in()

    def beginning(self):
        """Long ago: bodies and their people, and what is due for disposal today."""
        self.connect()
        for who in ("disposed", "disposal_asked"):
            self.register(who)
            self.do("city", "POST", self.path(who, "/close"), If_Match='"1"')

    def first_day(self):
        """What is left to the clock, and what is disposed of: its keys may be destroyed days after."""
        self.sign_in()
        disposal = self.s1.post("/v1/disposals", {"records": [self.records["disposed"]]})["disposal"]
        self.s2.post(f"/v1/disposals/{disposal}/approval")
        administrator, manager = self.first["city"]
        # A request that nobody confirms.
        manager.post("/v1/staff", {"id": "never", "name": "架空 未決", "roles": ["viewer"]})
        self.register("expired")
        self.offer("expired")
        self.register("overdue")
        transfer = self.offer("overdue", urgent=True)
        self.do("other-city", "POST", f"{transfer}/confirm")
        self.do("other-city", "POST", f"{transfer}/take-over")
        self.register("closed")
        self.do("city", "POST", self.path("closed", "/close"), If_Match='"1"')
        self.records["main"] = self.d1.send("POST", "/v1/records", record("main"), self.d1.headers() | {
            "Content-Type": "application/json"})["record"]
        # Whoever registered it is called otherwise since then.
        administrator.confirm(manager.put("/v1/staff", {"id": "d1", "name": "改姓 担当", "roles": ["caseworker"]}))

    def rotate_keys(self):
        """A new master key, and every record wrapped anew with it."""
        self.gateway.run("keys", "rotate", "--config", self.gateway.config)
        self.do("operator", "POST", "/v1/keys/rewraps", officer="op1")
        for _ in range(PATIENCE * 10):
            if self.do("operator", "GET", "/v1/keys", officer="op1")["rewrap"].get("finished_at"):
                return
            time.sleep(0.1)
        raise SystemExit("the keys are not wrapped anew")

    def last_day(self):
        self.sign_in()
        self.versions_and_files()
        self.transfer_steps()
        self.shields_and_inquiries()
        self.missing_children()
        self.oversight()
        self.disposals()
        self.others()

    def versions_and_files(self):
        policies = ["家庭訪問を週2回行う", "一時保護を検討する", "在宅で見守る"]
        for version, policy in enumerate(policies, start=1):
            body = record("main", support={"policy": policy})
            self.do("city", "PUT", self.path("main"), body, Content_Type="application/json", If_Match=f'"{version}"')
        for media_type, content in FILES.items():
            kind = "injury_photo" if media_type == "image/png" else "other"
            attached = self.do("city", "POST", self.path("main", "/attachments"), content, Content_Type=media_type,
                               Tsunagi_Attachment_Kind=kind)
            path = self.path("main", f"/attachments/{attached['attachment']}")
            self.files.append({"terminal": "city", "officer": "o1", "path": path,
                               "sha256": hashlib.sha256(content).hexdigest()})
        for who, by, municipality in [("of_center", "center", PARTIES["city"]),
                                      ("of_other_city", "other-city", PARTIES["other-city"]),
                                      ("of_far_center", "far-center", PARTIES["far-city"])]:
            self.register(who, by, municipality)
        lines = [record("batch_1"), '{ "index": 1 }', record("batch_2")]
        self.batch = self.do("city", "POST", "/v1/batches", "\n".join(line.replace("\n", " ") for line in lines),
                             Content_Type="application/x-ndjson")["batch"]
        told = self.do("city", "GET", f"/v1/batches/{self.batch}")["lines"]
        self.records["batch_1"], self.records["batch_2"] = (told[at]["record"] for at in (0, 2))

    def transfer_steps(self):
        self.register("requested")
        asked = self.do("other-city", "POST", "/v1/transfers/requests", {
            "record": self.records["requested"], "reason": "当市に届出なく転入した",
        })
        self.transfers["requested"] = asked["transfer"]
        ends = {
            "offered": [], "confirmed": [("other-city", "confirm")], "rejected": [("other-city", "reject")],
            "withdrawn": [("other-city", "confirm"), ("city", "withdraw")],
            "taken_over": [("other-city", "confirm"), ("other-city", "take-over"), ("other-city", "safety-check")],
        }
        for state, steps in ends.items():
            self.register(state)
            has_photos = state == "taken_over"
            if has_photos:
                self.do("city", "POST", self.path(state, "/attachments"), FILES["image/png"], Content_Type="image/png",
                        Tsunagi_Attachment_Kind="injury_photo")
            transfer = self.offer(state, urgent=has_photos, photos=has_photos)
            for by, step in steps:
                reason = {"reason": "別の児童だった"} if step in ("reject", "withdraw") else None
                self.do(by, "POST", f"{transfer}/{step}", reason)

    def shields_and_inquiries(self):
        for who in ("shielded", "lift_asked", "lifted"):
            self.register(who)
            self.do("city", "PUT", self.path(who, "/shield"), {
                "kind": "1", "since": "R8.4.1", "named": [], "note": "架空の支援措置",
            })
        named = {"named": [PARTIES["center"]]}
        self.s2.confirm(self.s1.post(self.path("shielded", "/shield/naming-requests"), named))
        for who in ("lift_asked", "lifted"):
            self.s1.post(self.path(who, "/shield/lift-requests"))
        self.s2.post(self.path("lifted", "/shield/lift-approvals"))
        asked = {who: self.do("far-center", "POST", self.path(who, "/inquiries"), {"text": "当所に来所した児童か"})
                 for who in ("shielded", "main")}
        self.inquiries = [asked[who]["inquiry"] for who in ("shielded", "main")]
        self.do("city", "POST", f"/v1/inquiries/{self.inquiries[0]}/answer", {"text": "折り返し連絡する"})

    def missing_children(self):
        def content(who, status):
            child, kana, guardian, _, _, sex, born = PEOPLE[who]
            return {"status": status, "circumstances": "紺色の上着。夕方から所在不明。", "contact": "当直 000-000-0000", "child": {
                "name": child, "kana": kana, "sex": sex, "birth_date": born, "guardians": [guardian],
            }}
        for name, who, status in [("updated", "of_center", "actual"), ("cancelled", "of_center", "exercise")]:
            self.notices[name] = self.do("center", "POST", "/v1/missing-notices", content(who, status))["notice"]
        updated, cancelled = (f"/v1/missing-notices/{self.notices[name]}" for name in ("updated", "cancelled"))
        self.do("center", "PUT", updated, content("of_center", "actual"), If_Match='"1"')
        self.do("far-center", "POST", f"{updated}/answers", {"answer": "sighted", "details": "駅前で見かけた"})
        self.do("other-center", "POST", f"{updated}/answers", {"answer": "not_here"})
        self.do("center", "POST", f"{cancelled}/cancel", If_Match='"1"')
        self.notices["open"] = self.do("other-center", "POST", "/v1/missing-notices",
                                          content("of_far_center", "actual"))["notice"]

    def oversight(self):
        self.register("serious")
        self.do("city", "POST", self.path("serious", "/serious"), {"note": "重大な被害があった"})
        review = f"/v1/serious-cases/{self.records['serious']}/reviews"
        self.do("ministry", "POST", review, {"note": "引き継ぎの遅れを検証した"})
        self.do("center", "PUT", "/v1/staffing-reports/2026", {
            "child_welfare_officers": 31, "supervising_officers": 5, "psychologists": 12, "doctors": 2,
            "public_health_nurses": 3, "lawyers": 1, "shelter_staff": 20,
        })
        self.register("glass")
        reason = {"reason": "夜間に負傷した児童を保護した"}
        self.glasses = [self.night.post(self.path("glass", "/break-glass"), reason)["break_glass"] for _ in range(2)]
        # Asked for by machine, it waits.
        self.do("far-center", "POST", self.path("serious", "/break-glass"), reason)
        self.do("city", "POST", f"/v1/break-glass/{self.glasses[0]}/review")

    def disposals(self):
        def ask(who):
            return self.do("city", "POST", "/v1/disposals", {"records": [self.records[who]]})["disposal"]
        self.do("city-2", "POST", f"/v1/disposals/{ask('disposal_asked')}/withdrawal", officer="o2")
        ask("disposal_asked")

    def others(self):
        self.do("other-city", "PUT", "/v1/settings", {"hide": {"counterpart": ["support"]}}, "o1")
        self.do("city", "PUT", "/v1/retention", {"rules": {"in_need_of_support": {"years": 10, "age": 20}}})
        # A request whose answer was lost will come again under its key.
        self.repeated = {"terminal": "other-city", "officer": "o1", "path": "/v1/records", "key": str(uuid.uuid4()),
                         "body": record("of_other_city", PARTIES["other-city"], support={"policy": "同じ家庭の二人目"})}
        answer = self.do("other-city", "POST", "/v1/records", self.repeated["body"], Content_Type="application/json",
                         Idempotency_Key=self.repeated["key"])
        self.repeated["record"] = answer["record"]
        self.people()
        self.do("city", "POST", "/v1/inbox/acknowledgements", {"position": 3})
        # A lock that somebody gave back, one that was taken over, one that is held.
        self.do("city", "PUT", self.path("main", "/edit-lock"))
        self.do("city", "DELETE", self.path("main", "/edit-lock"))
        self.register("locked")
        self.do("city", "PUT", self.path("locked", "/edit-lock"))
        self.do("city-2", "POST", self.path("locked", "/edit-lock/take-over"), {"reason": "至急の更新"}, "o2")

    def people(self):
        """What is asked for, approved, withdrawn and issued; wrong tries; and who is signed in when the store is kept."""
        administrator, manager = self.first["city"]
        self.do("city", "PUT", "/v1/sign-in-policy", {"password_days": 365})
        waits = self.do("city", "POST", "/v1/staff", {"id": "w1", "name": "架空 申請", "roles": ["viewer"]})
        self.do("city", "POST", f"/v1/waiting-acts/{waits['waiting_act']}/withdrawal")
        self.do("city", "POST", "/v1/staff", {"id": "w2", "name": "架空 申請", "roles": ["viewer"]})
        administrator.confirm(manager.post("/v1/credentials/r0/reissues"))
        self.chairs[1].confirm(self.chairs[0].post("/v1/keys/retirement-requests"))
        for _ in range(6):
            wrong = {"officer": "r1", "password": "not the right one at all"}
            answer = self.gateway.try_at("desk", "POST", "/v1/sessions", wrong)
            if answer.status not in (401, 429):
                raise SystemExit(f"wrong passwords: {answer.status} {answer.text}")

        def kept(person):
            sign_in = {"officer": person.officer, "password": persons.password_of(person.officer)}
            return {"sign_in": sign_in, "token": person.token, "secret": person.secret}
        self.desk, self.second = kept(self.d1), kept(self.s2)

    def look_around(self):
        """What leaves a mark at the first look: delivered, read. Then searches: a hit for each way of writing, a child
        whom an outside city does not find, one who was disposed of, and nobody.
        """
        for terminal in PARTIES:
            if terminal != "far-city":
                self.do(terminal, "GET", "/v1/inbox")
        for notice in self.notices.values():
            self.do("far-center", "GET", f"/v1/missing-notices/{notice}")
        criteria = [("other-center", {"child_name": "高橋"}), ("other-center", {"guardian_name": "渡辺誠"}),
                    ("far-center", {"child_name": "コンドウミサキ"}), ("other-city", {"child_name": "コンドウミサキ"}),
                    ("other-city", {"child_name": "はせがわ"}), ("center", {"child_name": "石川結菜"}),
                    ("center", {"child_name": "存在しない"}), ("far-center", {"child_name": "いけだ"})]
        self.searches = []
        for terminal, wanted in criteria:
            body = {"purpose": "new_report", "case_reference": "R8-1", "near_misses": "never"} | wanted
            found = self.do(terminal, "POST", "/v1/searches", body)["children"]
            self.searches.append({"terminal": terminal, "officer": "o1", "body": body, "children": found})

    def questions(self):
        """Who asks for what: terminal, officer, path. Lists that a reader's own look makes longer stay below a page."""
        yield from self._about_records()
        yield from self._between_bodies()
        for terminal in ("city", "center", "other-city", "far-center", "ministry"):
            yield terminal, "o1", "/v1/inbox"
            yield terminal, "admin", "/v1/staff"
            yield terminal, "admin", "/v1/terminals"
        yield "city", "o1", f"/v1/disclosures?record={self.records['main']}"
        for terminal in ("other-city", "center", "far-center"):
            yield terminal, "o1", "/v1/disclosures?of=by_us"
        for path in ("retention", "disposals", "disposals/due", "session", "waiting-acts"):
            yield "city", "o1", f"/v1/{path}"
        yield "operator", "op1", "/v1/waiting-acts"
        yield "operator", "op1", "/v1/organizations"
        yield "operator", "op1", "/v1/keys"

    def _about_records(self):
        for who in self.records:
            yield "city", "o1", self.path(who)
        for who in ("main", "shielded", "lifted", "of_center"):
            yield "center", "o1", self.path(who)
        for who in ("glass", "shielded", "of_far_center"):
            yield "far-center", "o1", self.path(who)
        for who in ("offered", "confirmed", "taken_over", "overdue", "of_other_city", "main"):
            yield "other-city", "o1", self.path(who)
        for who in ("serious", "main"):
            yield "ministry", "o1", self.path(who)
        for terminal, who in [("city", "main"), ("other-city", "taken_over"), ("other-city", "of_other_city")]:
            yield terminal, "o1", self.path(who, "/history")
        for version in range(1, 5):
            yield "city", "o1", self.path("main", f"/versions/{version}")
        yield "city", "o1", self.path("locked", "/edit-lock")
        yield "city", "o1", "/v1/records"
        yield "city", "o1", f"/v1/batches/{self.batch}"

    def _between_bodies(self):
        for terminal in ("city", "other-city"):
            yield terminal, "o1", "/v1/transfers"
            for transfer in self.transfers.values():
                yield terminal, "o1", f"/v1/transfers/{transfer}"
        for name, notice in self.notices.items():
            yield "other-center" if name == "open" else "center", "o1", f"/v1/missing-notices/{notice}/centers"
            yield "far-center", "o1", f"/v1/missing-notices/{notice}"
        for glass in self.glasses:
            yield "city", "o1", f"/v1/break-glass/{glass}"
        for inquiry in self.inquiries:
            yield "city", "o1", f"/v1/inquiries/{inquiry}"
            yield "far-center", "o1", f"/v1/inquiries/{inquiry}"
        notes = f"/v1/serious-cases/{self.records['serious']}/notes"
        for terminal, path in [("ministry", "/v1/serious-cases"), ("ministry", notes), ("city", notes),
                               ("ministry", "/v1/staffing-reports/2026")]:
            yield terminal, "o1", path
