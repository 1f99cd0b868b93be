import type { CertificateInputSplit, CertificateLeaf, TreeEvidence } from '../../certificate.js';
import type { ProvedBox } from './box-proof.js';

/** What a certificate holds of boxes that are proved, for a property of `cases` cases. */
export const evidenceOfBoxes = (tree: ProvedBox, cases: number): TreeEvidence => ({
  ...{ kind: 'tree', intermediate: 'crown', neurons: [] },
  cases: Array.from({ length: cases }, (_, one) => entriesOf(tree, one)),
});

/** The tree of one case: it ends where this case is proved. */
function entriesOf({ rows, split }: ProvedBox, one: number): (CertificateInputSplit | CertificateLeaf)[] {
  const row = rows.get(one);
  if (row !== undefined) return [{ row, slopes: '', multipliers: [] }];
  // A box without splits has every case that reached it.
  if (split === undefined) return [];
  const { input, at, low, high } = split;
  return [{ input, at }, ...entriesOf(low, one), ...entriesOf(high, one)];
}
