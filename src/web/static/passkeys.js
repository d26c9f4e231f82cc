// Asks an authenticator for a passkey, by what stands in the page, and sends its answer with the form. Loaded by the pages
// that have such a button; nothing else of the gateway needs a script.
"use strict";

const bytesOf = (text) => {
  const base64 = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
};

const textOf = (buffer) => {
  const letters = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
};

const withIds = (list) => (list ?? []).map((key) => ({ ...key, id: bytesOf(key.id) }));

function optionsOf(text) {
  const options = JSON.parse(text);
  options.challenge = bytesOf(options.challenge);
  if (options.user) options.user.id = bytesOf(options.user.id);
  if (options.excludeCredentials) options.excludeCredentials = withIds(options.excludeCredentials);
  if (options.allowCredentials) options.allowCredentials = withIds(options.allowCredentials);
  return options;
}

function answerOf(credential) {
  const response = { clientDataJSON: textOf(credential.response.clientDataJSON) };
  for (const part of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[part]) response[part] = textOf(credential.response[part]);
  }
  const { id, type } = credential;
  return JSON.stringify({ id, rawId: textOf(credential.rawId), type, response, extensions: {} });
}

async function ask(place, button) {
  const form = button.form;
  const failed = form.querySelector("[data-passkey-failed]");
  failed.hidden = true;
  button.disabled = true;
  try {
    const publicKey = optionsOf(place.dataset.options);
    const credential = await navigator.credentials[place.dataset.passkey]({ publicKey });
    form.elements[place.dataset.answer].value = answerOf(credential);
    form.submit();
  } catch {
    failed.hidden = false;
    button.disabled = false;
  }
}

if (window.PublicKeyCredential) {
  for (const place of document.querySelectorAll("[data-passkey]")) {
    const form = place.closest("form");
    for (const button of form.querySelectorAll("[data-passkey-button]")) {
      button.hidden = false;
      button.addEventListener("click", () => ask(place, button));
    }
    for (const part of form.querySelectorAll("[data-passkey-part]")) part.hidden = false;
  }
}
