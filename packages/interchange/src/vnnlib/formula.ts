import type { Variable } from './terms.js';

/** One comparison: the sum of coefficient x variable <= bound, at least one variable in it. */
export interface Atom {
  /** Exact and not 0. */
  readonly coefficients: ReadonlyMap<Variable, number>;
  /** At least the exact bound: rounded upwards where it was computed. */
  readonly bound: number;
  /** Where the file says it. */
  readonly at: number;
}

/** What an assertion says. `true` and `false` are comparisons of numbers. */
export type Formula = Atom | boolean | { readonly and: readonly Formula[] } | { readonly or: readonly Formula[] };

/** That all of some formulas are satisfied, simplified: what is left of `true` and `false` is not inside of others. */
export function allOf(parts: readonly Formula[]): Formula {
  if (parts.includes(false)) return false;
  const rest = parts.filter((part) => part !== true);
  return rest.length === 0 ? true : rest.length === 1 ? rest[0]! : { and: rest };
}

/** That one of some formulas is satisfied, simplified: an `or` has at least two parts, so that each one doubles the cases. */
export function anyOf(parts: readonly Formula[]): Formula {
  if (parts.includes(true)) return true;
  const rest = parts.filter((part) => part !== false);
  return rest.length === 0 ? false : rest.length === 1 ? rest[0]! : { or: rest };
}

/** Atoms that must all be satisfied. */
export type Conjunction = readonly Atom[];

/** Thrown by {@link disjunctiveForm} where the form is larger than anyone wants to wait for. */
export class TooManyCases extends Error {}

/** Sizes of a disjunctive form that end the expansion. */
const MOST_CASES = 100_000;
const MOST_ATOMS = 5_000_000;

function checkSize(cases: number, atoms: number): void {
  if (cases > MOST_CASES || atoms > MOST_ATOMS) throw new TooManyCases();
}

const atomsIn = (cases: readonly Conjunction[]) => cases.reduce((sum, { length }) => sum + length, 0);

/**
 * The conjunctions of which a formula satisfies at least one; none for a formula that nothing satisfies.
 *
 * @throws TooManyCases above 100,000 conjunctions or five million atoms in them
 */
export function disjunctiveForm(formula: Formula): readonly Conjunction[] {
  if (typeof formula === 'boolean') return formula ? [[]] : [];
  if ('or' in formula) {
    const cases: Conjunction[] = [];
    let atoms = 0;
    for (const part of formula.or) {
      for (const conjunction of disjunctiveForm(part)) {
        cases.push(conjunction);
        atoms += conjunction.length;
        checkSize(cases.length, atoms);
      }
    }
    return cases;
  }
  if (!('and' in formula)) return [[formula]];
  // Atoms first, all at once: a file of a million assertions is one conjunction of a million atoms.
  const { atoms, others } = splitAnd(formula.and);
  if (others.includes(false)) return [];
  return others.reduce<readonly Conjunction[]>((cases, other) => product(cases, disjunctiveForm(other)), [atoms]);
}

function product(a: readonly Conjunction[], b: readonly Conjunction[]): readonly Conjunction[] {
  checkSize(a.length * b.length, atomsIn(a) * b.length + atomsIn(b) * a.length);
  return a.flatMap((left) => b.map((right) => (right.length === 0 ? left : [...left, ...right])));
}

/** The atoms of a conjunction, those of conjunctions in it included, and what is left: disjunctions and `false`. */
export function splitAnd(parts: readonly Formula[]): { readonly atoms: Atom[]; readonly others: Formula[] } {
  const atoms: Atom[] = [];
  const others: Formula[] = [];
  const walk = (formulas: readonly Formula[]) => {
    for (const formula of formulas) {
      if (formula === true) continue;
      if (formula === false || 'or' in formula) others.push(formula);
      else if ('and' in formula) walk(formula.and);
      else atoms.push(formula);
    }
  };
  walk(parts);
  return { atoms, others };
}
