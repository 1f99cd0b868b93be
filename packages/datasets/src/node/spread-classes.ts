/**
 * An order of the images of a split that spreads each class evenly over it, so that every beginning is balanced.
 *
 * @param counts images of each class
 * @returns the class of each place, and which of the class's images it is
 */
export function spreadClasses(counts: readonly number[]): { readonly label: number; readonly i: number }[] {
  const places = counts.flatMap((count, label) =>
    Array.from({ length: count }, (_, i) => ({ label, i, at: (i + 0.5) / count })),
  );
  return places.sort((a, b) => a.at - b.at || a.label - b.label);
}
