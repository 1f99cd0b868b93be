import { CertError } from '@cert/core';

/**
 * Makes a folder and those that it lies in, where they are missing. Needs Node.
 *
 * @throws CertError `bad-file` when it cannot be made
 */
export async function makeFolder(folder: string): Promise<void> {
  const { mkdir } = await import('node:fs/promises');
  try {
    await mkdir(folder, { recursive: true });
  } catch (cause) {
    throw new CertError(
      'bad-file',
      `The folder ${folder} cannot be made: ${cause instanceof Error ? cause.message : cause}.`,
      'Choose a place in a folder that may be written to, with --out.',
      { cause },
    );
  }
}
