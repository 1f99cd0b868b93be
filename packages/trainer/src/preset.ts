import { checkConfig, FIELD_NAMES, FIELDS, type FieldName, type RunConfig } from './config.js';
import { choose } from './names.js';

/** A named choice of every setting, for a number of epochs. */
export interface Preset {
  readonly epochs: number;
  settings(epochs: number): Omit<RunConfig, 'preset' | 'method' | 'epochs'>;
}

/** What all presets share: the method of the paper with its settings. */
const common = {
  data: null,
  limit: null,
  width: null,
  dense: null,
  batchNorm: null,
  init: 'ibp',
  schedule: 'smoothed',
  optimizer: 'adam',
  momentum: 0.9,
  learningRateFactor: 0.2,
  clipNorm: 10,
  regularizers: ['tightness', 'relu-balance'],
  regWeight: 0.5,
  regTolerance: 0.5,
  naturalWeight: 0,
  seed: 0,
  device: 'auto',
  attackSteps: 40,
  attackRestarts: 3,
  evalBatchSize: 250,
} as const;

/** A ramp over a fraction of the epochs; one natural epoch before it where there is room. */
const shortRamp = (epochs: number, fraction: number, natural: boolean) => ({
  rampStart: natural && epochs >= 4 ? 2 : 1,
  rampLength: Math.max(1, Math.round(epochs * fraction)),
});

/** The 70-epoch schedule of the paper for 28x28 images: 20 epochs of ramp, two drops of the learning rate near the end. */
const paper28 = (dataset: string, epsilon: number): Preset => ({
  epochs: 70,
  settings: (epochs) => ({
    ...common,
    ...shortRamp(epochs, 20 / 70, false),
    dataset,
    model: 'cnn7',
    epsilon,
    batchSize: 256,
    learningRate: 5e-4,
    milestones: [Math.floor((epochs * 50) / 70), Math.floor((epochs * 60) / 70)],
  }),
});

/** The presets. */
export const PRESETS: { readonly [name: string]: Preset } = {
  'digits/quick': {
    epochs: 12,
    settings: (epochs) => ({
      ...common,
      ...shortRamp(epochs, 5 / 12, true),
      dataset: 'digits',
      model: 'small-conv',
      epsilon: 0.1,
      batchSize: 64,
      learningRate: 2e-3,
      milestones: [Math.floor(epochs * 0.7), Math.floor(epochs * 0.9)],
    }),
  },
  'mnist/cnn7/fast': paper28('mnist', 0.4),
  'fashion-mnist/cnn7/fast': paper28('fashion-mnist', 0.1),
};

/**
 * The methods. `fast` is that of "Fast Certified Robust Training with Short Warmup"; `vanilla` is plain IBP training: default
 * initialization, no regularizers, everything else the same.
 */
export const METHODS: { readonly [name: string]: Partial<RunConfig> } = {
  fast: {},
  vanilla: { init: 'xavier', regularizers: [], regWeight: 0 },
};

/** What a user chooses. Settings that are left out come from the method, then from the preset. */
export type Choices = { readonly [K in keyof RunConfig]?: RunConfig[K] | undefined };

/**
 * The whole configuration for what was chosen.
 *
 * @throws CertError `bad-argument` for an unknown name (with the nearest ones) or a value outside its domain, naming the option
 */
export function resolveConfig(choices: Choices = {}): RunConfig {
  const { preset = 'digits/quick', method = 'fast' } = choices;
  const { epochs: usual, settings } = choose('preset', preset, PRESETS);
  const changes = choose('method', method, METHODS);
  const epochs = choices.epochs ?? usual;
  FIELDS.epochs.check(epochs);
  const chosen = Object.fromEntries(
    FIELD_NAMES.flatMap((name: FieldName) => (choices[name] === undefined ? [] : [[name, choices[name]]])),
  );
  return checkConfig({ preset, method, epochs, ...settings(epochs), ...changes, ...chosen });
}
