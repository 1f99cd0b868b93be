import { readFile } from 'node:fs/promises';
import { CertError, type Shape } from '@cert/core';
import { decodeImages } from './decode-images.js';

/**
 * Reads one image file (PNG, JPEG or another format of the package sharp) like {@link imageFolder}: 16 bits become 8. Images are not
 * resized. Transparent pixels are an error, because their stored color is invisible.
 *
 * @param channels 1 for grey, 3 for colour; default: as in the file
 * @returns the shape [height, width, channels] and one byte per value, row-major
 * @throws CertError `bad-file` for a file that cannot be read or decoded or has transparent pixels, `missing-package` if sharp is not installed
 */
export async function readImage(
  path: string,
  channels?: 1 | 3,
): Promise<{ readonly shape: Shape; readonly pixels: Uint8Array }> {
  // Before sharp is asked for: a wrong path is the simpler mistake.
  const bytes = await readFile(path).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : cause;
    throw new CertError('bad-file', `${path} cannot be read: ${reason}.`, 'Check the path.', { cause });
  });
  return await decodeImages([{ name: path, label: 0, read: async () => bytes }], { channels, opaque: true });
}
