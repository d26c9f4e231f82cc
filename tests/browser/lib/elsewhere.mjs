// Pages of somebody else, who would have a browser send a form to the gateway.
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";

/** A page that sends a form to an address as soon as it is opened. */
export function formTo(action, fields = {}) {
  const quoted = (text) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${quoted(value)}">`);
  const form = `<form method="post" action="${quoted(action)}">${inputs.join("")}</form>`;
  return `<!DOCTYPE html><title>Elsewhere</title>${form}<script>document.forms[0].submit()</script>`;
}

async function serve(t, server, scheme, host, html) {
  server.on("request", (_, answer) => answer.setHeader("Content-Type", "text/html; charset=utf-8").end(html));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `${scheme}://${host}:${server.address().port}/`;
}

/** The address of a page on another site: another host, which has nothing of the gateway's. */
export function ofAnotherSite(t, html) {
  return serve(t, http.createServer(), "http", "127.0.0.1", html);
}

/**
 * The address of a page on the gateway's own host at another port. To a browser it is of the same site, with a
 * certificate that is right: cookies go with what it sends.
 */
export function ofAnotherPort(t, stage, html) {
  const { certificate, key } = stage.server;
  const server = https.createServer({ cert: readFileSync(certificate), key: readFileSync(key) });
  return serve(t, server, "https", "localhost", html);
}
