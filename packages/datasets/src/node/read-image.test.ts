import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { readImage } from './read-image.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-image-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

it('reads the pixels of a file, grey or coloured as asked for', async () => {
  const path = join(place, 'a.png');
  const raw = { raw: { width: 3, height: 1, channels: 1 as const } };
  await sharp(Uint8Array.of(0, 100, 255), raw)
    .toColourspace('b-w')
    .png()
    .toFile(path);
  expect(await readImage(path)).toEqual({
    shape: [1, 3, 1],
    pixels: expect.objectContaining({ 0: 0, 1: 100, 2: 255 }),
  });
  const { shape, pixels } = await readImage(path, 3);
  expect([shape, [...pixels]]).toEqual([
    [1, 3, 3],
    [0, 0, 0, 100, 100, 100, 255, 255, 255],
  ]);
});

it('takes a PNG with an opaque alpha channel, and refuses transparent pixels', async () => {
  const [opaque, clear] = [join(place, 'opaque.png'), join(place, 'clear.png')];
  const raw = { raw: { width: 2, height: 1, channels: 4 as const } };
  await sharp(Uint8Array.of(1, 2, 3, 255, 4, 5, 6, 255), raw)
    .png()
    .toFile(opaque);
  await sharp(Uint8Array.of(1, 2, 3, 255, 4, 5, 6, 254), raw)
    .png()
    .toFile(clear);
  expect([...(await readImage(opaque)).pixels]).toEqual([1, 2, 3, 4, 5, 6]);
  await expect(readImage(clear)).rejects.toMatchObject({
    code: 'bad-file',
    problem: expect.stringMatching(/clear\.png has transparent pixels/),
  });
});

it('says which file cannot be read, or is no image', async () => {
  const [missing, text] = [join(place, 'missing.png'), join(place, 'text.png')];
  await writeFile(text, 'no image');
  await expect(readImage(missing)).rejects.toMatchObject({
    code: 'bad-file',
    problem: expect.stringMatching(/missing\.png cannot be read: ENOENT/),
    cure: 'Check the path.',
  });
  await expect(readImage(text)).rejects.toMatchObject({
    code: 'bad-file',
    problem: expect.stringMatching(/text\.png cannot be decoded: /),
  });
});

it('notices that a file is missing before it asks for sharp', async () => {
  vi.doMock('sharp', () => {
    throw new Error('not installed');
  });
  try {
    await expect(readImage(join(place, 'missing.png'))).rejects.toMatchObject({ code: 'bad-file' });
    await expect(readImage(join(place, 'a.png'))).rejects.toMatchObject({ code: 'missing-package' });
  } finally {
    vi.doUnmock('sharp');
  }
});
