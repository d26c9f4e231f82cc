// Codes of a device by time (TOTP, RFC 6238: SHA-1, six digits, 30 seconds), worked out apart from the gateway.
import { createHmac } from "node:crypto";

export const STEP_SECONDS = 30;

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The bytes of a secret as a device takes it in (base32 without padding). */
function bytesOf(secret) {
  let bits = 0;
  let held = 0;
  const bytes = [];
  for (const letter of secret) {
    const value = LETTERS.indexOf(letter);
    if (value < 0) throw new Error(`${letter} is not of base32`);
    held = ((held << 5) | value) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((held >> bits) & 0xff);
    }
  }
  return Buffer.from(bytes);
}

/** The code of a time step. */
export function codeOf(secret, step) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const digest = createHmac("sha1", bytesOf(secret)).update(counter).digest();
  const at = digest[digest.length - 1] & 0x0f;
  return String((digest.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}
