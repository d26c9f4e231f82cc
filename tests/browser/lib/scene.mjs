// What has happened on a stage before its pages are looked at: something is in every list, and everything that a page
// shows is there once. Each stage has one.

const scenes = new WeakMap();

/** The ids of what has happened on a stage. */
export function scene(stage) {
  if (!scenes.has(stage)) scenes.set(stage, happen(stage));
  return scenes.get(stage);
}

const MISSING = { state: "missing", reason: "作成していない" };
const INCOMPLETE = { photos: MISSING, risk_sheet: MISSING, urgency: MISSING };

async function happen(stage) {
  /** A call by somebody at a party's desk: its reply. */
  const call = async (party, method, path, message, officer) => {
    const { status, body } = await stage.ask({ do: "call", party, officer, method, path, message });
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body)}`);
    return body;
  };
  const record = async (seed) => (await stage.ask({ do: "record", party: "city-a", seed })).record;

  const asked = await record(1);
  const { inquiry } = await call("center-far", "POST", `/v1/records/${asked}/inquiries`, { text: "来所した児童が、この記録の児童か確認したい。" }, "ito");
  const glass = await call("center-far", "POST", `/v1/records/${asked}/break-glass`, { reason: "夜間に一時保護した。貴機関に電話がつながらない。" }, "ito");
  const offered = await record(2);
  const { transfer } = await call("city-a", "POST", "/v1/transfers", { record: offered, receiver: "172014", urgent: true, message: "対面で引き継ぎます。", completeness: INCOMPLETE }, "kato");
  const serious = await record(3);
  await call("city-a", "POST", `/v1/records/${serious}/serious`, { note: "重大な被害があった。関係機関の連絡を検証したい。" }, "kato");
  await call("ministry", "POST", `/v1/serious-cases/${serious}/reviews`, { note: "連絡は期限内に行われていた。" }, "yamada");
  await call("center-a", "PUT", "/v1/staffing-reports/2026", {
    child_welfare_officers: 31, supervising_officers: 5, psychologists: 12, doctors: 2, public_health_nurses: 3, lawyers: 1, shelter_staff: 20,
  }, "ono");
  const shielded = await record(4);
  await call("city-a", "PUT", `/v1/records/${shielded}/shield`, { kind: "1", since: "R8.4.1", named: [] }, "kato");
  const { body } = await stage.ask({ do: "call", party: "city-a", officer: "sato", method: "GET", path: `/v1/records/${asked}`, purpose: "casework" });
  const child = body.items.index.shown.child.name.written;
  return { shielded, child, asked, inquiry, glass: glass.break_glass, offered, transfer, serious };
}
