/** The certificate as a file: every field is known, well-formed and used, or named as a hint for people. */

import type { Bounds } from './bounds.js';
import { base64, floatsOf, sha256 } from './bytes.js';
import { enclose } from './exact.js';
import * as json from './json.js';
import { sizeOf } from './layers.js';
import type { Inequality } from './linear.js';
import { demand } from './refused.js';
import { down, up } from './rounding.js';

const { any, count, list, object, text } = json;
const ASSUMPTIONS = ['round-to-nearest', 'one-rounding-per-operation', 'no-overflow', 'convolution-as-sums'];
const ENDING = /"sha256": "([0-9a-f]{64})"\n}\n$/;

const hash = json.such(text, (digits) => /^[0-9a-f]{64}$/.test(digits), 'a SHA-256 in lower-case hexadecimal');

/** A number as text: bounds of it, and the text. */
const exact: json.Read<ReturnType<typeof enclose>> = (field, where) => enclose(text(field, where), where);

const FIELDS = {
  ...{ format: text, input: any, perturbation: any, property: any, evidence: any, assumptions: list(text) },
  network: object({
    path: text,
    format: json.oneOf('cert-safetensors', 'onnx'),
    sha256: hash,
    tensors: json.record(hash),
  }),
  level: json.oneOf('real', 'deployed'),
};
const INPUT = object({ shape: json.shape, data: base64, sha256: hash }, { index: count(0), dataset: text });
const ENDS = { lower: list(exact), upper: list(exact) };
const BOXES = object({ kind: any, boxes: list(any) });
const INEQUALITY = object({ coefficients: list(json.number, 'a coefficient'), bound: exact });

/** What a certificate claims, and what it brings to show it. */
export type Certificate = Awaited<ReturnType<typeof readCertificate>>;

/** @throws Refused for a field that is missing, unknown or of another form */
export async function readCertificate(written: string) {
  const parsed = json.parseJson(written, 'the certificate');
  const found = json.record(any)(parsed, 'the certificate');
  const format = found.get('format');
  demand(format === 'cert-certificate-2', `the certificate has the format "${format}", not cert-certificate-2`);
  const fields = object(FIELDS, { method: text, by: text, margins: list(any), sha256: hash })(
    parsed,
    'the certificate',
  );
  await checkSeal(written, found.get('sha256'));

  const { network, level, assumptions, evidence } = fields;
  for (const each of assumptions) demand(ASSUMPTIONS.includes(each), `"${each}" is no known assumption`);
  const missing = ASSUMPTIONS.find((each) => !assumptions.includes(each));
  demand(level === 'real' || missing === undefined, `level "deployed" assumes "${missing}", which is not stated`);
  const property = readProperty(fields.property);
  const input = await readInputs(fields.input, fields.perturbation);
  return { network, level, evidence, ...property, ...input, about: `${property.about} ${input.about}` };
}

/**
 * The last field may be the SHA-256 of all bytes before its value. It shows damage, such as a changed digit of a hint; it does not say who wrote
 * the certificate.
 */
async function checkSeal(written: string, seal: json.Json | undefined): Promise<void> {
  if (seal === undefined) return;
  const [ending, digits] = ENDING.exec(written) ?? [];
  demand(ending !== undefined && digits === seal, 'the field sha256 of the certificate is not at its end');
  const before = written.slice(0, written.length - ending.length + '"sha256": "'.length);
  demand((await sha256(new TextEncoder().encode(before))) === seal, 'the certificate was changed: its SHA-256 differs');
}

/** How many logits, and the cases that must not occur: at no input of the box all inequalities of a case may hold. */
function readProperty(field: json.Json) {
  const form = { kind: any, classes: count(1) };
  if (json.kindOf(field, 'the property', 'label', 'linear') === 'label') {
    const { classes, label } = object({ ...form, classes: count(2), label: count(0) })(field, 'the property');
    demand(label < classes, `the label is ${label} with ${classes} classes`);
    const others = Array.from({ length: classes }, (_, j) => j).filter((j) => j !== label);
    const zeros = new Float64Array(classes);
    const cases = others.map((other) => [{ coefficients: zeros.with(label, 1).with(other, -1), bound: 0 }]);
    return { classes, cases, about: `label ${label}` };
  }
  const { classes, cases } = object({ ...form, cases: list(list(INEQUALITY)) })(field, 'the property');
  const complete = cases.length > 0 && cases.every((rows) => rows.length > 0);
  demand(complete, 'a property has no case, or a case no inequality');
  const read = ({ coefficients, bound }: ReturnType<typeof INEQUALITY>): Inequality => {
    demand(coefficients.length === classes, `there are ${coefficients.length} coefficients for ${classes} classes`);
    return { coefficients: Float64Array.from(coefficients), bound: bound.upper };
  };
  return { classes, cases: cases.map((rows) => rows.map(read)), about: `a property of ${cases.length} cases` };
}

/** The inputs that a certificate speaks of: boxes, each end rounded outwards, or a Euclidean ball within a box. */
async function readInputs(field: json.Json, perturbed: json.Json) {
  const kind = json.kindOf(perturbed, 'the perturbation', 'linf', 'l2', 'box', 'boxes');
  if (kind === 'box' || kind === 'boxes') {
    const { shape } = object({ shape: json.shape })(field, 'the input');
    const given = kind === 'box' ? [perturbed] : BOXES(perturbed, 'the perturbation').boxes;
    const read = kind === 'box' ? object({ kind: any, ...ENDS }) : object(ENDS);
    const boxes = given.map((each): Bounds => {
      const ends = read(each, 'the perturbation');
      const fits = ends.lower.length === sizeOf(shape) && ends.upper.length === sizeOf(shape);
      demand(fits, `a box does not have the shape [${shape}]`);
      const lower = Float64Array.from(ends.lower, ({ lower }) => lower);
      return { lower, upper: Float64Array.from(ends.upper, ({ upper }) => upper) };
    });
    demand(boxes.length > 0, 'the perturbation has no box');
    return { shape, boxes, about: boxes.length === 1 ? 'within a box' : `within ${boxes.length} boxes` };
  }
  const { shape, data, sha256: named } = INPUT(field, 'the input');
  demand((await sha256(data)) === named, 'the SHA-256 of the input differs');
  const center = floatsOf(data, 'the input: data');
  demand(center.length === sizeOf(shape), `the input: data does not have the shape [${shape}]`);
  const { epsilon, range } = object({ kind: any, epsilon: exact, range: any })(perturbed, 'the perturbation');
  demand(epsilon.lower >= 0, 'epsilon is below 0');
  const ends = range === null ? [] : list(exact)(range, 'the range');
  demand(ends.length === (range === null ? 0 : 2), 'the range does not have two ends');
  const [least, most] = [ends[0]?.lower ?? Number.NEGATIVE_INFINITY, ends[1]?.upper ?? Number.POSITIVE_INFINITY];
  demand(least <= most, 'the range is empty');
  const box: Bounds = {
    lower: Float64Array.from(center, (x) => Math.max(least, down(x - epsilon.upper))),
    upper: Float64Array.from(center, (x) => Math.min(most, up(x + epsilon.upper))),
    ball: kind === 'l2' ? { center, radius: epsilon.upper } : undefined,
  };
  return { shape, boxes: [box], about: `within ${epsilon.text}${kind === 'l2' ? ' in l2' : ''}` };
}
