/** What a configuration says of the images of its dataset. */
import type { Normalization } from '@cert/core';
import { type Augmentation, type Dataset, pixelMoments } from '@cert/datasets';

/** What says how to augment: `usual`, `none`, `flip`, `crop:4`, `flip,crop:4`. */
export const AUGMENTATION = /^(?:usual|none|flip|(?:flip,)?crop:\d+)$/;

/** How the training images are augmented: as `augment` of the configuration says, else as is usual for the dataset. */
export function augmentationOf(augment: string, usual?: Augmentation): Augmentation | undefined {
  if (augment === 'usual') return usual;
  if (augment === 'none') return undefined;
  return { flip: augment.startsWith('flip'), crop: Number(augment.split('crop:')[1] ?? 0) };
}

/** What an input normalization is made of, by its name in a configuration. */
export const NORMALIZATIONS = {
  usual: ({ normalize }) => normalize,
  data: ({ train }) => pixelMoments(train),
  none: () => undefined,
} satisfies { readonly [name: string]: (dataset: Dataset) => Normalization | undefined };
