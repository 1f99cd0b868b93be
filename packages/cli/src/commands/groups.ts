import type { AnyField, FieldName } from '@cert/trainer/pipeline';

/** Headings of the options in a help text, in their order. */
export const GROUPS = {
  search: 'Search:',
  run: 'Run:',
  data: 'Data:',
  model: 'Model:',
  schedule: 'Schedule:',
  optimization: 'Optimization:',
  certified: 'Certified training:',
  evaluation: 'Evaluation:',
  queue: 'Queue:',
  output: 'Output:',
} as const;

/** Where each field of a configuration stands. */
const OF_FIELD = {
  seed: 'run',
  device: 'run',
  checkpointMinutes: 'run',
  dataset: 'data',
  limit: 'data',
  validation: 'data',
  normalize: 'data',
  augment: 'data',
  model: 'model',
  init: 'model',
  warmStart: 'model',
  warmStartSha256: 'model',
  epochs: 'schedule',
  patience: 'schedule',
  schedule: 'schedule',
  rampStart: 'schedule',
  rampLength: 'schedule',
  rateSchedule: 'schedule',
  rateWarmup: 'schedule',
  milestones: 'schedule',
  learningRateFactor: 'schedule',
  batchSize: 'optimization',
  accumulate: 'optimization',
  optimizer: 'optimization',
  learningRate: 'optimization',
  clipNorm: 'optimization',
  l1: 'optimization',
  average: 'optimization',
  averageStart: 'optimization',
  emaDecay: 'optimization',
  preciseBatchNorm: 'optimization',
  epsilon: 'certified',
  perturbation: 'certified',
  trainRadius: 'certified',
  delta: 'certified',
  objective: 'certified',
  bound: 'certified',
  classWeights: 'optimization',
  regularizers: 'certified',
  regWeight: 'certified',
  regSchedule: 'certified',
  attackSteps: 'evaluation',
  attackRestarts: 'evaluation',
  evalBatchSize: 'evaluation',
} as const satisfies { readonly [K in FieldName]: keyof typeof GROUPS };

const hasGroup = (name: string): name is FieldName => Object.hasOwn(OF_FIELD, name);

/** The group of a field; that of an option of one thing is the group of the field that names the thing. */
export function groupOf(name: string, { owners }: AnyField): keyof typeof GROUPS {
  const field = owners[0]?.field ?? name;
  return hasGroup(field) ? OF_FIELD[field] : 'run';
}
