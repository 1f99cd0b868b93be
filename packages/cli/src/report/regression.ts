import type { AbsoluteError } from './absolute-errors.js';
import type { Ending } from './gallery.js';
import type { PredictedValue } from './output-intervals.js';

/** Predictions of the first test rows, with the intervals that bounds give. Plain data. */
export interface Values {
  readonly methods: readonly string[];
  readonly arithmetic: string;
  readonly rows: readonly (PredictedValue & {
    /** How the row ended; `undecided` also where no attack was run on it. */
    readonly ending: Ending;
  })[];
}

/** What a report says of a regression beside what it says of every run. Plain data. */
export interface RegressionPart {
  /** Name of the number that is predicted. */
  readonly target: string;
  /** From this distance to the label on, a prediction counts as wrong; null where it is not known without the data. */
  readonly delta: number | null;
  /** The tolerance of the training, which its curves are about; null where it is not known. */
  readonly trainedDelta: number | null;
  /** Standard deviation of the label in the training rows; null where it is not known. */
  readonly deviation: number | null;
  readonly absolute: readonly AbsoluteError[];
  readonly values: Values | null;
}

/** How people call the tolerance that a run is reported at, as an option; empty for the default. */
export const deltaOption = ({ delta, trainedDelta }: Pick<RegressionPart, 'delta' | 'trainedDelta'>): string =>
  delta === null || delta === trainedDelta ? '' : ` --delta ${delta}`;
