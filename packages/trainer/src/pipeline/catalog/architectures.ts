import { CertError, type Model, type Shape } from '@cert/core';
import {
  type BatchNormPlaces,
  type ClassifierOptions,
  cnn6,
  cnn7,
  dmLarge,
  mlp,
  type Normalization,
  resnext,
  smallConv,
  wideResnet8,
} from '@cert/models';

/** What an architecture of the command may depend on; `null` is its own default. */
export interface ModelSize {
  /** One image: [height, width, channels]. */
  readonly inputShape: Shape;
  /** Number of classes. */
  readonly classes: number;
  /** Channels of the first stage; the later ones grow along. */
  readonly width: number | null;
  /** Units of the hidden dense layer. */
  readonly dense: number | null;
  /** Where BatchNorm stands; an architecture need not have every choice. */
  readonly batchNorm: BatchNormPlaces | null;
  /** The input normalization of the dataset. */
  readonly normalize?: Normalization | undefined;
}

/** Places of BatchNorm. */
export const BATCH_NORMS: { readonly [name: string]: BatchNormPlaces } = { none: 'none', conv: 'conv', full: 'full' };

/** Architectures by the names of the command; those for TinyImageNet are the forms that the paper gives them there. */
export const MODELS: { readonly [name: string]: (size: ModelSize) => Model } = {
  'small-conv': (size) =>
    smallConv({
      ...common(size),
      filters: size.width === null ? undefined : [size.width, 2 * size.width],
      batchNorm: everywhereOrNowhere('small-conv', size.batchNorm),
    }),
  mlp: (size) =>
    mlp({
      ...common(size),
      hidden: [size.width ?? 100, size.dense ?? 100],
      batchNorm: everywhereOrNowhere('mlp', size.batchNorm) ?? true,
    }),
  cnn6: (size) => cnn6({ ...common(size), ...placed(size), width: size.width ?? undefined }),
  cnn7: (size) => cnn7({ ...common(size), ...placed(size), width: size.width ?? undefined }),
  'dm-large': (size) => {
    if (size.batchNorm !== null && size.batchNorm !== 'none')
      throw noSuchBatchNorm('dm-large', size.batchNorm, ['none']);
    return dmLarge({ ...common(size), width: size.width ?? undefined });
  },
  'wide-resnet-8': (size) => wideResnet8({ ...common(size), ...placed(size), widths: doubling(size.width ?? 128) }),
  resnext: (size) => resnext({ ...common(size), ...placed(size), bottleneck: size.width ?? undefined }),
  'cnn7-tiny-imagenet': (size) =>
    cnn7({ ...common(size), ...placed(size), width: size.width ?? undefined, lastStride: 2 }),
  'wide-resnet-8-tiny-imagenet': (size) =>
    wideResnet8({ ...common(size), ...placed(size), widths: doubling(size.width ?? 160) }),
  'resnext-tiny-imagenet': (size) =>
    resnext({ ...common(size), ...placed(size), bottleneck: size.width ?? 8, stem: 16, blocks: 2 }),
};

/** What every architecture takes, and the hidden dense layer. */
const common = ({
  inputShape,
  classes,
  normalize,
  dense,
}: ModelSize): ClassifierOptions & { dense: number | undefined } => ({
  inputShape,
  classes,
  normalize,
  dense: dense ?? undefined,
});

const placed = ({ batchNorm }: ModelSize) => ({ batchNorm: batchNorm ?? undefined });

const doubling = (width: number): readonly number[] => [width, 2 * width, 4 * width];

/** @throws CertError `bad-argument` for a place that the architecture has no choice for */
function everywhereOrNowhere(model: string, place: BatchNormPlaces | null): boolean | undefined {
  if (place === 'conv') throw noSuchBatchNorm(model, place, ['none', 'full']);
  return place === null ? undefined : place === 'full';
}

const noSuchBatchNorm = (model: string, place: BatchNormPlaces, known: readonly BatchNormPlaces[]) =>
  new CertError(
    'bad-argument',
    `${model} has no choice of BatchNorm "${place}".`,
    `Give ${known.map((name) => `--bn ${name}`).join(' or ')}, leave the option out, or take another --model (cnn7 has all).`,
  );
