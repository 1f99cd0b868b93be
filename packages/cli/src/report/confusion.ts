/** Clean predictions by label. Plain data. */
export interface Confusion {
  /** Inputs that are counted: the first ones of the test split. */
  readonly images: number;
  /** Labels and predictions that occur, ascending, and all in between: the classes. */
  readonly classes: number;
  /** `counts[label][prediction]`. */
  readonly counts: readonly (readonly number[])[];
  /** Inputs with a logit that is not finite, which have no prediction. */
  readonly notFinite: number;
}

/** Counts predictions by label. `classes` of the network. */
export function confusionOf(
  rows: readonly { readonly label: number; readonly prediction: number | null }[],
  classes: number,
): Confusion {
  const counts = Array.from({ length: classes }, () => Array.from({ length: classes }, () => 0));
  let notFinite = 0;
  for (const { label, prediction } of rows) {
    if (prediction === null) notFinite++;
    else if (counts[label]?.[prediction] !== undefined) counts[label]![prediction]!++;
  }
  return { images: rows.length, classes, counts, notFinite };
}

/** The most frequent mistakes. */
export const commonMistakes = ({ counts }: Confusion, most: number) =>
  counts
    .flatMap((row, label) => row.map((count, prediction) => ({ label, prediction, count })))
    .filter(({ label, prediction, count }) => label !== prediction && count > 0)
    .sort((a, b) => b.count - a.count)
    .slice(0, most);
