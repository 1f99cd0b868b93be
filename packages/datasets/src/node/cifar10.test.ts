import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { pack } from 'tar-stream';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sha256 } from '../../test/files.js';
import { cifar10Dataset, readCifar10, SOURCE } from './cifar10.js';
import { cifar10 } from './index.js';

const FILES = [...[1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`), 'test_batch.bin'];
const RECORD = 3073;

/** A record in the form of the format: label, then 32 x 32 red values, green ones, blue ones. */
function record(label: number, red: number, green: number, blue: number): Uint8Array {
  const bytes = new Uint8Array(RECORD).fill(red, 1, 1025).fill(green, 1025, 2049).fill(blue, 2049);
  bytes[0] = label;
  bytes[1] = 7; // red of the first pixel
  bytes[1024 + 2] = 8; // green of the second pixel
  bytes[2048 + 33] = 9; // blue of the first pixel of the second row
  return bytes;
}

/** Files of two records each; the label of record k of file i is (2 i + k) % 10. */
const small = () =>
  FILES.map((name, i) => ({
    name,
    bytes: Buffer.concat([0, 1].map((k) => record((2 * i + k) % 10, 10 * i + k, 100 + i, 200 + k))),
  }));

describe('the binary records', () => {
  it('become images with the channels last, in the order of the files', () => {
    const { train, test, ...rest } = cifar10Dataset(small(), 2);
    expect(rest).toEqual({
      name: 'cifar10',
      range: { min: 0, max: 1 },
      classNames: ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'],
      normalize: { mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.201] },
      augment: { flip: true, crop: 2 },
    });
    expect(train).toMatchObject({ shape: [32, 32, 3], classes: 10, count: 10, scale: 1 / 255 });
    expect([...train.labels]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect([...test.labels]).toEqual([0, 1]);
    const image = train.images.subarray(3 * 3072, 4 * 3072); // record 1 of file 1
    expect([...image.subarray(0, 9)]).toEqual([7, 101, 201, 11, 8, 201, 11, 101, 201]);
    expect([...image.subarray(32 * 3, 33 * 3)]).toEqual([11, 101, 9]);
    expect([...image.subarray(-3)]).toEqual([11, 101, 201]);
    expect(train.images.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  it('must be whole', () => {
    const files = small();
    files[4] = { ...files[4]!, bytes: files[4]!.bytes.subarray(1) };
    expect(() => cifar10Dataset(files, 2)).toThrow('data_batch_5.bin should have 6146 bytes and has 6145.');
  });

  it('must have labels below ten', () => {
    const files = small();
    files[5]!.bytes[RECORD] = 10;
    expect(() => cifar10Dataset(files, 2)).toThrow('test_batch.bin: image 1 has the label 10');
  });
});

describe('cifar10', () => {
  /** An archive of two records a file. */
  let archive: Buffer;
  beforeAll(async () => {
    archive = await tar(small().map(({ name, bytes }) => [`cifar-10-batches-bin/${name}`, bytes]));
  });
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cert-cifar-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function tar(files: readonly (readonly [string, Uint8Array])[]): Promise<Buffer> {
    const writing = pack();
    writing.entry({ name: 'cifar-10-batches-bin/', type: 'directory' });
    writing.entry({ name: 'cifar-10-batches-bin/batches.meta.txt' }, 'airplane\n');
    for (const [name, bytes] of files) writing.entry({ name }, Buffer.from(bytes));
    writing.finalize();
    return gzipSync(await buffer(writing));
  }
  const put = (name: string, bytes: Uint8Array | string) => writeFile(join(folder, name), bytes);
  const read = () => readCifar10({ folder }, SOURCE, 2);

  it('reads the archive in a folder', async () => {
    await put('cifar-10-binary.tar.gz', archive);
    expect(await read()).toEqual(cifar10Dataset(small(), 2));
  });

  it.each([
    ['cut short', () => archive.subarray(0, archive.length - 100), 'it cannot be unpacked'],
    ['no gzip', () => Buffer.from('<html>Not found</html>'), 'it cannot be unpacked'],
    ['empty', () => Buffer.alloc(0), 'it cannot be unpacked'],
    ['no tar', () => gzipSync(Buffer.alloc(2000, 'x')), 'it cannot be unpacked'],
    ['a tar that is cut short', () => gzipSync(gunzipSync(archive).subarray(0, 9000)), 'it cannot be unpacked'],
    [
      'the version for Python',
      () => tar([['cifar-10-batches-py/data_batch_1', Buffer.alloc(9)]]),
      'does not contain data_batch_1.bin',
    ],
    [
      'with a short file',
      () => tar(FILES.map((name) => [name, Buffer.alloc(RECORD)])),
      'should have 6146 bytes and has 3073.',
    ],
    [
      'with a huge file beside the images',
      () => tar([['other', Buffer.alloc(100e6)]]),
      'it holds more than 1085452 bytes',
    ],
    ['with a huge file of images', () => tar([['data_batch_1.bin', Buffer.alloc(100e6)]]), 'data_batch_1.bin in '],
  ])('refuses an archive that is %s', async (_, bytes, problem) => {
    await put('cifar-10-binary.tar.gz', await bytes());
    await expect(read()).rejects.toMatchObject({ code: 'bad-file', problem: expect.stringContaining(problem) });
  });

  it('downloads the archive once', async () => {
    let asked = 0;
    const answer = async () => {
      asked++;
      return new Response(Buffer.from(archive));
    };
    const source = { ...SOURCE, files: [{ name: 'cifar-10-binary.tar.gz', sha256: sha256(archive) }] };
    for (let i = 0; i < 2; i++) {
      const dataset = await readCifar10({ cacheDir: folder, fetch: answer }, source, 2);
      expect(dataset).toEqual(cifar10Dataset(small(), 2));
    }
    expect(asked).toBe(1);
  });

  it('refuses a download with another checksum', async () => {
    const answer = async () => new Response(archive.subarray(0, 100));
    await expect(cifar10({ cacheDir: folder, fetch: answer })).rejects.toMatchObject({
      code: 'bad-file',
      problem: expect.stringContaining('c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd'),
    });
  });

  it('names the archive and the folder when there is no network', async () => {
    const answer = () => Promise.reject(new TypeError('fetch failed'));
    await expect(cifar10({ cacheDir: folder, fetch: answer })).rejects.toMatchObject({
      code: 'no-network',
      cure: expect.stringContaining(`cifar-10-binary.tar.gz into ${join(folder, 'cifar10')}`),
    });
  });

  it.each(['', 'cifar-10-batches-bin'])('reads the unpacked files (in the folder "%s")', async (inside) => {
    await mkdir(join(folder, inside), { recursive: true });
    for (const { name, bytes } of small()) await put(join(inside, name), bytes);
    expect(await read()).toEqual(cifar10Dataset(small(), 2));
    const [last] = FILES.slice(-1);
    await put(join(inside, last!), (await readFile(join(folder, inside, last!))).subarray(0, -1));
    await expect(read()).rejects.toMatchObject({ problem: expect.stringContaining('and has 6145.') });
    await rm(join(folder, inside, last!));
    await expect(read()).rejects.toMatchObject({ problem: expect.stringContaining(`${last} cannot be read`) });
  });

  it('reads the test images alone where only they are wanted', async () => {
    const { test } = cifar10Dataset(small(), 2);
    const readTest = () => readCifar10({ folder, splits: 'test' }, SOURCE, 2);
    await put('cifar-10-binary.tar.gz', archive);
    expect(await readTest()).toMatchObject({ train: { count: 0, shape: [32, 32, 3], classes: 10 }, test });
    await rm(join(folder, 'cifar-10-binary.tar.gz'));
    await put('test_batch.bin', small()[5]!.bytes);
    expect(await readTest()).toMatchObject({ train: { count: 0 }, test });
    await expect(read()).rejects.toMatchObject({ problem: expect.stringMatching(/data_batch_\d\.bin cannot be read/) });
    await rm(join(folder, 'test_batch.bin'));
    await expect(readTest()).rejects.toMatchObject({
      problem: `cifar10: ${folder} contains neither cifar-10-binary.tar.gz nor cifar-10-batches-bin nor test_batch.bin nor train nor test nor val.`,
    });
  });

  it('says what may be in the folder', async () => {
    await expect(read()).rejects.toMatchObject({
      code: 'bad-file',
      problem: expect.stringContaining('contains neither cifar-10-binary.tar.gz nor'),
    });
  });

  it('reads a folder of images with the classes of CIFAR-10', async () => {
    const names = cifar10Dataset(small(), 2).classNames!;
    const image = (size: number) =>
      sharp({ create: { width: size, height: size, channels: 3, background: '#0a141e' } })
        .png()
        .toBuffer();
    for (const split of ['train', 'test'])
      for (const name of names) {
        await mkdir(join(folder, split, name), { recursive: true });
        await put(join(split, name, '1.png'), await image(32));
      }
    const options = { folder, cacheDir: join(folder, 'cache') };
    const dataset = await cifar10(options);
    expect(dataset).toMatchObject({ name: 'cifar10', augment: { flip: true, crop: 2 }, classNames: names });
    expect(dataset.normalize).toEqual(cifar10Dataset(small(), 2).normalize);
    expect([...dataset.train.images.subarray(0, 3)]).toEqual([10, 20, 30]);
    await rename(join(folder, 'train'), join(folder, 'elsewhere'));
    expect((await cifar10({ ...options, splits: 'test' })).test).toEqual(dataset.test);
    await rename(join(folder, 'elsewhere'), join(folder, 'train'));
    for (const split of ['train', 'test']) {
      await mkdir(join(folder, split, 'zebra'));
      await put(join(split, 'zebra', '1.png'), await image(32));
    }
    await expect(cifar10(options)).rejects.toMatchObject({ problem: expect.stringContaining('truck,zebra') });
  });
});
