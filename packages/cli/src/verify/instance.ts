import type { Arithmetic } from '@cert/bounds';
import type { Property } from '@cert/core';
import { inputInFile, propertyInModel, readVnnlib, type VnncompVerdict, writeVnncompResult } from '@cert/interchange';
import type { Decision } from '@cert/verify';
import { shortTime } from '../show/quantities.js';
import type { VerifiedNetwork } from './network.js';

/**
 * Reads a property for a network.
 *
 * @throws CertError `bad-file` for text that is no VNN-LIB, `shape-mismatch` for a property about other inputs or outputs
 */
export const readProperty = (text: string, { network: { model }, inputOrder }: VerifiedNetwork): Property =>
  propertyInModel({ model, inputOrder }, readVnnlib(text));

/** The competition's word for a decision. */
const verdictOf = (decision: Decision): VnncompVerdict => {
  switch (decision.verdict) {
    case 'verified':
      return 'unsat';
    case 'falsified':
      return 'sat';
    default:
      return decision.reason === 'timeout' ? 'timeout' : 'unknown';
  }
};

/** The text of a result file. */
export function resultText(decision: Decision, network: VerifiedNetwork): string {
  if (decision.verdict !== 'falsified') return writeVnncompResult(verdictOf(decision));
  const { input, output } = decision.witness;
  return writeVnncompResult('sat', { inputs: inputInFile(network, input), outputs: output });
}

/** Runs witnesses in the independent runtime, where there is one. */
export const replayOf = ({ independent, inputOrder }: VerifiedNetwork) =>
  independent === undefined
    ? {}
    : { replay: (input: Float32Array) => independent.run(inputInFile({ inputOrder }, input)) };

/** What a proof at each arithmetic is about. */
const CLAIMS: { readonly [level in Arithmetic]: string } = {
  deployed: 'for every float32 execution of the network (arithmetic deployed)',
  real: 'for the network over the real numbers (arithmetic real)',
  nearest: 'up to the rounding of float32 bounds (arithmetic nearest)',
};

/**
 * What a decision says beyond its verdict, in a sentence.
 *
 * @param where the counterexample stands, for people
 */
export function sentenceOf(decision: Decision, where = ' by the input above'): string {
  const spent = `${shortTime(decision.seconds)}, ${decision.visited} ${decision.visited === 1 ? 'part' : 'parts'}`;
  switch (decision.verdict) {
    case 'verified':
      return `The property holds ${CLAIMS[decision.arithmetic]}. ${spent}.`;
    case 'falsified':
      return `The property is violated${where}. ${spent}.`;
    default: {
      const lower = Number.isFinite(decision.lower) ? `; lower bound ${decision.lower.toPrecision(4)}` : '';
      return `Undecided: ${decision.reason}${lower}. ${spent}.`;
    }
  }
}

/** A decision as plain data. */
export const jsonOf = (decision: Decision, text: string) => ({
  result: verdictOf(decision),
  seconds: decision.seconds,
  parts: decision.visited,
  ...(decision.verdict === 'verified' && { arithmetic: decision.arithmetic }),
  ...(decision.verdict === 'unknown' && { reason: decision.reason, lower: finite(decision.lower) }),
  ...(decision.verdict === 'falsified' && { witness: text.slice(text.indexOf('\n') + 1).trimEnd() }),
});

const finite = (x: number): number | null => (Number.isFinite(x) ? x : null);
