import type { Arithmetic } from '@cert/bounds';
import { type Batch, CertError } from '@cert/core';
import type { DeviceArray, OnDevice } from '@cert/jit';
import { smallestBound } from '../margins.js';
import type { LevelMargins, Verifier, VerifierSetting, Weights } from '../verifier.js';

/** A verifier at an arithmetic. */
export interface ArithmeticProver {
  margins(
    weights: OnDevice<Weights>,
    batch: OnDevice<Batch>,
    scalars: { readonly [name: string]: DeviceArray },
    count: number,
  ): Promise<readonly LevelMargins[]>;
  dispose(): Promise<void>;
}

/**
 * A verifier at an arithmetic. Where it has no bounds at `real` or `deployed`, for want of a rule for an op or altogether, its plain bounds
 * are all that is known.
 */
export function proverAt(arithmetic: Arithmetic, verifier: Verifier, setting: VerifierSetting): ArithmeticProver {
  const plain = (): ArithmeticProver => {
    const prover = verifier.on(setting);
    return {
      async margins(weights, batch, scalars, count) {
        const lower = await prover.lowerMargins(weights, batch, scalars);
        return Array.from({ length: count }, (_, i) => ({
          nearest: finiteOrNull(smallestBound(lower, i, setting.model.classes - 1)),
        }));
      },
      dispose: () => prover.dispose(),
    };
  };
  if (arithmetic === 'nearest' || verifier.soundOn === undefined) return plain();
  const sound = verifier.soundOn({ ...setting, level: arithmetic });
  let fallback: ArithmeticProver | undefined;
  return {
    async margins(weights, batch, scalars, count) {
      if (fallback !== undefined) return fallback.margins(weights, batch, scalars, count);
      try {
        return await sound.lowerMargins(weights, batch, scalars, count);
      } catch (error) {
        if (!(error instanceof CertError && error.code === 'missing-rule')) throw error;
        fallback = plain();
        return fallback.margins(weights, batch, scalars, count);
      }
    },
    async dispose() {
      await sound.dispose();
      await fallback?.dispose();
    },
  };
}

const finiteOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null);
