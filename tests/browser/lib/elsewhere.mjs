// Pages of somebody else, who would have a browser send a form to the gateway.
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";

/** A page that sends a form to an address as soon as it is opened. */
function page(action, fields) {
  const quoted = (text) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${quoted(value)}">`);
  return `<!DOCTYPE html><title>Elsewhere</title><form method="post" action="${quoted(action)}">${inputs.join("")}</form>
    <script>document.forms[0].submit()</script>`;
}

async function serve(t, server, scheme, host, html) {
  server.on("request", (_, answer) => answer.setHeader("Content-Type", "text/html; charset=utf-8").end(html));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.closeAllConnections() ?? server.close());
  return `${scheme}://${host}:${server.address().port}/`;
}

/** The address of such a page on another site: another host, which has nothing of the gateway's. */
export function ofAnotherSite(t, action, fields = {}) {
  return serve(t, http.createServer(), "http", "127.0.0.1", page(action, fields));
}

/**
 * The address of such a page on the gateway's own host at another port. To a browser it is of the same site, with a
 * certificate that is right: cookies go with what it sends.
 */
export function ofAnotherPort(t, stage, action, fields = {}) {
  const { certificate, key } = stage.server;
  const server = https.createServer({ cert: readFileSync(certificate), key: readFileSync(key) });
  return serve(t, server, "https", "localhost", page(action, fields));
}
