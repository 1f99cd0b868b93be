import type { BackwardTable } from '@cert/bounds';
import { naturalObjective } from '../../objectives/natural.js';
import { pgdObjective } from '../../objectives/pgd.js';
import { intervalSchedule, squaredObjective } from '../../objectives/regression.js';
import { robustObjective } from '../../objectives/robust.js';
import { always, crownIbpSchedule, naturalThen, type ObjectiveSchedule } from '../../objectives/schedule.js';
import type { Fields } from '../config/field.js';
import { type Entry, type Table, withOptions } from './entry.js';

/** Context for creating the objective of a run. */
export interface ObjectiveContext {
  /** Backward rules that know every op of the run. */
  readonly backward: BackwardTable;
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
} as const satisfies Fields;

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
  robust: withOptions(certified, (options) => naturalThen(robustObjective(options))),
  'crown-ibp-fused': withOptions(certified, (options, { backward }) => crownIbpSchedule({ ...options, backward })),
  'crown-ibp': withOptions(certified, (options, { backward }) =>
    crownIbpSchedule({ ...options, backward, fusion: false }),
  ),
  squared: ({ targetScale }) => always(squaredObjective({ ...(targetScale && { scale: targetScale }) })),
  interval: withOptions(certified, (options, { targetScale }) =>
    intervalSchedule({ ...options, ...(targetScale && { scale: targetScale }) }),
  ),
} satisfies Table<Entry<ObjectiveContext, ObjectiveSchedule>>;
