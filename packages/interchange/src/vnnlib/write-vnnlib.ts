import { CertError, type LinearInequality, type Property, type ViolationCase } from '@cert/core';

/**
 * Returns a property as the text of a VNN-LIB 1.0 file, in the form that tools of VNN-COMP read: declarations, one assertion for each bound
 * of an input, and the violations as an `or` of `and`s. `readVnnlib` returns the same property: numbers are written in full precision,
 * without exponents.
 *
 * Comparisons of two outputs and of an output with a number are written as such; other inequalities as sums of products, which not every
 * tool reads. A property without cases becomes a box without points.
 *
 * @param property inputs in the order of the ONNX input (see `propertyInFile`), outputs in the order of the ONNX output
 * @param comment lines at the head of the file; default none
 * @throws CertError `bad-argument` for numbers that are not finite and for a lower bound above the upper one; `shape-mismatch` for a case
 * with another number of inputs or outputs
 */
export function writeVnnlib(property: Property, comment = ''): string {
  const { inputs, outputs, cases } = property;
  for (const [i, each] of cases.entries()) checkCase(each, i, property);
  const lines = comment === '' ? [] : comment.split(/\r\n|\r|\n/).map((line) => `; ${line}`.trimEnd());
  for (let i = 0; i < inputs; i++) lines.push(`(declare-const X_${i} Real)`);
  for (let i = 0; i < outputs; i++) lines.push(`(declare-const Y_${i} Real)`);
  const possible = cases.filter((each) => each.outputs.every(isPossible));
  const [first] = possible;
  if (first === undefined) {
    const empty = Array.from({ length: inputs }, (_, i) => [`(>= X_${i} 1)`, `(<= X_${i} 0)`]).flat();
    return file(lines, empty);
  }
  if (!possible.every((each) => sameBox(first, each))) {
    const all = possible.map((each) => [...boxOf(each), ...conditionsOf(each)]);
    return file(lines, [disjunction(all)]);
  }
  const alternatives = possible.map(conditionsOf);
  // Every input of the box is a violation.
  if (alternatives.some(({ length }) => length === 0)) return file(lines, boxOf(first));
  const outside = alternatives.length === 1 ? alternatives[0]! : [disjunction(alternatives)];
  return file(lines, [...boxOf(first), ...outside]);
}

const file = (head: readonly string[], assertions: readonly string[]): string =>
  `${[...head, '', ...assertions.map((assertion) => `(assert ${assertion})`)].join('\n')}\n`;

const disjunction = (cases: readonly (readonly string[])[]): string =>
  `(or\n${cases.map((all) => `  (and ${all.join(' ')})`).join('\n')}\n)`;

const sameNumbers = (a: Float64Array, b: Float64Array) => a === b || a.every((value, i) => value === b[i]);

const sameBox = (a: ViolationCase, b: ViolationCase) => sameNumbers(a.lower, b.lower) && sameNumbers(a.upper, b.upper);

function boxOf({ lower, upper }: ViolationCase): string[] {
  const bounds: string[] = [];
  lower.forEach((value, i) => {
    bounds.push(`(>= X_${i} ${decimal(value)})`, `(<= X_${i} ${decimal(upper[i]!)})`);
  });
  return bounds;
}

const isConstant = ({ coefficients }: LinearInequality) => coefficients.every((c) => c === 0);
/** Whether an inequality has solutions: 0 <= -1 has none. */
const isPossible = (inequality: LinearInequality) => !isConstant(inequality) || inequality.bound >= 0;

const conditionsOf = ({ outputs }: ViolationCase): string[] =>
  outputs.filter((each) => !isConstant(each)).map(inequalityText);

/** coefficients . Y <= bound. */
function inequalityText({ coefficients, bound }: LinearInequality): string {
  const terms = [...coefficients.entries()].filter(([, c]) => c !== 0);
  const at = (coefficient: number) => terms.find(([, c]) => c === coefficient)?.[0];
  const [plus, minus] = [at(1), at(-1)];
  if (terms.length === 1 && plus !== undefined) return `(<= Y_${plus} ${decimal(bound)})`;
  if (terms.length === 1 && minus !== undefined) return `(>= Y_${minus} ${decimal(-bound)})`;
  if (terms.length === 2 && plus !== undefined && minus !== undefined && bound === 0)
    return `(<= Y_${plus} Y_${minus})`;
  const products = terms.map(([i, c]) => `(* ${decimal(c)} Y_${i})`);
  const sum = products.length === 1 ? products[0]! : `(+ ${products.join(' ')})`;
  return `(<= ${sum} ${decimal(bound)})`;
}

/** The shortest decimal that is read as the same float64, without an exponent, which some tools do not read. */
function decimal(value: number): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value === 0 ? 0 : value)) ?? [];
  const shift = Number(exponent);
  if (shift === 0) return fraction === '' ? `${sign}${whole}` : `${sign}${whole}.${fraction}`;
  const digits = whole + fraction;
  const point = whole.length + shift;
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return point >= digits.length
    ? `${sign}${digits}${'0'.repeat(point - digits.length)}`
    : `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

function checkCase(
  { lower, upper, outputs: inequalities }: ViolationCase,
  i: number,
  { inputs, outputs }: Property,
): void {
  const lengths = [lower, upper].every(({ length }) => length === inputs);
  if (!lengths || inequalities.some(({ coefficients }) => coefficients.length !== outputs)) {
    throw new CertError(
      'shape-mismatch',
      `Case ${i} of the property does not have ${inputs} inputs and ${outputs} outputs.`,
      'Give bounds for every input and a coefficient for every output.',
    );
  }
  const bad = lower.findIndex(
    (value, at) => !(Number.isFinite(value) && Number.isFinite(upper[at]!) && value <= upper[at]!),
  );
  if (bad >= 0) {
    throw new CertError(
      'bad-argument',
      `Case ${i} of the property has the bounds [${lower[bad]}, ${upper[bad]}] for input ${bad}.`,
      'Give finite bounds, the lower one first.',
    );
  }
  const at = inequalities.findIndex(({ coefficients, bound }) => ![...coefficients, bound].every(Number.isFinite));
  if (at < 0) return;
  throw new CertError(
    'bad-argument',
    `Case ${i} of the property has an inequality ${at} with a number that is NaN or infinite.`,
    'Give finite coefficients and a finite bound.',
  );
}
