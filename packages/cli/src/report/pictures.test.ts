import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { differencePicture, picture } from './pictures.js';
import { encodePng } from './png.js';

/** What another decoder reads. */
async function decoded(url: string | null) {
  const [head, body = ''] = url!.split(',');
  expect(head).toBe('data:image/png;base64');
  const { data, info } = await sharp(Buffer.from(body, 'base64')).raw().toBuffer({ resolveWithObject: true });
  return { bytes: [...data], size: [info.height, info.width, info.channels] };
}

describe('encodePng', () => {
  it('is read by sharp: gray and RGB, row by row', async () => {
    for (const channels of [1, 3] as const) {
      const bytes = Uint8Array.from({ length: 5 * 3 * channels }, (_, i) => (37 * i) % 256);
      const { data, info } = await sharp(encodePng({ width: 5, height: 3, channels, bytes }))
        .raw()
        .toBuffer({ resolveWithObject: true });
      expect([info.width, info.height]).toEqual([5, 3]);
      if (channels === 3) expect([...data]).toEqual([...bytes]);
      // sharp gives gray as it is, or as three channels.
      const first = Array.from({ length: 15 }, (_, i) => data[i * info.channels]);
      expect(first).toEqual(Array.from({ length: 15 }, (_, i) => bytes[i * channels]));
    }
  });
});

describe('pictures', () => {
  it('an image goes from black to white over the range, and values outside are clipped', async () => {
    const { bytes, size } = await decoded(picture([0, 0.5, 1, -1, 2, 0.25], [2, 1, 3], { min: 0, max: 1 }));
    expect(size).toEqual([2, 1, 3]);
    expect(bytes).toEqual([0, 128, 255, 0, 255, 64]);
  });

  it('without a range, over its own values', async () => {
    expect((await decoded(picture([-3, 0, 3, 3, 3, 3], [1, 2, 3], null))).bytes).toEqual([0, 128, 255, 255, 255, 255]);
  });

  it('a difference is white, blue or orange', async () => {
    const url = differencePicture([0.5, 0.5, 0.5], [0.5, 0.4, 0.6], [1, 3, 1], 0.1);
    expect((await decoded(url)).bytes).toEqual([255, 255, 255, 0, 114, 178, 213, 94, 0]);
  });

  it('what is no image has none', () => {
    expect(picture([1, 2], [2], null)).toBeNull();
    expect(differencePicture([1, 2, 3, 4], [1, 2, 3, 4], [1, 1, 4], 1)).toBeNull();
  });
});
