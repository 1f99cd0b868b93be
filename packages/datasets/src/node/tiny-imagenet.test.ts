import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sha256, zipFile } from '../../test/files.js';
import { tinyImagenet } from './index.js';
import { readTinyImagenet, SOURCE, type TinyImagenetOptions } from './tiny-imagenet.js';

type Files = Record<string, Uint8Array>;

/** A JPEG file of one grey value; coloured or grey as a file. */
const jpeg = (value: number, kind: 'srgb' | 'b-w' = 'srgb', size = 64) =>
  sharp({ create: { width: size, height: size, channels: 3, background: { r: value, g: value, b: value } } })
    .toColourspace(kind)
    .jpeg({ quality: 100 })
    .toBuffer();

/** Two classes: three and two training images, three validation images. Beside them a test set without labels. */
let good: Files;
beforeAll(async () => {
  const text = (...lines: string[]) => Buffer.from(`${lines.join('\n')}\n`);
  good = {
    'wnids.txt': text('n02124075', 'n01443537'),
    'words.txt': text('n00001740\tentity', 'n01443537\tgoldfish, Carassius auratus', 'n02124075\tEgyptian cat'),
    'train/n01443537/n01443537_boxes.txt': text('n01443537_0.JPEG\t0\t10\t63\t58'),
    'train/n01443537/images/n01443537_0.JPEG': await jpeg(10),
    'train/n01443537/images/n01443537_1.JPEG': await jpeg(20, 'b-w'),
    'train/n01443537/images/n01443537_2.JPEG': await jpeg(30),
    'train/n02124075/images/n02124075_0.JPEG': await jpeg(40),
    'train/n02124075/images/n02124075_1.JPEG': await jpeg(50),
    'val/images/val_0.JPEG': await jpeg(60),
    'val/images/val_1.JPEG': await jpeg(70),
    'val/images/val_2.JPEG': await jpeg(80, 'b-w'),
    'val/val_annotations.txt': text(
      'val_0.JPEG\tn02124075\t0\t32\t44\t62',
      'val_2.JPEG\tn01443537\t1\t2\t3\t4',
      'val_1.JPEG\tn02124075\t5\t6\t7\t8',
    ),
    'test/images/test_0.JPEG': await jpeg(90),
  };
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cert-tiny-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const zip = (files: Files) =>
  zipFile({
    'tiny-imagenet-200/': new Uint8Array(),
    'tiny-imagenet-200/test/': new Uint8Array(),
    ...Object.fromEntries(Object.entries(files).map(([path, bytes]) => [`tiny-imagenet-200/${path}`, bytes])),
    '__MACOSX/tiny-imagenet-200/wnids.txt': Buffer.from('something else'),
  });
const put = async (path: string, bytes: Uint8Array) => {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), bytes);
};
const putAll = async (files: Files, inside = '') => {
  for (const [path, bytes] of Object.entries(files)) await put(join(inside, path), bytes);
};
const COUNTS = { train: 5, test: 3 };
const cacheDir = () => join(folder, 'cache');
const read = (options: TinyImagenetOptions = {}, counts = COUNTS) =>
  readTinyImagenet({ folder, cacheDir: cacheDir(), ...options }, SOURCE, counts);

/** The first value of each image, which is that of all. */
const values = (images: ArrayLike<number>) =>
  Array.from({ length: images.length / 12288 }, (_, i) => {
    const image = Array.from(images).slice(i * 12288, (i + 1) * 12288);
    return image.every((value) => value === image[0]) ? image[0] : Number.NaN;
  });

describe('tinyImagenet', () => {
  it.each([
    ['the archive', () => put('tiny-imagenet-200.zip', zip(good))],
    ['the unpacked archive', () => putAll(good, 'tiny-imagenet-200')],
    ['what is in the archive', () => putAll(good)],
  ])('reads %s', async (_, prepare) => {
    await prepare();
    const { train, test, ...rest } = await read();
    expect(rest).toEqual({
      name: 'tiny-imagenet',
      range: { min: 0, max: 1 },
      classNames: ['goldfish', 'Egyptian cat'],
      normalize: { mean: [0.4802, 0.4481, 0.3975], std: [0.2302, 0.2265, 0.2262] },
      augment: { flip: true, crop: 4 },
    });
    expect(train).toMatchObject({ shape: [64, 64, 3], classes: 2, count: 5, scale: 1 / 255 });
    // Spread over the split: at 1/6, 3/6, 5/6 of the first class, 1/4 and 3/4 of the second.
    expect([...train.labels]).toEqual([0, 1, 0, 1, 0]);
    expect(values(train.images)).toEqual([10, 40, 20, 50, 30]);
    expect([...test.labels]).toEqual([1, 0, 1]);
    expect(values(test.images)).toEqual([60, 80, 70]);
  });

  describe('the test split alone', () => {
    const testOnly = (...without: string[]) =>
      Object.fromEntries(
        Object.entries(good).filter(([path]) => !path.startsWith('train/') && !without.includes(path)),
      );
    const limit = 2;

    it.each([
      ['with the lists of classes and words', () => testOnly(), ['goldfish', 'Egyptian cat']],
      ['without the list of words', () => testOnly('words.txt'), ['n01443537', 'n02124075']],
      ['without both lists', () => testOnly('wnids.txt', 'words.txt'), ['n01443537', 'n02124075']],
    ])('needs no training images, %s', async (_, files, names) => {
      await putAll(files());
      const { train, test, classNames } = await read({ splits: 'test', limit });
      expect([train.count, [...test.labels], test.classes, classNames]).toEqual([0, [1, 0], 2, names]);
      await expect(read()).rejects.toThrow();
    });

    it('has the classes and labels of a training set that is there', async () => {
      await putAll(good);
      const { train, test, classNames } = await read({ splits: 'test' });
      const both = await read();
      expect([train.count, classNames, [...test.labels]]).toEqual([0, both.classNames, [...both.test.labels]]);
    });

    it('counts its images, and says what may be in the folder', async () => {
      await expect(read({ splits: 'test' })).rejects.toMatchObject({
        problem: expect.stringMatching(/ nor wnids\.txt nor val\/val_annotations\.txt\.$/),
      });
      await putAll(testOnly());
      await expect(read({ splits: 'test' }, { train: 5, test: 4 })).rejects.toMatchObject({
        problem: expect.stringContaining('there are 3 validation images instead of 4'),
      });
    });
  });

  it('decodes once, and needs the archive no more', async () => {
    let asked = 0;
    const archive = zip(good);
    const fetch = async () => {
      asked++;
      return new Response(Buffer.from(archive));
    };
    const source = { ...SOURCE, files: [{ name: 'tiny-imagenet-200.zip', sha256: sha256(archive) }] };
    let decoded = 0;
    const onProgress = () => void decoded++;
    const load = () => readTinyImagenet({ cacheDir: cacheDir(), fetch, onProgress }, source, COUNTS);
    const first = await load();
    await rm(join(cacheDir(), 'tiny-imagenet/tiny-imagenet-200.zip'));
    expect(await load()).toEqual(first);
    expect([asked, decoded]).toEqual([1, 8]);
  });

  it('decodes again when the archive in a folder is another', async () => {
    await put('tiny-imagenet-200.zip', zip(good));
    await read();
    await put('tiny-imagenet-200.zip', zip({ ...good, 'val/images/val_0.JPEG': await jpeg(200) }));
    expect(values((await read()).test.images)).toEqual([200, 80, 70]);
  });

  it.each([
    ['cut short', () => zip(good).subarray(0, -100), 'is damaged'],
    ['something else', () => Buffer.from('<html>Not found</html>'), 'is damaged'],
    [
      'damaged inside',
      () => {
        const bytes = zip(good);
        bytes[bytes.indexOf(good['train/n02124075/images/n02124075_0.JPEG']!) + 250]! ^= 1;
        return bytes;
      },
      'train/n02124075/images/n02124075_0.JPEG has a wrong checksum',
    ],
    ['of another dataset', () => zipFile({ 'a/b.txt': Buffer.from('c') }), 'wnids.txt is missing'],
  ])('refuses an archive that is %s', async (_, archive, problem) => {
    await put('tiny-imagenet-200.zip', archive());
    await expect(read()).rejects.toMatchObject({ code: 'bad-file', problem: expect.stringContaining(problem) });
  });

  const ANNOTATIONS = 'val/val_annotations.txt';
  const replaced = (path: string, from: string, to: string): Files => ({
    [path]: Buffer.from(Buffer.from(good[path]!).toString().replace(from, to)),
  });
  it.each([
    [
      'an unknown class',
      () => replaced(ANNOTATIONS, 'n01443537', 'n99999999'),
      'line 2 of val/val_annotations.txt has the class "n99999999"',
    ],
    [
      'an image that is not there',
      () => replaced(ANNOTATIONS, 'val_1', 'val_9'),
      'line 3 of val/val_annotations.txt names "val_9.JPEG"',
    ],
    [
      'an image that is named twice',
      () => replaced(ANNOTATIONS, 'val_1', 'val_0'),
      'line 3 of val/val_annotations.txt names "val_0.JPEG"',
    ],
    [
      'too few annotations',
      () => replaced(ANNOTATIONS, 'val_1.JPEG\tn02124075\t5\t6\t7\t8\n', ''),
      '5 training and 2 validation images instead of 5 and 3',
    ],
    ['no class ids', () => replaced('wnids.txt', 'n01443537', 'goldfish'), 'one is "goldfish"'],
    ['a class without images', () => replaced('wnids.txt', 'n01443537', 'n01443538'), 'contains no images'],
    [
      'images of another size',
      async () =>
        Object.fromEntries(
          await Promise.all(
            Object.keys(good)
              .filter((path) => path.endsWith('.JPEG'))
              .map(async (path) => [path, await jpeg(1, 'srgb', 32)] as const),
          ),
        ),
      '32 x 32 pixels instead of 64 x 64',
    ],
  ])('refuses %s', async (_, changes, problem) => {
    await putAll({ ...good, ...(await changes()) });
    await expect(read()).rejects.toMatchObject({ problem: expect.stringContaining(problem) });
  });

  it('counts its images', async () => {
    await putAll(good);
    await expect(tinyImagenet({ folder, cacheDir: cacheDir() })).rejects.toMatchObject({
      code: 'bad-file',
      problem: expect.stringContaining('5 training and 3 validation images instead of 100000 and 10000'),
    });
  });

  it('says what may be in the folder', async () => {
    await expect(read()).rejects.toMatchObject({
      code: 'bad-file',
      problem: expect.stringContaining('contains neither tiny-imagenet-200.zip nor tiny-imagenet-200 nor wnids.txt'),
    });
  });

  it('refuses a download with another checksum, and says where to put the archive when there is no network', async () => {
    const wrong = () => tinyImagenet({ cacheDir: cacheDir(), fetch: async () => new Response('no') });
    await expect(wrong()).rejects.toMatchObject({ code: 'bad-file', problem: expect.stringContaining('6198c8ae') });
    const offline = () => tinyImagenet({ cacheDir: cacheDir(), fetch: () => Promise.reject(new TypeError('failed')) });
    await expect(offline()).rejects.toMatchObject({ code: 'no-network' });
  });
});
