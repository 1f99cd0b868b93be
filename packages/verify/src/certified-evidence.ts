/** Evidence in the form that certificates have it. */
import type {
  BoxEvidence,
  CertificateEvidence,
  CertifiedEvidence,
  CertifiedTree,
  TreeEvidence,
} from './certificate.js';

/** The evidence of each box, in order. */
export const evidenceInFile = (evidence: CertificateEvidence): readonly CertifiedEvidence[] =>
  (evidence.kind === 'boxes' ? evidence.boxes : [evidence]).map(ofBox);

function ofBox(evidence: BoxEvidence): CertifiedEvidence {
  if (evidence.kind !== 'tree') return evidence;
  const neurons = Object.fromEntries(evidence.neurons.map(({ relu, neurons }) => [relu, neurons]));
  return { ...evidence, neurons, cases: evidence.cases.map(nested) };
}

/** Entries in order, each split before its sides, as a tree. */
function nested(entries: TreeEvidence['cases'][number]): CertifiedTree {
  let next = 0;
  const tree = (): CertifiedTree => {
    const entry = entries[next++]!;
    return 'multipliers' in entry ? entry : { ...entry, sides: [tree(), tree()] };
  };
  return tree();
}
