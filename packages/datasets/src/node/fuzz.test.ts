/**
 * Every reader on damaged files: a CertError or a result that is right in its form, soon and in little memory. `npm run fuzz` tries 10,000
 * files a reader; FUZZ_SEED begins another sequence.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { CertError, sizeOf } from '@cert/core';
import sharp from 'sharp';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mutateBytes } from '../../../../fuzz/mutate-bytes.js';
import { CASES, survives } from '../../../../fuzz/survives.js';
import { idxFile, zipFile } from '../../test/files.js';
import { checkSplit, parseIdx, parseIdxSplit } from '../index.js';
import { cifar10Dataset, readCifar10, SOURCE } from './cifar10.js';
import { decodeImages } from './decode-images.js';
import { gunzipIdx } from './index.js';
import { zipTree } from './zip-tree.js';

/** Runs a reader on damaged copies of a file. Files are small: one that is read in full takes milliseconds, beside other tests up to seconds. */
async function survivesBytes(name: string, good: Uint8Array, read: (bytes: Uint8Array) => unknown): Promise<void> {
  await read(good);
  await survives(name, (rng) => mutateBytes(good, rng), read);
}

const elements = Array.from({ length: 5 * 4 * 3 }, (_, i) => (i * 37) % 256);
const IMAGES = idxFile([5, 4, 3], elements);
const LABELS = { name: 'labels', bytes: idxFile([5], [0, 1, 2, 1, 0]) };
const named = (bytes: Uint8Array) => ({ name: 'file', bytes });

const RECORD = 3073;
const BATCHES = [...[1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`), 'test_batch.bin'];
const batch = Buffer.alloc(RECORD, 7);

describe(`readers survive ${CASES} damaged files`, { timeout: 60_000 + 100 * CASES }, () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cert-fuzz-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const readIdx = (bytes: Uint8Array) => {
    const { shape, data } = parseIdx(gunzipIdx(named(bytes), 3), 3);
    expect(data.length).toBe(sizeOf(shape));
    checkSplit(parseIdxSplit({ images: gunzipIdx(named(bytes), 3), labels: LABELS }, 3), 'split');
  };
  it('IDX', () => survivesBytes('idx', IMAGES, readIdx));
  it('IDX in gzip', () => survivesBytes('idx.gz', gzipSync(IMAGES), readIdx));
  it('gzip of damaged IDX', () => survivesBytes('idx', IMAGES, (bytes) => readIdx(gzipSync(bytes))));

  it('CIFAR-10, binary', () =>
    survivesBytes('cifar', batch, (bytes) => {
      const files = BATCHES.map((name, i) => ({ name, bytes: i === 2 ? bytes : batch }));
      const { train, test } = cifar10Dataset(files, 1);
      checkSplit(train, 'train');
      checkSplit(test, 'test');
    }));

  describe('CIFAR-10, archive', () => {
    let tar: Buffer;
    beforeAll(async () => {
      const writing = pack();
      for (const name of BATCHES) writing.entry({ name: `cifar-10-batches-bin/${name}` }, batch);
      writing.finalize();
      tar = await buffer(writing);
    });
    const read = async (bytes: Uint8Array) => {
      await writeFile(join(folder, 'cifar-10-binary.tar.gz'), bytes);
      const { train } = await readCifar10({ folder }, SOURCE, 1);
      checkSplit(train, 'train');
    };
    it('tar in gzip', () => survivesBytes('tar.gz', gzipSync(tar), read));
    it('gzip of damaged tar', () => survivesBytes('tar', tar, (bytes) => read(gzipSync(bytes, { level: 1 }))));
  });

  it('zip', () => {
    const files = {
      'root/': new Uint8Array(),
      'root/a.txt': IMAGES,
      'root/b/c.bin': IMAGES,
      'root/b/d.txt': LABELS.bytes,
    };
    return survivesBytes('zip', zipFile(files), async (bytes) => {
      const tree = await zipTree(named(bytes), 'root/', '');
      const problems: unknown[] = [];
      for (const [path, names] of tree.folders) {
        for (const name of names.filter((entry) => !entry.endsWith('/'))) {
          await tree.read(path + name).catch((problem: unknown) => problems.push(problem));
        }
      }
      for (const problem of problems) if (!(problem instanceof CertError)) throw problem;
      if (problems.length > 0) throw problems[0];
    });
  });

  describe('images', () => {
    const picture = () =>
      sharp(Buffer.from(Array.from({ length: 16 * 12 * 3 }, (_, i) => (i * 31) % 256)), {
        raw: { width: 16, height: 12, channels: 3 },
      });
    const read = async (bytes: Uint8Array) => {
      const images = [{ name: 'image', label: 0, read: async () => bytes }];
      const { shape, pixels } = await decodeImages(images);
      expect(pixels.length).toBe(sizeOf(shape));
      expect([1, 3]).toContain(shape[2]);
    };
    it('PNG', async () => survivesBytes('png', await picture().png().toBuffer(), read));
    it('JPEG', async () => survivesBytes('jpeg', await picture().jpeg().toBuffer(), read));
  });
});
