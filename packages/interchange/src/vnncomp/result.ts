import { CertError } from '@cert/core';

/** Verdicts of VNN-COMP: `sat` means violated, `unsat` proved. */
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
 * Returns the text of a VNN-COMP result file: the verdict on the first line and, for `sat`, one s-expression with the witness in full
 * precision.
 *
 * @param witness required for `sat`, not allowed for other verdicts
 * @throws CertError `bad-argument` for an unknown verdict, a missing or superfluous witness, or numbers that are not finite
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
