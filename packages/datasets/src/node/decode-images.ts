import { CertError, type Shape } from '@cert/core';
import { sharedBytes } from './shared-bytes.js';

/** An image as it is stored. */
export interface EncodedImage {
  /** Where it is, for messages. */
  readonly name: string;
  /** Its class. */
  readonly label: number;
  /** The bytes of its file. */
  read(): Promise<Uint8Array>;
}

/** How images are decoded. */
export interface DecodeOptions {
  /** 3 converts grey images to colour, 1 converts colour images to grey. Default: the number of channels of all images. */
  readonly channels?: 1 | 3 | undefined;
  /** Size in pixels; each image is scaled to cover this size, then cropped. Default: the size of all images. */
  readonly size?: { readonly width: number; readonly height: number } | undefined;
  /** Whether an image with transparent pixels is an error. Default: transparency is dropped. */
  readonly opaque?: boolean;
  /** Called after each image with the number of decoded images and the total. */
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
}

type Sharp = typeof import('sharp').default;

/** Images that are decoded at the same time: enough to keep the threads of libuv busy. */
const AT_ONCE = 16;

/**
 * Decodes images (PNG, JPEG and what else sharp reads) to bytes. Transparency is dropped by default, 16 bits become 8.
 *
 * @param load imports sharp
 * @returns the shape of one image, and all of them row-major [images, height, width, channels] in shared memory
 * @throws CertError `missing-package` without sharp; `bad-file` for an image that cannot be decoded or is transparent and must not be; `shape-mismatch` for images
 * that differ in size or in colour; each names the file
 */
export async function decodeImages(
  images: readonly EncodedImage[],
  options: DecodeOptions = {},
  load: () => Promise<{ readonly default: Sharp }> = () => import('sharp'),
): Promise<{ readonly shape: Shape; readonly pixels: Uint8Array }> {
  const sharp = await importSharp(load);
  const first = await decode(sharp, images[0]!, options);
  const length = first.data.length;
  const pixels = sharedBytes(images.length * length);
  pixels.set(first.data);
  options.onProgress?.(1, images.length);
  let [next, done, failed] = [1, 1, false];
  const work = async () => {
    while (next < images.length && !failed) {
      const i = next++;
      const image = await decode(sharp, images[i]!, options);
      if (String(image.shape) !== String(first.shape)) throw differs(images[0]!, first, images[i]!, image);
      pixels.set(image.data, i * length);
      options.onProgress?.(++done, images.length);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } finally {
    failed = true;
  }
  return { shape: first.shape, pixels };
}

async function importSharp(load: () => Promise<{ readonly default: Sharp }>): Promise<Sharp> {
  try {
    return (await load()).default;
  } catch (cause) {
    throw new CertError(
      'missing-package',
      'Decoding images needs the package sharp, which cannot be loaded.',
      'Install sharp: npm install sharp',
      { cause },
    );
  }
}

interface Decoded {
  readonly shape: Shape;
  readonly data: Uint8Array;
}

async function decode(sharp: Sharp, image: EncodedImage, { channels, size, opaque }: DecodeOptions): Promise<Decoded> {
  try {
    const bytes = await image.read();
    // The default limits stay: an image of 16,000 x 16,000 is no part of a dataset. Warnings (a file cut short) are errors.
    const input = sharp(bytes, { failOn: 'warning' });
    if (opaque && !(await sharp(bytes).stats()).isOpaque) throw transparent(image);
    const wanted = channels ?? ((await input.metadata()).space?.match(/^(b-w|grey16)$/) ? 1 : 3);
    const resized = size ? input.resize(size.width, size.height, { fit: 'cover' }) : input;
    const { data, info } = await resized
      .removeAlpha()
      .toColourspace(wanted === 1 ? 'b-w' : 'srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { shape: [info.height, info.width, info.channels], data };
  } catch (cause) {
    if (cause instanceof CertError) throw cause;
    throw new CertError(
      'bad-file',
      `${image.name} cannot be decoded: ${(cause instanceof Error ? cause.message : String(cause)).trim().replace(/\s*\n\s*/g, '; ')}.`,
      'Copy the file again, or remove it.',
      { cause },
    );
  }
}

const transparent = ({ name }: EncodedImage) =>
  new CertError(
    'bad-file',
    `${name} has transparent pixels, and the network would read their invisible color.`,
    'Put the image on the background that the training images have, and save it without transparency.',
  );

function differs(a: EncodedImage, first: Decoded, b: EncodedImage, other: Decoded): CertError {
  const [h, w, c] = first.shape;
  const [height, width, channels] = other.shape;
  const kind = (n: number | undefined) => (n === 1 ? 'grey' : 'coloured');
  return c === channels
    ? new CertError(
        'shape-mismatch',
        `${b.name} is ${width} x ${height} pixels, ${a.name} ${w} x ${h}.`,
        'Resize the images to one size, or remove this one. In a program, the option size resizes them all.',
      )
    : new CertError(
        'shape-mismatch',
        `${b.name} is ${kind(channels)}, ${a.name} is ${kind(c)}.`,
        'Convert the images to one kind. In a program, the option channels does: 3 for colour, 1 for grey.',
      );
}
