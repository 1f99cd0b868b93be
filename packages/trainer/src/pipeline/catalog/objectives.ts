import type { BackwardTable } from '@cert/bounds';
import type { AttackOptions } from '../../objectives/attack.js';
import { ccIbpObjective } from '../../objectives/cc-ibp.js';
import { expIbpObjective } from '../../objectives/exp-ibp.js';
import { expressiveStepSize } from '../../objectives/expressive.js';
import { mtlIbpObjective } from '../../objectives/mtl-ibp.js';
import { naturalObjective } from '../../objectives/natural.js';
import { pgdObjective } from '../../objectives/pgd.js';
import { intervalSchedule, squaredObjective } from '../../objectives/regression.js';
import { robustObjective } from '../../objectives/robust.js';
import { type IntervalMethod, SABR_ATTACK, sabrObjective } from '../../objectives/sabr.js';
import {
  always,
  crownIbpSchedule,
  naturalThen,
  type ObjectiveSchedule,
  stapsSchedule,
  tapsSchedule,
} from '../../objectives/schedule.js';
import type { Fields, ValuesOf } from '../config/field.js';
import { type Entry, type Table, withOptions } from './entry.js';

/** Context for creating the objective of a run. */
export interface ObjectiveContext {
  /** Backward rules that know every op of the run. */
  readonly backward: BackwardTable;
  /** Interval bounds that know every op of the run. */
  readonly ibp: IntervalMethod;
  /** Standard deviation of the targets of a regression, the unit of its errors; missing for a classification. */
  readonly targetScale?: number | undefined;
}

/** Of the objectives that bound the loss. */
const certified = {
  /** Weight of the natural loss beside the robust loss. */
  naturalWeight: {
    kind: 'number',
    min: 0,
    default: 0,
    placeholder: 'factor',
    help: 'weight of the natural loss added to the robust loss',
  },
  /** Share of the natural cross-entropy, 1 - kappa, at the beginning of the ramp. */
  naturalShare: {
    kind: 'number',
    min: 0,
    max: 1,
    default: 0,
    before: 0,
    placeholder: 'share',
    help: 'share of the natural cross-entropy in the loss, from 0 to 1 (1 - kappa)',
  },
  /** The same at the end of the ramp; null for no change. */
  naturalShareEnd: {
    kind: 'number',
    min: 0,
    max: 1,
    orNone: true,
    default: null,
    before: null,
    placeholder: 'share',
    help: 'share of the natural cross-entropy at the end of the ramp, which it approaches with the radius; "none": no change',
  },
} as const satisfies Fields;

const naturalOf = ({ naturalWeight, naturalShare, naturalShareEnd }: ValuesOf<typeof certified>) => ({
  naturalWeight,
  naturalShare: [naturalShare, naturalShareEnd ?? naturalShare] as const,
});

/** Of the attack inside a training step. */
const inner = {
  /** Steps of the attack inside a training step; null for the usual number of the objective. */
  innerSteps: {
    kind: 'integer',
    min: 0,
    orNone: true,
    default: null,
    help: 'steps of the attack in each training step; "none": 8, or 1 for mtl-ibp, cc-ibp and exp-ibp',
  },
  /** Size of each of these steps; null for the usual size of the objective. */
  innerStepSize: {
    kind: 'number',
    above: 0,
    orNone: true,
    default: null,
    placeholder: 'factor',
    help: 'step size of that attack as a multiple of half the width of the box; "none": 0.2, or max(0.25, 2 / steps) for mtl-ibp, cc-ibp and exp-ibp',
  },
  /** Random starts of the attack inside a training step. */
  innerRestarts: { kind: 'integer', min: 1, default: 3, help: 'random starts of that attack' },
} as const satisfies Fields;

/** Of the objectives that combine an adversarial loss and bounds. */
const expressive = {
  ...certified,
  ...inner,
  /** Weight of the bounds, from 0 (adversarial training) to 1 (IBP). */
  alpha: {
    kind: 'number',
    min: 0,
    max: 1,
    default: 0.5,
    placeholder: 'weight',
    help: 'weight of the bounds against the adversarial loss, from 0 to 1',
  },
  /** Radius of the attack as a multiple of the radius of the bounds. */
  innerRadius: {
    kind: 'number',
    above: 0,
    default: 1,
    placeholder: 'radii',
    help: 'radius of the attack in each training step, as a multiple of the radius',
  },
} as const satisfies Fields;

const expressiveOf = (options: ValuesOf<typeof expressive>) => {
  const { alpha, innerSteps, innerStepSize, innerRestarts, innerRadius } = options;
  const steps = innerSteps ?? 1;
  const stepSize = innerStepSize ?? expressiveStepSize(steps);
  return { ...naturalOf(options), alpha, attack: { steps, stepSize, restarts: innerRestarts, radius: innerRadius } };
};

/** Of the objectives that propagate boxes. */
const boxes = {
  ...certified,
  ...inner,
  /** Factor on upper bounds behind unstable ReLUs, in training only. */
  reluShrinkage: {
    kind: 'number',
    above: 0,
    max: 1,
    default: 1,
    placeholder: 'factor',
    help: 'factor on the upper bound behind each unstable ReLU, in the training loss only',
  },
} as const satisfies Fields;

/** Of the objectives with small boxes. */
const small = {
  /** Size of the small box as a share of the perturbation set (lambda). */
  shrinkage: {
    kind: 'number',
    min: 0,
    max: 1,
    default: 0.4,
    placeholder: 'share',
    help: 'size of the small box of sabr and staps as a share of the perturbation set (lambda)',
  },
} as const satisfies Fields;

/** Of TAPS and STAPS. */
const hidden = {
  /** Number of ReLUs in front of the hidden box; null for all but one. */
  tapsCut: {
    kind: 'integer',
    min: 1,
    orNone: true,
    default: null,
    placeholder: 'relus',
    help: 'number of ReLUs that taps and staps propagate bounds through, before they attack; "none": all but one',
  },
  /** Factor on the gradient through the attack. */
  tapsGradScale: {
    kind: 'number',
    min: 0,
    default: 4,
    placeholder: 'factor',
    help: 'factor on the gradient through the attack of taps and staps',
  },
} as const satisfies Fields;

const attackOf = ({ innerSteps, innerStepSize, innerRestarts }: ValuesOf<typeof inner>): AttackOptions => ({
  ...SABR_ATTACK,
  steps: innerSteps ?? SABR_ATTACK.steps,
  stepSize: innerStepSize ?? SABR_ATTACK.stepSize,
  restarts: innerRestarts,
});

const boxesOf = (options: ValuesOf<typeof boxes>, { ibp }: ObjectiveContext) => ({
  ...naturalOf(options),
  ...{ attack: attackOf(options), reluShrinkage: options.reluShrinkage, ibp },
});

const hiddenOf = ({ tapsCut, tapsGradScale }: ValuesOf<typeof hidden>) => ({
  ...(tapsCut !== null && { cut: tapsCut }),
  gradScale: tapsGradScale,
});

/** Objectives. */
export const OBJECTIVES = {
  natural: () => always(naturalObjective),
  pgd: withOptions(
    {
      /** Steps of the attack that the objective `pgd` trains on. */
      pgdSteps: { kind: 'integer', min: 0, default: 7, before: 7, help: 'steps of the attack in pgd training' },
      /** Size of each of these steps, as a multiple of the radius. */
      pgdStepSize: {
        kind: 'number',
        min: 0,
        default: 2.5 / 7,
        before: 2.5 / 7,
        placeholder: 'radii',
        help: 'step size of the attack in pgd training, as a multiple of the radius',
      },
    },
    ({ pgdSteps, pgdStepSize }) => always(pgdObjective({ steps: pgdSteps, stepSize: pgdStepSize })),
  ),
  robust: withOptions(certified, (options) => naturalThen(robustObjective(naturalOf(options)))),
  'crown-ibp-fused': withOptions(certified, (options, { backward }) =>
    crownIbpSchedule({ ...naturalOf(options), backward }),
  ),
  'crown-ibp': withOptions(certified, (options, { backward }) =>
    crownIbpSchedule({ ...naturalOf(options), backward, fusion: false }),
  ),
  sabr: withOptions({ ...boxes, ...small }, (options, context) =>
    naturalThen(sabrObjective({ ...boxesOf(options, context), shrinkage: options.shrinkage })),
  ),
  'mtl-ibp': withOptions(expressive, (options) => naturalThen(mtlIbpObjective(expressiveOf(options)))),
  'cc-ibp': withOptions(expressive, (options) => naturalThen(ccIbpObjective(expressiveOf(options)))),
  'exp-ibp': withOptions(expressive, (options) => naturalThen(expIbpObjective(expressiveOf(options)))),
  taps: withOptions({ ...boxes, ...hidden }, (options, context) =>
    tapsSchedule({ ...boxesOf(options, context), ...hiddenOf(options) }),
  ),
  staps: withOptions({ ...boxes, ...hidden, ...small }, (options, context) =>
    stapsSchedule({
      ...{ ...boxesOf(options, context), ...hiddenOf(options) },
      ...{ boxAttack: attackOf(options), shrinkage: options.shrinkage },
    }),
  ),
  squared: ({ targetScale }) => always(squaredObjective({ ...(targetScale && { scale: targetScale }) })),
  interval: withOptions(certified, (options, { targetScale }) =>
    intervalSchedule({ ...naturalOf(options), ...(targetScale && { scale: targetScale }) }),
  ),
} satisfies Table<Entry<ObjectiveContext, ObjectiveSchedule>>;
