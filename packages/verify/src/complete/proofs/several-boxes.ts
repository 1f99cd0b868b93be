import type { SoundLevel } from '@cert/bounds';
import type { Property } from '@cert/core';
import type { OneProof, ProofOptions, ProofResult } from './proof.js';

/** Proves a property of several boxes, one after the other, each within its share of the time that is left. */
export async function proveEach(
  parts: readonly Property[],
  options: ProofOptions,
  proveOne: (property: Property, options: ProofOptions) => Promise<OneProof>,
): Promise<ProofResult> {
  const { level, timeout = 360 } = options;
  const began = Date.now();
  const results: OneProof[] = [];
  const left = (boxes: number) => Math.max(0, timeout - (Date.now() - began) / 1000) / boxes;
  for (const [i, part] of parts.entries()) {
    const result = await proveOne(part, { ...options, timeout: left(parts.length - i) });
    results.push(result);
    if (result.decision.verdict !== 'verified') break;
  }
  // Where one box is proved at level real alone, so are all.
  const at = results.every(({ evidence }) => evidence[level] !== undefined) ? level : 'real';
  for (const [i, { decision, evidence }] of results.entries()) {
    if (decision.verdict !== 'verified' || evidence[at] !== undefined || results.some(({ missing }) => missing))
      continue;
    const again = await proveOne(parts[i]!, { ...options, level: at, timeout: left(1) });
    // What is proved up to rounding stays so.
    if (again.decision.verdict === 'verified') results[i] = again;
  }
  return together(results, at, (Date.now() - began) / 1000);
}

/** The proof of a property from those of its boxes: as strong as the weakest. */
function together(results: readonly OneProof[], at: SoundLevel, seconds: number): ProofResult {
  const visited = results.reduce((sum, { decision }) => sum + decision.visited, 0);
  const open = results.find(({ decision }) => decision.verdict !== 'verified');
  if (open !== undefined) return { decision: { ...open.decision, seconds, visited }, lower: {}, evidence: {} };
  const least = (bounds: readonly (number | null | undefined)[]) =>
    Math.min(...bounds.map((bound) => bound ?? Number.NEGATIVE_INFINITY));
  const lower = least(results.map(({ decision }) => ('lower' in decision ? decision.lower : null)));
  const boxes = results.flatMap(({ evidence }) => evidence[at] ?? []);
  const verified = { verdict: 'verified' as const, lower, seconds, visited };
  if (boxes.length < results.length) {
    const missing = results.find((one) => one.missing !== undefined)?.missing ?? 'rounding';
    return { decision: { ...verified, arithmetic: 'nearest' }, lower: {}, evidence: {}, missing };
  }
  return {
    decision: { ...verified, arithmetic: at },
    lower: { [at]: least(results.map((one) => one.lower[at])) },
    evidence: { [at]: { kind: 'boxes', boxes } },
  };
}
