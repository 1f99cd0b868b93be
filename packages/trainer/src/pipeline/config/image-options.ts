/** What a configuration says of the images of its dataset. */
import { type Augmentation, type Dataset, type Normalization, pixelMoments } from '@cert/datasets';
import type { RunConfig } from './run-config.js';

const AUGMENTATION = /^(?:usual|none|flip|(?:flip,)?crop:\d+)$/;

/** Whether a text says how to augment: `usual`, `none`, `flip`, `crop:4`, `flip,crop:4`. */
export const isAugmentation = (text: string): boolean => AUGMENTATION.test(text);

/** How the training images are augmented: as the configuration says, else as is usual for the dataset. */
export function augmentationOf(
  { augment }: Pick<RunConfig, 'augment'>,
  usual?: Augmentation,
): Augmentation | undefined {
  if (augment === 'usual') return usual;
  if (augment === 'none') return undefined;
  return { flip: augment.startsWith('flip'), crop: Number(augment.split('crop:')[1] ?? 0) };
}

/** What an input normalization is made of, by its name in a configuration. */
export const NORMALIZATIONS: { readonly [name: string]: (dataset: Dataset) => Normalization | undefined } = {
  usual: ({ normalize }) => normalize,
  data: ({ train }) => pixelMoments(train),
  none: () => undefined,
};
