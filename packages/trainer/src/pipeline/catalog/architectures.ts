import { CertError, type Model, type Normalization, type Shape } from '@cert/core';
import {
  type BatchNormPlaces,
  type ClassifierOptions,
  cnn6,
  cnn7,
  dmLarge,
  mlp,
  resnext,
  smallConv,
  wideResnet8,
} from '@cert/models';
import type { Fields, ValuesOf } from '../config/field.js';
import { type Entry, type Table, withOptions } from './entry.js';

/** Options of the built-in models, which plug-in models may reuse: `withOptions({ width: modelOptions.width }, ...)`. */
export const modelOptions = {
  /** Channels of the first stage of the model; null for the model's default. */
  width: {
    kind: 'integer',
    min: 1,
    orNone: true,
    default: null,
    placeholder: 'channels',
    help: 'channels of the model\'s first stage; "none": the model\'s default',
  },
  /** Units of the hidden dense layer; null for the model's default. */
  dense: {
    kind: 'integer',
    min: 1,
    orNone: true,
    default: null,
    placeholder: 'units',
    help: 'units of the model\'s hidden dense layer; "none": the model\'s default',
  },
  /** BatchNorm `none`, after every `conv`, or `full`: after the hidden dense layer too; null for the model's default. */
  batchNorm: {
    kind: 'choice',
    of: ['none', 'conv', 'full'],
    orNone: true,
    default: null,
    before: null,
    alias: '--bn',
    placeholder: 'where',
    about: { none: 'nowhere', conv: 'after convolutions', full: 'after hidden dense layers too' },
    help: 'BatchNorm layers, default: as in the model',
  },
} as const satisfies Fields;

/** Values of {@link modelOptions}; null is the default of the model. Channels of later stages scale with `width`. */
export type ModelSize = ValuesOf<typeof modelOptions>;

/** Context for creating the model of a run. */
export interface ModelContext {
  /** One image: [height, width, channels]. */
  readonly inputShape: Shape;
  /** Number of classes. */
  readonly classes: number;
  /** The input normalization of the dataset. */
  readonly normalize?: Normalization | undefined;
}

/** A model with the options of them all. */
const sized = (make: (size: ModelSize & ModelContext) => Model) =>
  withOptions(modelOptions, (options, context: ModelContext) => make({ ...options, ...context }));

/** Architectures by the names of the command; those for TinyImageNet are the forms that the paper gives them there. */
export const MODELS = {
  'small-conv': sized((size) =>
    smallConv({
      ...common(size),
      filters: size.width === null ? undefined : [size.width, 2 * size.width],
      batchNorm: everywhereOrNowhere('small-conv', size.batchNorm),
    }),
  ),
  mlp: sized((size) =>
    mlp({
      ...common(size),
      hidden: [size.width ?? 100, size.dense ?? 100],
      batchNorm: everywhereOrNowhere('mlp', size.batchNorm) ?? true,
    }),
  ),
  cnn6: sized((size) => cnn6({ ...common(size), ...placed(size), width: size.width ?? undefined })),
  cnn7: sized((size) => cnn7({ ...common(size), ...placed(size), width: size.width ?? undefined })),
  'dm-large': sized((size) => {
    if (size.batchNorm !== null && size.batchNorm !== 'none')
      throw noSuchBatchNorm('dm-large', size.batchNorm, ['none']);
    return dmLarge({ ...common(size), width: size.width ?? undefined });
  }),
  'wide-resnet-8': sized((size) =>
    wideResnet8({ ...common(size), ...placed(size), widths: doubling(size.width ?? 128) }),
  ),
  resnext: sized((size) => resnext({ ...common(size), ...placed(size), bottleneck: size.width ?? undefined })),
  'cnn7-tiny-imagenet': sized((size) =>
    cnn7({ ...common(size), ...placed(size), width: size.width ?? undefined, lastStride: 2 }),
  ),
  'wide-resnet-8-tiny-imagenet': sized((size) =>
    wideResnet8({ ...common(size), ...placed(size), widths: doubling(size.width ?? 160) }),
  ),
  'resnext-tiny-imagenet': sized((size) =>
    resnext({ ...common(size), ...placed(size), bottleneck: size.width ?? 8, stem: 16, blocks: 2 }),
  ),
} satisfies Table<Entry<ModelContext, Model>>;

/** What every architecture takes, and the hidden dense layer. */
const common = ({
  inputShape,
  classes,
  normalize,
  dense,
}: ModelSize & ModelContext): ClassifierOptions & { dense: number | undefined } => ({
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
    `${model} does not support --bn ${place}.`,
    `Give ${known.map((name) => `--bn ${name}`).join(' or ')}, leave the option out, or choose another --model (cnn7 supports all).`,
  );
