/** The dtypes of safetensors files that are read, and what they become: float32 or int32. F32 and I32 are written. */

/** How to read one dtype. */
interface Dtype {
  /** Bytes of one number. */
  readonly width: number;
  /** The numbers, little-endian; `tooLarge` is called with one that the result cannot hold, and throws. */
  read(bytes: ArrayBuffer, tooLarge: (value: number | bigint) => never): Float32Array | Int32Array;
}

/** The float32 of a half-precision number: 1 sign bit, 5 bits of exponent, 10 of mantissa. */
function halfToFloat(bits: number): number {
  const [sign, exponent, mantissa] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 0x1f, bits & 0x3ff];
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 0x1f) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** A bfloat16 is the upper half of a float32. */
function bfloatsToFloats(halves: Uint16Array): Float32Array {
  const bits = Uint32Array.from(halves, (half) => half << 16);
  return new Float32Array(bits.buffer);
}

const small = (width: number, view: (bytes: ArrayBuffer) => ArrayLike<number>): Dtype => ({
  width,
  read: (bytes) => Int32Array.from(view(bytes)),
});

/** The dtypes by their names in a file. */
export const DTYPES = {
  F32: { width: 4, read: (bytes) => new Float32Array(bytes) },
  I32: { width: 4, read: (bytes) => new Int32Array(bytes) },
  F64: {
    width: 8,
    read: (bytes, tooLarge) =>
      Float32Array.from(new Float64Array(bytes), (value) =>
        Number.isFinite(value) && !Number.isFinite(Math.fround(value)) ? tooLarge(value) : value,
      ),
  },
  F16: { width: 2, read: (bytes) => Float32Array.from(new Uint16Array(bytes), halfToFloat) },
  BF16: { width: 2, read: (bytes) => bfloatsToFloats(new Uint16Array(bytes)) },
  I64: {
    width: 8,
    read(bytes, tooLarge) {
      const numbers = new BigInt64Array(bytes);
      const result = new Int32Array(numbers.length);
      for (const [i, value] of numbers.entries()) {
        if (BigInt.asIntN(32, value) !== value) tooLarge(value);
        result[i] = Number(value);
      }
      return result;
    },
  },
  I16: small(2, (bytes) => new Int16Array(bytes)),
  I8: small(1, (bytes) => new Int8Array(bytes)),
  U8: small(1, (bytes) => new Uint8Array(bytes)),
  BOOL: small(1, (bytes) => new Uint8Array(bytes)),
} as const satisfies { readonly [name: string]: Dtype };

/** The name of a dtype in a file. */
export type DtypeName = keyof typeof DTYPES;
