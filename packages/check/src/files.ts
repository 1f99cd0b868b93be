/** Certificates that are files: paths are relative to the certificate. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { decodeUtf8 } from './bytes.js';
import { createChecker, type Verdict } from './check.js';

/**
 * Makes a function that checks a file.
 *
 * @param network a file to read in place of the one that each certificate names; undefined: the one that it names
 */
export function createFileChecker(network: string | undefined): (file: string) => Promise<Verdict> {
  // The checker keeps networks by their path, so that it gets absolute ones.
  const checkers = new Map<string, (text: string) => Promise<Verdict>>();
  return async (file) => {
    const folder = network === undefined ? dirname(resolve(file)) : '';
    const checker =
      checkers.get(folder) ??
      createChecker(async (path) => new Uint8Array(await readFile(network ?? resolve(folder, path))));
    checkers.set(folder, checker);
    try {
      return await checker(decodeUtf8(await readFile(file), 'the certificate'));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { holds: false, level: undefined, property: undefined, reason, margins: [] };
    }
  };
}
