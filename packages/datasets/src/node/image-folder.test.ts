import { mkdir, mkdtemp, readdir, readFile, rm, truncate, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Dataset, subset } from '../index.js';
import { decodeImages } from './decode-images.js';
import { type ImageFolderOptions, imageFolder } from './index.js';

let place: string;
let folder: string;
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-images-'));
  folder = join(place, 'shapes');
});
afterEach(() => rm(place, { recursive: true, force: true }));

/** The pixels that image number `n` is made of. */
const pixelsOf = (n: number, channels: 1 | 3, width = 3, height = 2) =>
  Uint8Array.from({ length: width * height * channels }, (_, i) => (37 * n + 11 * i) % 256);

const encode = (n: number, channels: 1 | 3 = 3, width = 3, height = 2) =>
  sharp(pixelsOf(n, channels, width, height), { raw: { width, height, channels } }).toColourspace(
    channels === 1 ? 'b-w' : 'srgb',
  );
const png = (...args: Parameters<typeof encode>) =>
  encode(...args)
    .png()
    .toBuffer();

async function put(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), bytes);
}

/** Two classes: three and one image for training, one each for testing. */
async function putShapes(): Promise<void> {
  const paths = ['train/b/1.png', 'train/b/2.png', 'train/b/0.PNG', 'train/a/x.png', 'test/a/y.png', 'test/b/z.png'];
  for (const [n, path] of paths.entries()) await put(path, await png(n));
}

const cacheDir = () => join(place, 'cache');
const read = (options: ImageFolderOptions = {}) => imageFolder(folder, { cacheDir: cacheDir(), ...options });

/** Reads and says whether anything was decoded. */
async function decodes(options: ImageFolderOptions = {}): Promise<{ dataset: Dataset; decoded: number }> {
  let decoded = 0;
  const dataset = await read({ ...options, onProgress: (done) => (decoded = done) });
  return { dataset, decoded };
}

describe('imageFolder', () => {
  it('reads every pixel; classes in the order of names, images spread over the split', async () => {
    await putShapes();
    await put('train/b/notes.txt', Buffer.from('no image'));
    await put('train/.hidden/1.png', await png(9));
    const dataset = await read();
    expect(dataset).toMatchObject({ name: 'shapes', range: { min: 0, max: 1 }, classNames: ['a', 'b'] });
    expect(dataset.train).toMatchObject({ shape: [2, 3, 3], classes: 2, count: 4, scale: 1 / 255 });
    // 0.PNG at 1/6 of its class, x.png (the only one of a) and 1.png at 1/2, 2.png at 5/6.
    expect([...dataset.train.labels]).toEqual([1, 0, 1, 1]);
    expect([...dataset.train.images]).toEqual([2, 3, 0, 1].flatMap((n) => [...pixelsOf(n, 3)]));
    expect([...dataset.test.labels]).toEqual([0, 1]);
    expect([...dataset.test.images]).toEqual([4, 5].flatMap((n) => [...pixelsOf(n, 3)]));
    expect(dataset.normalize).toBeUndefined();
    expect(dataset.augment).toBeUndefined();
  });

  it('takes val for test, JPEG files, and what is said of normalization and augmentation', async () => {
    const flat = { create: { width: 8, height: 8, channels: 3, background: { r: 200, g: 100, b: 50 } } } as const;
    for (const path of ['train/a/1.jpg', 'train/b/1.JPEG', 'val/a/1.jpg', 'val/b/1.jpg'])
      await put(path, await sharp(flat).jpeg({ quality: 100 }).toBuffer());
    const settings = { normalize: { mean: [0.5, 0.5, 0.5], std: [1, 1, 1] }, augment: { flip: true, crop: 2 } };
    const dataset = await read(settings);
    expect(dataset).toMatchObject(settings);
    [200, 100, 50].forEach((value, i) => {
      expect(Math.abs(dataset.test.images[i]! - value)).toBeLessThanOrEqual(2);
    });
  });

  it('reads grey images with one channel, and mixtures as they are asked for', async () => {
    for (const [n, path] of ['train/a/1.png', 'train/b/1.png', 'test/a/1.png', 'test/b/1.png'].entries())
      await put(path, await png(n, 1));
    const grey = await read();
    expect(grey.train.shape).toEqual([2, 3, 1]);
    expect([...grey.test.images]).toEqual([2, 3].flatMap((n) => [...pixelsOf(n, 1)]));
    await put('test/b/1.png', await png(5, 3));
    await expect(read()).rejects.toMatchObject({
      code: 'shape-mismatch',
      problem: `${join(folder, 'test/b/1.png')} is coloured, ${join(folder, 'train/a/1.png')} is grey.`,
      cure: expect.stringContaining('channels'),
    });
    const coloured = await read({ channels: 3 });
    expect(coloured.train.shape).toEqual([2, 3, 3]);
    expect([...coloured.train.images.subarray(0, 18)]).toEqual([...pixelsOf(0, 1)].flatMap((v) => [v, v, v]));
    expect((await read({ channels: 1 })).train.shape).toEqual([2, 3, 1]);
  });

  it('names an image of another size, and resizes when it is told to', async () => {
    await putShapes();
    await put('test/b/z.png', await png(1, 3, 4, 4));
    await expect(read()).rejects.toMatchObject({
      code: 'shape-mismatch',
      problem: `${join(folder, 'test/b/z.png')} is 4 x 4 pixels, ${join(folder, 'train/b/0.PNG')} 3 x 2.`,
      // The command has no such option.
      cure: 'Resize the images to one size, or remove this one. In a program, the option size resizes them all.',
    });
    expect((await read({ size: { width: 2, height: 4 } })).test.shape).toEqual([4, 2, 3]);
  });

  it.each([
    ['cut short', (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 30)],
    ['empty', () => new Uint8Array()],
    ['no image', () => Buffer.from('Dear reader, this is a letter.')],
  ])('names a file that is %s', async (_, damage) => {
    await putShapes();
    await put('train/b/1.png', damage(await png(1)));
    await expect(read()).rejects.toMatchObject({
      code: 'bad-file',
      problem: expect.stringContaining(`${join(folder, 'train/b/1.png')} cannot be decoded: `),
    });
  });

  it('names a JPEG file that is cut short', async () => {
    await putShapes();
    const jpeg = await encode(1).jpeg().toBuffer();
    await put('train/a/x.png', jpeg.subarray(0, jpeg.length - 12));
    await expect(read()).rejects.toMatchObject({ code: 'bad-file', problem: expect.stringContaining('x.png') });
  });

  it.each([
    ['no folder at all', async () => rm(folder, { recursive: true }), 'bad-file', 'cannot be read'],
    ['no train', () => rm(join(folder, 'train'), { recursive: true }), 'bad-file', 'has no folder train.'],
    ['no test', () => rm(join(folder, 'test'), { recursive: true }), 'bad-file', 'has no folder test or val.'],
    ['one class', () => rm(join(folder, 'train/a'), { recursive: true }), 'bad-data', '1 class folders'],
    ['an empty class', () => unlink(join(folder, 'train/a/x.png')), 'bad-data', 'train/a/ contains no images.'],
    [
      'a class without test images',
      async () => put('train/c/1.png', await png(1)),
      'bad-data',
      'the class "c" is in train but not in test.',
    ],
    [
      'a class without training images',
      async () => put('test/c/1.png', await png(1)),
      'bad-data',
      'the class "c" is in test but not in train.',
    ],
  ])('refuses %s', async (_, change, code, problem) => {
    await putShapes();
    await change();
    await expect(read()).rejects.toMatchObject({ code, problem: expect.stringContaining(problem) });
  });

  it('says how to get sharp', async () => {
    const missing = () => Promise.reject(new Error("Cannot find package 'sharp'"));
    const image = { name: 'a.png', label: 0, read: () => png(0) };
    await expect(decodeImages([image], {}, missing)).rejects.toMatchObject({
      code: 'missing-package',
      cure: 'Install sharp: npm install sharp',
    });
  });
});

describe('the cache of decoded images', () => {
  beforeEach(putShapes);

  const only = async () => {
    const names = await readdir(join(cacheDir(), 'image-folder'));
    expect(names.length).toBe(1);
    return join(cacheDir(), 'image-folder', names[0]!);
  };

  it('decodes once, and gives the very same dataset again', async () => {
    const first = await decodes();
    expect(first.decoded).toBe(6);
    const second = await decodes();
    expect(second.decoded).toBe(0);
    expect(second.dataset).toEqual(first.dataset);
    expect(second.dataset.train.images.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(first.dataset.train.images.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  it('decodes again when a file changes, comes or goes, into the same file', async () => {
    await decodes();
    await put('train/a/x.png', await png(20));
    await utimes(join(folder, 'train/a/x.png'), 1, 1);
    const changed = await decodes();
    expect(changed.decoded).toBe(6);
    expect([...changed.dataset.train.images.subarray(18, 36)]).toEqual([...pixelsOf(20, 3)]);
    await put('train/a/new.png', await png(21));
    expect((await decodes()).decoded).toBe(7);
    await unlink(join(folder, 'train/a/new.png'));
    expect((await decodes()).decoded).toBe(6);
    await only();
  });

  it('decodes again for other options', async () => {
    await decodes();
    expect((await decodes({ channels: 1 })).decoded).toBe(6);
    expect((await decodes()).decoded).toBe(0);
  });

  it.each([
    ['cut short', async (path: string) => truncate(path, (await readFile(path)).length - 1)],
    ['empty', (path: string) => truncate(path, 0)],
    [
      'with a changed pixel',
      async (path: string) => {
        const bytes = await readFile(path);
        bytes[bytes.length - 3]! ^= 1;
        await writeFile(path, bytes);
      },
    ],
    [
      'with a changed head',
      async (path: string) => {
        const bytes = await readFile(path);
        bytes.write('B', bytes.indexOf('"a","b"') + 5);
        await writeFile(path, bytes);
      },
    ],
    ['of something else', (path: string) => writeFile(path, 'something else')],
  ])('decodes again when its file is damaged: %s', async (_, damage) => {
    const first = await decodes();
    await damage(await only());
    const second = await decodes();
    expect(second.decoded).toBe(6);
    expect(second.dataset).toEqual(first.dataset);
    expect((await decodes()).decoded).toBe(0);
  });

  it('says that it cannot be written', async () => {
    await writeFile(cacheDir(), 'in the way');
    await expect(read()).rejects.toMatchObject({ code: 'bad-file', cure: expect.stringContaining('cacheDir') });
  });
});

describe('the images that are wanted', () => {
  beforeEach(putShapes);

  const cachedFiles = async () => (await readdir(join(cacheDir(), 'image-folder'))).length;

  it('are those of all, and only they are decoded', async () => {
    const first = await decodes({ limit: 2 });
    expect(first.decoded).toBe(4);
    const test = await decodes({ splits: 'test' });
    expect(test.decoded).toBe(2);
    const one = await decodes({ splits: 'test', limit: 1 });
    expect(one.decoded).toBe(1);
    expect(await cachedFiles()).toBe(3);
    for (const options of [{ limit: 2 }, { splits: 'test' }, { splits: 'test', limit: 1 }] as const) {
      expect((await decodes(options)).decoded).toBe(0);
    }

    const { train, test: all } = await read();
    expect(first.dataset.train).toEqual(subset(train, 2));
    expect(first.dataset.test).toEqual(all);
    expect(test.dataset.test).toEqual(all);
    expect(test.dataset.train).toMatchObject({ shape: [2, 3, 3], classes: 2, count: 0, images: { length: 0 } });
    expect(one.dataset.test).toEqual(subset(all, 1));
  });

  it('come out of the file of all where there is one', async () => {
    const { train, test } = await read();
    const first = await decodes({ limit: 2 });
    const only = await decodes({ splits: 'test', limit: 1 });
    expect([first.decoded, only.decoded, await cachedFiles()]).toEqual([0, 0, 1]);
    expect(first.dataset.train).toEqual(subset(train, 2));
    expect(only.dataset).toMatchObject({ train: { count: 0, classes: 2 }, test: subset(test, 1) });
  });

  it('may be those of the test alone where there is no train', async () => {
    const { test } = await read();
    await rm(join(folder, 'train'), { recursive: true });
    const only = await read({ splits: 'test' });
    expect(only.test).toEqual(test);
    expect(only.classNames).toEqual(['a', 'b']);
    await expect(read()).rejects.toMatchObject({ problem: `${folder} has no folder train.` });
    await rm(join(folder, 'test'), { recursive: true });
    await expect(read({ splits: 'test' })).rejects.toMatchObject({
      ...{ code: 'bad-file', problem: `${folder} has no folder test or val.` },
      cure: 'Put the images into test/CLASS/.',
    });
  });

  it('must be of the classes of the training images where these are there', async () => {
    await put('test/c/1.png', await png(1));
    await expect(read({ splits: 'test' })).rejects.toMatchObject({ code: 'bad-data' });
  });
});
