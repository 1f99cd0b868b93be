/** Bytes: base64, SHA-256, UTF-8 and float32, by the means of the platform. */
import { type Read, text } from './json.js';
import { demand, within } from './refused.js';

export type Bytes = Uint8Array<ArrayBuffer>;

/** The SHA-256 in lower-case hexadecimal. */
export async function sha256(bytes: Bytes): Promise<string> {
  const digest = new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Base64 without spaces, with its padding. */
export const base64: Read<Bytes> = (json, where) => {
  const encoded = text(json, where);
  demand(encoded.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(encoded), `${where} is not base64`);
  return Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0));
};

/** Little-endian float32 numbers, all finite. */
export function floatsOf(bytes: Bytes, where: string): Float32Array<ArrayBuffer> {
  demand(bytes.length % 4 === 0, `${where} has ${bytes.length} bytes, which are no float32 numbers`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const floats = Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
  demand(floats.every(Number.isFinite), `${where} has a number that is not finite`);
  return floats;
}

/** Text of bytes that are valid UTF-8. */
export const decodeUtf8 = (bytes: Bytes, where: string): string =>
  within(`${where} is not UTF-8`, () => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
