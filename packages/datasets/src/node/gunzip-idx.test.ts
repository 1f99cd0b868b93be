import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { idxFile } from '../../test/files.js';
import { parseIdx } from '../index.js';
import { gunzipIdx } from './index.js';

const IMAGES = idxFile([3, 2, 2], [0, 255, 51, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
const named = (bytes: Uint8Array) => ({ name: 'images', bytes });
const read = (bytes: Uint8Array) => parseIdx(gunzipIdx(named(bytes), 3), 3);

describe('gunzipIdx', () => {
  it('decompresses a compressed file and returns any other as it is', () => {
    const file = named(IMAGES);
    expect(gunzipIdx(file, 3)).toBe(file);
    const { shape, data } = read(gzipSync(IMAGES));
    expect([shape, [...data]]).toEqual([[3, 2, 2], [...IMAGES.subarray(16)]]);
  });

  it('refuses damaged gzip', () => {
    const zipped = gzipSync(IMAGES);
    const cut = [zipped.subarray(0, -6), Buffer.concat([zipped.subarray(0, 12), zipped.subarray(14)])];
    for (const bytes of cut) {
      expect(() => read(bytes)).toThrow(
        expect.objectContaining({
          code: 'bad-file',
          problem: expect.stringContaining('images is damaged: it cannot be decompressed'),
        }),
      );
    }
  });

  it('decompresses no more than the header says', () => {
    const bomb = gzipSync(Buffer.concat([IMAGES, Buffer.alloc(200e6)]));
    const before = process.resourceUsage().maxRSS;
    expect(() => read(bomb)).toThrow('images should have 28 bytes (uncompressed) and has more.');
    // maxRSS is in KiB. The beginning makes 64 MiB at most.
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(150e3);
  });

  it('refuses a header that says more than the file can hold, without decompressing', () => {
    const file = gzipSync(idxFile([0xffffffff, 0xffffffff, 2], [1]));
    expect(() => read(file)).toThrow(/images should have \d+ bytes \(uncompressed\) and has at most/);
  });

  it('refuses a header that honestly says more than is asked for, without decompressing', () => {
    const header = idxFile([200_000, 28, 28], []);
    const file = named(gzipSync(Buffer.concat([header, Buffer.alloc(200_000 * 28 * 28)])));
    const before = process.resourceUsage().maxRSS;
    expect(() => gunzipIdx(file, 3, { maxBytes: 47_040_016 })).toThrow(
      expect.objectContaining({
        code: 'bad-file',
        problem:
          'images contains an array of shape [200000,28,28], 156800016 bytes uncompressed; the limit is 47040016 bytes.',
        cure: expect.stringContaining('maxBytes'),
      }),
    );
    // maxRSS is in KiB. The beginning makes 64 MiB at most.
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(100e3);
    expect(gunzipIdx(named(gzipSync(IMAGES)), 3, { maxBytes: 28 }).bytes.length).toBe(28);
    expect(() => gunzipIdx(named(gzipSync(IMAGES)), 3, { maxBytes: 27 })).toThrow('the limit is 27 bytes');
  });

  it('has a limit where none is given', () => {
    // A file of 4 MiB, of which the header alone is looked at.
    const file = named(Buffer.concat([gzipSync(idxFile([2 ** 20, 32, 33], [])), Buffer.alloc(2 ** 22)]));
    expect(() => gunzipIdx(file, 3)).toThrow('the limit is 1073741824 bytes');
  });

  it('leaves the wrong format to parseIdx', () => {
    expect(() => read(gzipSync(idxFile([20], Array(20).fill(1))))).toThrow('starts with 0x00000801');
    expect(() => read(gzipSync(IMAGES.subarray(0, 9)))).toThrow('should have at least 16 bytes');
    expect(() => read(gzipSync(Buffer.alloc(0)))).toThrow('should have at least 16 bytes');
  });
});
