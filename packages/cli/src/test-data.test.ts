/** Evaluations where only the test images are there. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { runFiles } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { cert, train } from '../test/cert.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-test-data-'));
  // Decoded images are kept there.
  vi.stubEnv('XDG_CACHE_HOME', join(place, 'cache'));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(place, { recursive: true, force: true });
});

const SIZE = 8;
const IMAGES = 20;

/** Bytes of an image: the class decides which half is bright. */
const pixelsOf = (i: number) =>
  Uint8Array.from({ length: SIZE * SIZE }, (_, p) => ((p < 32 ? i : i + 1) % 2) * 150 + i);

/** An IDX file of bytes. */
function idx(shape: readonly number[], elements: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt32BE(0x0800 + shape.length);
  for (const [axis, n] of shape.entries()) header.writeUInt32BE(n, 4 + 4 * axis);
  return Buffer.concat([header, elements]);
}

/** A grey PNG file. */
function png(pixels: Uint8Array): Buffer {
  const chunk = (type: string, data: Uint8Array) => {
    const [body, ends] = [Buffer.concat([Buffer.from(type), data]), Buffer.alloc(8)];
    ends.writeUInt32BE(data.length);
    ends.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(SIZE);
  head.writeUInt32BE(SIZE, 4);
  head.writeUInt8(8, 8);
  const rows = Array.from({ length: SIZE }, (_, y) => [0, ...pixels.subarray(y * SIZE, (y + 1) * SIZE)]).flat();
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  return Buffer.concat([
    signature,
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(Uint8Array.from(rows))),
    chunk('IEND', new Uint8Array()),
  ]);
}

async function writeIdx(folder: string): Promise<void> {
  await mkdir(folder);
  const images = Buffer.concat(Array.from({ length: IMAGES }, (_, i) => pixelsOf(i)));
  const labels = Uint8Array.from({ length: IMAGES }, (_, i) => i % 2);
  for (const name of ['train', 't10k']) {
    await writeFile(join(folder, `${name}-images-idx3-ubyte`), idx([IMAGES, SIZE, SIZE], images));
    await writeFile(join(folder, `${name}-labels-idx1-ubyte`), idx([IMAGES], labels));
  }
}

async function writeImages(folder: string): Promise<void> {
  for (const split of ['train', 'test']) {
    for (let i = 0; i < IMAGES; i++) {
      const file = join(folder, split, `class${i % 2}`, `${String(i).padStart(2, '0')}.png`);
      await mkdir(join(file, '..'), { recursive: true });
      await writeFile(file, png(pixelsOf(i)));
    }
  }
}

it.each([
  ['mnist', writeIdx, ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte']],
  ['fashion-mnist', writeIdx, ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte']],
  ['image-folder', writeImages, ['train']],
])(
  'cert eval needs no training files of %s, and no training image for --normalize data',
  async (dataset, write, training) => {
    const [data, run] = [join(place, dataset), join(place, `run-${dataset}`)];
    await write(data);
    expect(
      await train(run, '--dataset', dataset, '--data', data, '--epsilon', '0.1', '--normalize', 'data'),
    ).toMatchObject({ status: 0 });
    const evaluate = async (...args: string[]) => {
      const out = join(place, `${dataset}.jsonl`);
      const options = ['--methods', 'ibp', '--attack-restarts', '0', '--out', out, '--overwrite', ...args];
      expect(await cert('eval', run, ...options)).toMatchObject({ status: 0, err: '' });
      return readFile(out, 'utf8');
    };
    const before = await evaluate();
    expect(before.trimEnd().split('\n')).toHaveLength(1 + IMAGES);
    for (const name of training) await rm(join(data, name), { recursive: true });
    expect(await evaluate()).toBe(before);
    expect((await evaluate('--limit', '3')).trimEnd().split('\n')).toHaveLength(1 + 3);
    expect(await cert('train', '--resume', run)).toMatchObject({ status: 1, err: expect.stringContaining('train') });
    expect(JSON.parse(await readFile(runFiles(run).config, 'utf8'))).toMatchObject({ dataset, normalize: 'data' });
  },
);
