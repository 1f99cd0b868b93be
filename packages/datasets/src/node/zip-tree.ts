import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { CertError } from '@cert/core';
import { type Entry, fromBufferPromise } from 'yauzl';
import type { NamedBytes } from '../idx.js';
import type { FileTree } from './file-tree.js';

/** The largest file that is read out of an archive: photographs and lists are far smaller, and up to 16 are read at a time. */
const LARGEST = 1 << 24;

/**
 * The files below a folder of a zip archive. What is read is checked against its size and its CRC-32.
 *
 * @param root the folder, with '/' at its end; what is beside it is left out
 * @param stamp differs when the archive does
 * @throws CertError `bad-file` for an archive that is cut short, damaged or something else, and when a file is read that is
 * damaged or has more than 16 MiB
 */
export async function zipTree({ name, bytes }: NamedBytes, root: string, stamp: string): Promise<FileTree> {
  const entries = new Map<string, Entry>();
  const folders = new Map<string, Set<string>>([['', new Set()]]);
  const add = (path: string): void => {
    const slash = path.lastIndexOf('/', path.length - 2) + 1;
    const folder = path.slice(0, slash);
    const names = folders.get(folder);
    if (names === undefined) {
      folders.set(folder, new Set([path.slice(slash)]));
      add(folder);
    } else names.add(path.slice(slash));
  };
  const damaged = (problem: unknown, cause: unknown = problem) =>
    new CertError(
      'bad-file',
      `${name} is damaged: ${problem instanceof Error ? problem.message : problem}.`,
      'Download or copy the file again.',
      { cause },
    );
  try {
    const zip = await fromBufferPromise(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), {
      autoClose: false,
    });
    for await (const entry of zip.eachEntry()) {
      if (!entry.fileName.startsWith(root) || entry.fileName === root) continue;
      const path = entry.fileName.slice(root.length);
      if (!path.endsWith('/')) entries.set(path, entry);
      add(path);
    }
    const read = async (path: string): Promise<Uint8Array> => {
      const entry = entries.get(path);
      if (entry === undefined)
        throw new CertError('bad-file', `${name} does not contain ${root}${path}.`, 'Download the file again.');
      const { uncompressedSize: size } = entry;
      if (size > LARGEST) throw damaged(`${root}${path} has ${size} bytes; the limit is ${LARGEST}`);
      // yauzl ends the stream with an error when there are more bytes than the entry says, or fewer.
      const content = await zip
        .openReadStreamPromise(entry)
        .then(buffer)
        .catch((cause: unknown) => {
          throw damaged(
            `${root}${path} cannot be decompressed (${cause instanceof Error ? cause.message : cause})`,
            cause,
          );
        });
      if (crc32(content) === entry.crc32) return content;
      throw damaged(`${root}${path} has a wrong checksum`);
    };
    const sorted = [...folders].map(([folder, names]) => [folder, [...names].sort()] as const);
    return { name: `${name}/${root.slice(0, -1)}`, folders: new Map(sorted), stamp, read };
  } catch (cause) {
    throw damaged(cause);
  }
}
