import { CertError } from '@cert/core';

/** The answers of the verification competition: `sat` is a property that is violated, `unsat` one that is proved. */
export type VnncompVerdict = 'sat' | 'unsat' | 'unknown' | 'timeout' | 'error';

/** An input that violates a property, with the outputs of the network for it. */
export interface Witness {
  /** In the order of the ONNX input, C order. */
  readonly inputs: ArrayLike<number>;
  /** In the order of the ONNX output. */
  readonly outputs: ArrayLike<number>;
}

const VERDICTS: readonly unknown[] = ['sat', 'unsat', 'unknown', 'timeout', 'error'];

/** Lines `(X_0 0.5)`. The shortest decimal that gives the same float64 again is exact. */
const valuesOf = (letter: string, values: ArrayLike<number>): string[] =>
  Array.from(values, (value, i) => {
    if (Number.isFinite(value)) return `(${letter}_${i} ${value})`;
    throw new CertError(
      'bad-argument',
      `${letter}_${i} of the witness is ${value}.`,
      'Give a witness of finite numbers; without a witness, the verdict is unknown.',
    );
  });

/**
 * The text of a result file of the verification competition (VNN-COMP): the verdict on the first line; for `sat` one s-expression with the
 * witness behind it, in full digits.
 *
 * @param witness needed for `sat`, which does not count without one; not allowed for other verdicts
 * @throws CertError `bad-argument` for an unknown verdict, a witness that is missing or not wanted, numbers that are not finite
 */
export function writeVnncompResult(verdict: VnncompVerdict, witness?: Witness): string {
  if (!VERDICTS.includes(verdict)) {
    throw new CertError('bad-argument', `The verdict is "${verdict}".`, `Verdicts: ${VERDICTS.join(', ')}.`);
  }
  if ((verdict === 'sat') !== (witness !== undefined)) {
    throw new CertError(
      'bad-argument',
      `The verdict ${verdict} was given ${witness === undefined ? 'without' : 'with'} a witness.`,
      'Give a witness with the verdict sat, and only with sat.',
    );
  }
  if (witness === undefined) return `${verdict}\n`;
  const values = [...valuesOf('X', witness.inputs), ...valuesOf('Y', witness.outputs)];
  return `${verdict}\n(${values.join('\n ')})\n`;
}
