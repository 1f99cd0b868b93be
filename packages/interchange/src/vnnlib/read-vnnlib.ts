import { CertError, type LinearInequality, type Property, type ViolationCase } from '@cert/core';
import { type Atom, type Conjunction, disjunctiveForm, type Formula, splitAnd, TooManyCases } from './formula.js';
import { type ParsedFile, parseVnnlib } from './parse.js';
import { quotientDown, quotientUp } from './terms.js';
import { badVnnlib } from './tokens.js';

/** Numbers of all cases together above which a property is refused: 400 MB. */
const MOST_NUMBERS = 50_000_000;

/** The box of inputs of one case. */
interface Box {
  readonly lower: Float64Array;
  readonly upper: Float64Array;
}

/**
 * The property that a VNN-LIB file describes: its assertions, all together, are what violates it.
 *
 * Reads VNN-LIB 1.0 (`declare-const`, `assert`, `and`, `or`, comparisons of inputs with numbers and of linear terms of outputs) and, of
 * 2.0, one network with one input and one output. Inputs and outputs are in the order of the file's indices, the C order of the ONNX
 * tensors. Decimals are read as the nearest float64. Strict comparisons are read as those that allow equality, and bounds that follow from
 * arithmetic in the file are rounded outwards: both can only add violations. Cases whose box is empty are left out, so that the result may
 * have none.
 *
 * @param text the file, decompressed
 * @throws CertError `bad-file` with line and column: text that is no VNN-LIB, an input without bounds, sets of inputs that are no boxes,
 * more than 100,000 cases
 */
export function readVnnlib(text: string): Property {
  const file = parseVnnlib(text);
  const { atoms, others } = splitAnd(file.assertions);
  const box: Box = {
    lower: new Float64Array(file.inputs).fill(Number.NEGATIVE_INFINITY),
    upper: new Float64Array(file.inputs).fill(Number.POSITIVE_INFINITY),
  };
  const common = narrow(text, box, atoms);
  const inequalityOf = inequalities(file.outputs);

  let numbers = 0;
  const spend = (count: number) => {
    numbers += count;
    if (numbers > MOST_NUMBERS) throw tooLarge();
  };
  spend(common.length * file.outputs);
  const shared = common.map(inequalityOf);
  const cases: ViolationCase[] = [];
  for (const conjunction of disjunctionsOf(others)) {
    const inputs = conjunction.filter(isAboutInputs);
    spend((conjunction.length - inputs.length) * file.outputs + shared.length);
    let own = box;
    if (inputs.length > 0) {
      spend(2 * file.inputs);
      own = { lower: box.lower.slice(), upper: box.upper.slice() };
    }
    const outputs = narrow(text, own, conjunction);
    if (isEmpty(own)) continue;
    checkBounded(text, own, file);
    cases.push({ ...own, outputs: [...shared, ...outputs.map(inequalityOf)] });
  }
  return { inputs: file.inputs, outputs: file.outputs, cases };
}

const tooLarge = () =>
  new CertError(
    'bad-file',
    'The VNN-LIB file describes too many cases to fit into memory.',
    'Split it into several properties, or write alternatives with fewer combinations of "or".',
  );

function disjunctionsOf(others: readonly Formula[]): readonly Conjunction[] {
  try {
    return disjunctiveForm({ and: others });
  } catch (error) {
    throw error instanceof TooManyCases ? tooLarge() : error;
  }
}

const isAboutInputs = ({ coefficients }: Atom) => {
  for (const { side } of coefficients.keys()) return side === 'input';
  return false;
};

/** Cuts a box by the atoms that are about inputs, in place. Returns those about outputs. */
function narrow(text: string, { lower, upper }: Box, atoms: readonly Atom[]): Atom[] {
  return atoms.filter((atom) => {
    if (!isAboutInputs(atom)) return true;
    for (const [{ index }, coefficient] of atom.coefficients) {
      // Adding 0 turns -0 into 0.
      if (coefficient > 0) upper[index] = Math.min(upper[index]!, quotientUp(atom.bound, coefficient) + 0);
      else lower[index] = Math.max(lower[index]!, quotientDown(atom.bound, coefficient) + 0);
      if (Number.isNaN(lower[index]) || Number.isNaN(upper[index])) {
        throw badVnnlib(text, atom.at, 'a bound that is not a number.', 'Give finite numbers.');
      }
    }
    return false;
  });
}

const isEmpty = ({ lower, upper }: Box) => lower.some((l, i) => l > upper[i]!);

function checkBounded(text: string, { lower, upper }: Box, file: ParsedFile): void {
  const at = lower.findIndex((l, i) => !Number.isFinite(l) || !Number.isFinite(upper[i]!));
  if (at === -1) return;
  const side = Number.isFinite(lower[at]!) ? 'upper' : 'lower';
  throw badVnnlib(
    text,
    text.length,
    `the input ${file.nameOfInput(at)} has no ${side} bound in a case.`,
    'Every input needs a lower and an upper bound in every case.',
  );
}

/** Atoms about outputs as inequalities; each atom is converted once, however many cases have it. */
function inequalities(outputs: number): (atom: Atom) => LinearInequality {
  const known = new Map<Atom, LinearInequality>();
  return (atom) => {
    const before = known.get(atom);
    if (before !== undefined) return before;
    const coefficients = new Float64Array(outputs);
    for (const [{ index }, coefficient] of atom.coefficients) coefficients[index] = coefficient;
    const inequality: LinearInequality = { coefficients, bound: atom.bound + 0 };
    known.set(atom, inequality);
    return inequality;
  };
}
