/** The certificate as a file: every field is known, well-formed and used, but for `about`, which is for people. */

import type { Bounds } from './bounds.js';
import { base64, floatsOf, sha256 } from './bytes.js';
import { enclose } from './exact.js';
import * as json from './json.js';
import { sizeOf } from './layers.js';
import type { Inequality } from './linear.js';
import { demand } from './refused.js';
import { down, up } from './rounding.js';

const { any, count, kindOf, list, number, object, oneOf, text } = json;
const FORMAT = 'cert-certificate-3';
/** What each level assumes of executions. */
const ASSUMPTIONS = {
  real: [],
  deployed: ['round-to-nearest', 'one-rounding-per-operation', 'no-overflow', 'convolution-as-sums'],
};

const isHash = (field: json.Json): field is string => typeof field === 'string' && /^[0-9a-f]{64}$/.test(field);
const hash = json.such(isHash, 'a SHA-256 in lower-case hexadecimal');
/** A number as text: bounds of it, and the text. */
const exact: json.Read<ReturnType<typeof enclose>> = (field, where) => enclose(text(field, where), where);
const format = oneOf('cert-safetensors', 'onnx');
const FIELDS = {
  ...{ format: text, level: oneOf('real', 'deployed'), assumptions: list(text) },
  network: object({ path: text, format, sha256: hash, tensors: json.record(hash) }),
  ...{ input: any, perturbation: any, property: any, evidence: list(any) },
};
const INPUT = object({ shape: json.shape, data: base64, sha256: hash });
const BALL = object({ kind: any, epsilon: exact, range: any });
const BOXES = object({ kind: any, boxes: list(object({ lower: list(exact), upper: list(exact) }), 1) });
const LABEL = object({ kind: any, classes: count(2), label: count(0) });
const INEQUALITY = object({ coefficients: list(number), bound: exact });
const LINEAR = object({ kind: any, classes: count(1), cases: list(list(INEQUALITY, 1), 1) });

/** What a certificate claims, and what it brings to show it. */
export type Certificate = Awaited<ReturnType<typeof readCertificate>>;

/** @throws Refused for a field that is missing, unknown or of another form */
export async function readCertificate(written: string) {
  const parsed = json.parseJson(written, 'the certificate');
  const found = json.record(any)(parsed, 'the certificate');
  demand(found.has('format'), 'this is no certificate: the field "format" is missing');
  demand(found.get('format') === FORMAT, `the certificate has the format "${found.get('format')}", not ${FORMAT}`);
  const fields = object(FIELDS, { about: any, sha256: hash })(parsed, 'the certificate');
  // It shows damage, such as a changed digit in `about`; it does not say who wrote the certificate.
  const { sha256: seal, ...sealed } = Object.fromEntries(found);
  const own = await sha256(new TextEncoder().encode(JSON.stringify(sealed)));
  demand(seal === undefined || seal === own, 'the certificate was changed: its SHA-256 differs');
  const { network, level, assumptions, evidence } = fields;
  const stated = `${assumptions}` === `${ASSUMPTIONS[level]}`;
  demand(stated, `level "${level}" assumes [${ASSUMPTIONS[level]}], and the certificate states [${assumptions}]`);
  const property = readProperty(fields.property);
  const input = await readInputs(fields.input, fields.perturbation);
  return { network, level, evidence, ...property, ...input, about: `${property.about} ${input.about}` };
}

/**
 * How many logits, and the cases that must not occur: at no input of the box all inequalities of a case may hold. They are listed once the network is known
 * to have so many logits.
 */
function readProperty(field: json.Json) {
  if (kindOf(field, 'the property', 'label', 'linear') === 'label') {
    const { classes, label } = LABEL(field, 'the property');
    demand(label < classes, `the label is ${label} with ${classes} classes`);
    const casesOf = (): readonly (readonly Inequality[])[] => {
      const zeros = new Float64Array(classes);
      const others = [...zeros.keys()].filter((other) => other !== label);
      return others.map((other) => [{ coefficients: zeros.with(label, 1).with(other, -1), bound: 0 }]);
    };
    return { classes, casesOf, about: `label ${label}` };
  }
  const { classes, cases } = LINEAR(field, 'the property');
  const read = ({ coefficients, bound }: ReturnType<typeof INEQUALITY>): Inequality => {
    demand(coefficients.length === classes, `there are ${coefficients.length} coefficients for ${classes} classes`);
    return { coefficients: Float64Array.from(coefficients), bound: bound.upper };
  };
  return { classes, casesOf: () => cases.map((rows) => rows.map(read)), about: `a property of ${cases.length} cases` };
}

/** The inputs that a certificate speaks of: boxes, each end rounded outwards, or a Euclidean ball within a box. */
async function readInputs(field: json.Json, perturbed: json.Json) {
  const kind = kindOf(perturbed, 'the perturbation', 'linf', 'l2', 'boxes');
  if (kind === 'boxes') {
    const { shape } = object({ shape: json.shape })(field, 'the input');
    const boxes = BOXES(perturbed, 'the perturbation').boxes.map(({ lower, upper }): Bounds => {
      const fits = lower.length === sizeOf(shape) && upper.length === sizeOf(shape);
      demand(fits, `a box does not have the shape [${shape}]`);
      return {
        lower: Float64Array.from(lower, (end) => end.lower),
        upper: Float64Array.from(upper, (end) => end.upper),
      };
    });
    return { shape, boxes, about: boxes.length === 1 ? 'within a box' : `within ${boxes.length} boxes` };
  }
  const { shape, data, sha256: named } = INPUT(field, 'the input');
  demand((await sha256(data)) === named, 'the SHA-256 of the input differs');
  const center = floatsOf(data, 'the input: data');
  demand(center.length === sizeOf(shape), `the input: data does not have the shape [${shape}]`);
  const { epsilon, range } = BALL(perturbed, 'the perturbation');
  demand(epsilon.lower >= 0, 'epsilon is below 0');
  const [bottom, top] = range === null ? [] : list(exact, 2, 2)(range, 'the range');
  const [least, most] = [bottom?.lower ?? Number.NEGATIVE_INFINITY, top?.upper ?? Number.POSITIVE_INFINITY];
  demand(least <= most, 'the range is empty');
  const box: Bounds = {
    lower: Float64Array.from(center, (x) => Math.max(least, down(x - epsilon.upper))),
    upper: Float64Array.from(center, (x) => Math.min(most, up(x + epsilon.upper))),
    ball: kind === 'l2' ? { center, radius: epsilon.upper } : undefined,
  };
  return { shape, boxes: [box], about: `within ${epsilon.text}${kind === 'l2' ? ' in l2' : ''}` };
}
