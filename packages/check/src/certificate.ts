/** The certificate as a file: every field is known, well-formed and used, or named as a hint for people. */
import { base64, floatsOf, sha256 } from './bytes.js';
import { enclose } from './exact.js';
import type { Bounds } from './ibp.js';
import {
  any,
  count,
  type Json,
  kinds,
  list,
  number,
  object,
  oneOf,
  parseJson,
  type Read,
  record,
  shape,
  text,
} from './json.js';
import { sizeOf } from './layers.js';
import type { Inequality } from './linear.js';
import { demand } from './refused.js';
import { down, up } from './rounding.js';

const ASSUMPTIONS = ['round-to-nearest', 'one-rounding-per-operation', 'no-overflow', 'convolution-as-sums'];
const ENDING = /"sha256": "([0-9a-f]{64})"\n}\n$/;

/** A number written as a decimal or a fraction. */
const exact: Read<ReturnType<typeof enclose>> = (json, where) => enclose(text(json, where), where);

const hash: Read<string> = (json, where) => {
  demand(/^[0-9a-f]{64}$/.test(text(json, where)), `${where} is no SHA-256 in lower-case hexadecimal`);
  return text(json, where);
};

const FIELDS = object(
  {
    format: text,
    network: object({ path: text, format: text, sha256: hash, tensors: record(hash) }),
    input: any,
    perturbation: any,
    property: any,
    level: oneOf('real', 'deployed'),
    assumptions: list(text),
    evidence: any,
  },
  { method: text, by: text, margins: list(any), sha256: hash },
);
const INPUT = object({ shape, data: base64, sha256: hash }, { index: count(0), dataset: text });
const PERTURBATION = kinds({
  linf: { epsilon: exact, range: (json, where) => (json === null ? null : list(exact)(json, where)) },
  box: { lower: list(exact), upper: list(exact) },
});
const INEQUALITY = object({ coefficients: list(number, 'a coefficient'), bound: exact });
const PROPERTY = kinds({
  label: { classes: count(2), label: count(0) },
  linear: { classes: count(2), cases: list(list(INEQUALITY)) },
});

/** What a certificate claims, and what it brings to show it. */
export type Certificate = Awaited<ReturnType<typeof readCertificate>>;

/** @throws Refused for a field that is missing, unknown or of another form */
export async function readCertificate(written: string) {
  const json = parseJson(written, 'the certificate');
  const format = record(any)(json, 'the certificate').get('format');
  demand(format === 'cert-certificate-1', `the certificate has the format "${format}", not cert-certificate-1`);
  const { network, level, assumptions, evidence, ...fields } = FIELDS(json, 'the certificate');
  if (fields.sha256 !== undefined) await checkSeal(written, fields.sha256);
  for (const each of assumptions) demand(ASSUMPTIONS.includes(each), `"${each}" is no known assumption`);
  const missing = ASSUMPTIONS.find((each) => !assumptions.includes(each));
  demand(level === 'real' || missing === undefined, `level "deployed" assumes "${missing}", which is not stated`);
  const property = readProperty(fields.property);
  const input = await readBox(fields.input, fields.perturbation);
  return { network, level, evidence, ...property, ...input, about: `${property.about} ${input.about}` };
}

/**
 * The last field may be the SHA-256 of all bytes before its value. It shows damage, such as a changed digit of a hint; it does not say who wrote
 * the certificate.
 */
async function checkSeal(written: string, seal: string): Promise<void> {
  const [ending, digits] = ENDING.exec(written) ?? [];
  demand(ending !== undefined && digits === seal, 'the field sha256 of the certificate is not at its end');
  const before = written.slice(0, written.length - ending.length + '"sha256": "'.length);
  demand((await sha256(new TextEncoder().encode(before))) === seal, 'the certificate was changed: its SHA-256 differs');
}

/** How many logits, and the cases that must not occur: at no input of the box all inequalities of a case may hold. */
function readProperty(json: Json) {
  const property = PROPERTY(json, 'the property');
  const { classes } = property;
  if (property.kind === 'label') {
    const { label } = property;
    demand(label < classes, `the label is ${label} with ${classes} classes`);
    const others = Array.from({ length: classes }, (_, j) => j).filter((j) => j !== label);
    const cases = others.map((other): readonly Inequality[] => {
      const coefficients = new Float64Array(classes);
      [coefficients[label], coefficients[other]] = [1, -1];
      return [{ coefficients, bound: 0 }];
    });
    return { classes, cases, about: `label ${label}` };
  }
  const cases = property.cases.map((rows) =>
    rows.map(({ coefficients, bound }): Inequality => {
      demand(coefficients.length === classes, `there are ${coefficients.length} coefficients for ${classes} classes`);
      return { coefficients: Float64Array.from(coefficients), bound: bound.upper };
    }),
  );
  const complete = cases.length > 0 && cases.every((rows) => rows.length > 0);
  demand(complete, 'a property has no case, or a case no inequality');
  return { classes, cases, about: `a property of ${cases.length} cases` };
}

/** The inputs that a certificate speaks of: a box, each end rounded outwards. */
async function readBox(json: Json, perturbed: Json) {
  const perturbation = PERTURBATION(perturbed, 'the perturbation');
  if (perturbation.kind === 'box') {
    const input = object({ shape })(json, 'the input');
    const { lower, upper } = perturbation;
    const size = sizeOf(input.shape);
    demand(lower.length === size && upper.length === size, `the box does not have the shape [${input.shape}]`);
    const box: Bounds = {
      lower: Float64Array.from(lower, (end) => end.lower),
      upper: Float64Array.from(upper, (end) => end.upper),
    };
    return { shape: input.shape, box, about: 'within a box' };
  }
  const input = INPUT(json, 'the input');
  demand((await sha256(input.data)) === input.sha256, 'the SHA-256 of the input differs');
  const data = floatsOf(input.data, 'the input: data');
  demand(data.length === sizeOf(input.shape), `the input: data does not have the shape [${input.shape}]`);
  const { epsilon, range } = perturbation;
  demand(epsilon.lower >= 0, 'epsilon is below 0');
  demand(range === null || range.length === 2, 'the range does not have two ends');
  const [least, most] = [range?.[0]?.lower ?? Number.NEGATIVE_INFINITY, range?.[1]?.upper ?? Number.POSITIVE_INFINITY];
  demand(least <= most, 'the range is empty');
  const box: Bounds = {
    lower: Float64Array.from(data, (x) => Math.max(least, down(x - epsilon.upper))),
    upper: Float64Array.from(data, (x) => Math.min(most, up(x + epsilon.upper))),
  };
  return { shape: input.shape, box, about: `within ${epsilon.text}` };
}
