import { readFile } from './file.js';

/**
 * Returns the constants of an ONNX file as bytes.
 *
 * @param bytes the file, decompressed
 * @returns by name: little-endian float32, or int64 for whole numbers
 * @throws CertError `bad-file` for bytes that are not an ONNX file
 */
export function onnxInitializers(bytes: Uint8Array): { readonly [name: string]: Uint8Array } {
  return Object.fromEntries(
    readFile(bytes).initializers.map(({ name, type, data }) => {
      const view = new DataView(new ArrayBuffer(data.length * (type === 'integer' ? 8 : 4)));
      data.forEach((value, i) => {
        if (type === 'integer') view.setBigInt64(8 * i, BigInt(value), true);
        else view.setFloat32(4 * i, value, true);
      });
      return [name, new Uint8Array(view.buffer)];
    }),
  );
}
