/** Evidence in the form that certificates have it. */
import type {
  BoxEvidence,
  CertificateEvidence,
  CertifiedEvidence,
  CertifiedTree,
  CertifiedTrees,
  TreeEvidence,
} from './certificate.js';

/** The evidence of each box, in order. */
export const evidenceInFile = (evidence: CertificateEvidence): readonly CertifiedEvidence[] =>
  (evidence.kind === 'boxes' ? evidence.boxes : [evidence]).map(ofBox);

function ofBox(evidence: BoxEvidence): CertifiedEvidence {
  if (evidence.kind !== 'tree') return evidence;
  const neurons = Object.fromEntries(evidence.neurons.map(({ relu, neurons }) => [relu, neurons]));
  return { ...evidence, neurons, cases: evidence.cases.map((entries) => nested(entries, slopesIn(evidence, neurons))) };
}

/** Moves the bytes of slopes to the order of the neurons in a file, where names that are whole numbers come first. */
function slopesIn(evidence: TreeEvidence, inFile: CertifiedTrees['neurons']): (slopes: string) => string {
  const spans = new Map<string, readonly [start: number, end: number]>();
  let next = 0;
  for (const { relu, neurons } of evidence.neurons) {
    spans.set(relu, [next, next + neurons.length]);
    next += neurons.length;
  }
  return (slopes) => {
    const bytes = atob(slopes);
    return btoa(
      Object.keys(inFile)
        .map((relu) => bytes.slice(...spans.get(relu)!))
        .join(''),
    );
  };
}

/** Entries in order, each split before its sides, as a tree. */
function nested(entries: TreeEvidence['cases'][number], slopesInFile: (slopes: string) => string): CertifiedTree {
  let next = 0;
  const tree = (): CertifiedTree => {
    const entry = entries[next++]!;
    return 'multipliers' in entry
      ? { ...entry, slopes: slopesInFile(entry.slopes) }
      : { ...entry, sides: [tree(), tree()] };
  };
  return tree();
}
