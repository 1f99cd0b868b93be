import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { zipFile } from '../../test/files.js';
import { zipTree } from './zip-tree.js';

const TEXT = Buffer.from('one\ntwo\nthree\nfour\nfive\nsix\n');
const tree = (bytes: Uint8Array) => zipTree({ name: 'a.zip', bytes }, 'root/', '');
const archive = (content: Uint8Array) => zipFile({ 'root/a.txt': content, 'root/b.txt': TEXT });

/** The same archive, the first file's uncompressed size in the directory replaced. */
function claiming(bytes: Buffer, size: number): Buffer {
  bytes.writeUInt32LE(size, bytes.indexOf('PK\x01\x02') + 24);
  return bytes;
}

const refused = (problem: string) =>
  expect.objectContaining({ name: 'CertError', code: 'bad-file', problem: expect.stringContaining(problem) });

describe('zipTree', () => {
  it('reads a file', async () => {
    expect(Buffer.from(await (await tree(archive(TEXT))).read('a.txt'))).toEqual(TEXT);
  });

  it('refuses a file that cannot be decompressed, and reads the others', async () => {
    const bytes = archive(TEXT);
    const at = bytes.indexOf(deflateRawSync(TEXT));
    bytes.fill(0xff, at, at + 8);
    const { read } = await tree(bytes);
    await expect(read('a.txt')).rejects.toEqual(refused('root/a.txt cannot be decompressed'));
    expect(Buffer.from(await read('b.txt'))).toEqual(TEXT);
  });

  it('refuses a file of more than 16 MiB before it is decompressed', async () => {
    const { read } = await tree(archive(Buffer.alloc((1 << 24) + 1)));
    await expect(read('a.txt')).rejects.toEqual(refused('root/a.txt has 16777217 bytes; the limit is 16777216'));
  });

  it('stops when a file has more bytes than the archive says, or fewer', async () => {
    for (const [size, claimed] of [
      [100e6, 10],
      [10, 1000],
    ] as const) {
      const { read } = await tree(claiming(archive(Buffer.alloc(size)), claimed));
      const before = process.resourceUsage().maxRSS;
      await expect(read('a.txt')).rejects.toEqual(refused('root/a.txt cannot be decompressed'));
      expect(process.resourceUsage().maxRSS - before).toBeLessThan(50e3);
    }
  });
});
