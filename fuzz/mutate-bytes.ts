import type { Rng } from '@cert/core';

/** Numbers that readers trip over, as 32 bits. */
const EXTREMES = [0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0x00010000, 0x0000ffff];

/** A copy of bytes with one to four changes: bits, bytes and sizes replaced, ranges taken out, doubled or put in, the end cut off. */
export function mutateBytes(bytes: Uint8Array, rng: Rng): Uint8Array {
  let out = Buffer.from(bytes);
  for (let changes = 1 + rng.int(4); changes > 0 && out.length > 0; changes--) {
    // Half of the changes hit the beginning, where formats have their headers.
    const at = rng.int(rng.int(2) === 0 ? Math.min(64, out.length) : out.length);
    const end = Math.min(out.length, at + 1 + rng.int(64));
    switch (rng.int(7)) {
      case 0:
        out[at]! ^= 1 << rng.int(8);
        break;
      case 1:
        out[at] = rng.int(256);
        break;
      case 2:
        out = out.subarray(0, at);
        break;
      case 3:
        out = Buffer.concat([out.subarray(0, at), out.subarray(end)]);
        break;
      case 4:
        out = Buffer.concat([out.subarray(0, end), out.subarray(at)]);
        break;
      case 5:
        out = Buffer.concat([
          out.subarray(0, at),
          Uint8Array.from({ length: end - at }, () => rng.int(256)),
          out.subarray(at),
        ]);
        break;
      default: {
        const value = Buffer.alloc(4);
        const extreme = EXTREMES[rng.int(EXTREMES.length)]!;
        if (rng.int(2) === 0) value.writeUInt32BE(extreme);
        else value.writeUInt32LE(extreme);
        value.copy(out, at);
      }
    }
  }
  return out;
}
