/** The certificate as a file: every field is known, well-formed and used, or named as a hint for people. */
import { floatsOf, fromBase64, sha256 } from './bytes.js';
import { enclose } from './exact.js';
import type { Bounds, Level } from './ibp.js';
import { countOf, fieldsOf, type Json, listOf, numberOf, objectOf, parseJson, shapeOf, textOf } from './json.js';
import { sizeOf } from './layers.js';
import type { Inequality } from './linear.js';
import { demand } from './refused.js';
import { down, up } from './rounding.js';

const LEVELS: readonly Level[] = ['real', 'deployed'];
const FORMATS = ['cert-safetensors', 'onnx'];

/** What a certificate claims, and what it brings to show it. */
export type Certificate = Awaited<ReturnType<typeof readCertificate>>;

const ASSUMPTIONS = ['round-to-nearest', 'one-rounding-per-operation', 'no-overflow', 'convolution-as-sums'];
const ENDING = /"sha256": "([0-9a-f]{64})"\n}\n$/;

/** @throws Refused for a field that is missing, unknown or of another form */
export async function readCertificate(text: string) {
  const fields = fieldsOf(
    parseJson(text, 'the certificate'),
    'the certificate',
    ['format', 'network', 'input', 'perturbation', 'property', 'level', 'assumptions', 'evidence'],
    ['method', 'margins', 'by', 'sha256'],
  );
  const format = textOf(fields.get('format'), 'format');
  demand(format === 'cert-certificate-1', `the certificate has the format "${format}", not cert-certificate-1`);
  await checkSeal(text, fields.get('sha256'));
  for (const hint of ['method', 'by']) if (fields.has(hint)) textOf(fields.get(hint), hint);
  if (fields.has('margins')) listOf(fields.get('margins'), 'margins');

  const level = LEVELS.find((each) => each === fields.get('level'));
  demand(level !== undefined, `the level is "${fields.get('level')}", neither "real" nor "deployed"`);
  const assumptions = listOf(fields.get('assumptions'), 'assumptions').map((each) => textOf(each, 'assumptions'));
  for (const each of assumptions) demand(ASSUMPTIONS.includes(each), `"${each}" is no known assumption`);
  const missing = ASSUMPTIONS.find((each) => !assumptions.includes(each));
  demand(level === 'real' || missing === undefined, `level "deployed" assumes "${missing}", which is not stated`);

  const property = readProperty(fields.get('property'));
  const input = await readBox(fields.get('input'), fields.get('perturbation'));
  return {
    ...{ level, ...property, ...input, about: `${property.about} ${input.about}` },
    network: readNetworkFields(fields.get('network')),
    evidence: fields.get('evidence'),
  };
}

/** How many logits, and the cases that must not occur: at no input of the box all inequalities of a case may hold. */
function readProperty(json: Json | undefined) {
  const kind = objectOf(json, 'property').get('kind');
  demand(kind === 'label' || kind === 'linear', 'the kind of the property is neither "label" nor "linear"');
  const property = fieldsOf(json, 'property', ['kind', 'classes', kind === 'label' ? 'label' : 'cases']);
  const classes = countOf(property.get('classes'), 'classes', 2);
  if (kind === 'linear') {
    const cases = listOf(property.get('cases'), 'cases').map((rows) =>
      listOf(rows, 'a case').map((row) => readInequality(row, classes)),
    );
    demand(
      cases.length > 0 && cases.every((rows) => rows.length > 0),
      'a property has no case, or a case no inequality',
    );
    return { classes, cases, about: `a property of ${cases.length} cases` };
  }
  const label = countOf(property.get('label'), 'label', 0);
  demand(label < classes, `the label is ${label} with ${classes} classes`);
  const others = Array.from({ length: classes }, (_, j) => j).filter((j) => j !== label);
  const cases = others.map((other): readonly Inequality[] => {
    const coefficients = new Float64Array(classes);
    [coefficients[label], coefficients[other]] = [1, -1];
    return [{ coefficients, bound: 0 }];
  });
  return { classes, cases, about: `label ${label}` };
}

function readInequality(json: Json, classes: number): Inequality {
  const row = fieldsOf(json, 'an inequality', ['coefficients', 'bound']);
  const coefficients = listOf(row.get('coefficients'), 'coefficients').map((each) => numberOf(each, 'a coefficient'));
  demand(coefficients.length === classes, `there are ${coefficients.length} coefficients for ${classes} classes`);
  const bound = enclose(textOf(row.get('bound'), 'bound'), 'bound').upper;
  return { coefficients: Float64Array.from(coefficients), bound };
}

/**
 * The last field may be the SHA-256 of all bytes before its value. It shows damage, such as a changed digit of a hint; it does not say who wrote
 * the certificate.
 */
async function checkSeal(text: string, seal: Json | undefined): Promise<void> {
  if (seal === undefined) return;
  const [ending, digits] = ENDING.exec(text) ?? [];
  demand(ending !== undefined && digits === seal, 'the field sha256 of the certificate is not at its end');
  const before = text.slice(0, text.length - ending.length + '"sha256": "'.length);
  demand((await sha256(new TextEncoder().encode(before))) === seal, 'the certificate was changed: its SHA-256 differs');
}

function hashOf(json: Json | undefined, where: string): string {
  const hash = textOf(json, where);
  demand(/^[0-9a-f]{64}$/.test(hash), `${where} is no SHA-256 in lower-case hexadecimal`);
  return hash;
}

function readNetworkFields(json: Json | undefined) {
  const network = fieldsOf(json, 'network', ['path', 'format', 'sha256', 'tensors']);
  const format = FORMATS.find((each) => each === network.get('format'));
  demand(
    format !== undefined,
    `networks of the format "${network.get('format')}" are not read, only ${FORMATS.join(' and ')}`,
  );
  const tensors = objectOf(network.get('tensors'), 'network: tensors');
  return {
    path: textOf(network.get('path'), 'network: path'),
    format,
    sha256: hashOf(network.get('sha256'), 'network: sha256'),
    tensors: new Map([...tensors].map(([name, hash]) => [name, hashOf(hash, `network: tensors: "${name}"`)])),
  };
}

async function readInput(json: Json | undefined) {
  const input = fieldsOf(json, 'input', ['shape', 'data', 'sha256'], ['index', 'dataset']);
  const shape = shapeOf(input.get('shape'), 'input: shape');
  const bytes = fromBase64(textOf(input.get('data'), 'input: data'), 'input: data');
  demand((await sha256(bytes)) === hashOf(input.get('sha256'), 'input: sha256'), 'the SHA-256 of the input differs');
  if (input.has('index')) countOf(input.get('index'), 'input: index', 0);
  if (input.has('dataset')) textOf(input.get('dataset'), 'input: dataset');
  const data = floatsOf(bytes, 'input: data');
  demand(data.length === sizeOf(shape), `input: data does not have the shape [${shape}]`);
  return { shape, data };
}

/** The inputs that a certificate speaks of: a box, each end rounded outwards. */
async function readBox(json: Json | undefined, perturbed: Json | undefined) {
  const kind = objectOf(perturbed, 'perturbation').get('kind');
  demand(kind === 'linf' || kind === 'box', 'the kind of the perturbation is neither "linf" nor "box"');
  if (kind === 'box') {
    const shape = shapeOf(fieldsOf(json, 'input', ['shape']).get('shape'), 'input: shape');
    const fields = fieldsOf(perturbed, 'perturbation', ['kind', 'lower', 'upper']);
    const ends = (key: 'lower' | 'upper') =>
      Float64Array.from(listOf(fields.get(key), key), (end) => enclose(textOf(end, key), key)[key]);
    const box: Bounds = { lower: ends('lower'), upper: ends('upper') };
    const fits = box.lower.length === sizeOf(shape) && box.upper.length === sizeOf(shape);
    demand(fits, `the box does not have the shape [${shape}]`);
    return { shape, box, about: 'within a box' };
  }
  const { shape, data } = await readInput(json);
  const perturbation = fieldsOf(perturbed, 'perturbation', ['kind', 'epsilon', 'range']);
  const text = textOf(perturbation.get('epsilon'), 'epsilon');
  const epsilon = enclose(text, 'epsilon');
  demand(epsilon.lower >= 0, 'epsilon is below 0');
  const range = perturbation.get('range');
  const ends = range === null ? [] : listOf(range, 'range').map((end) => enclose(textOf(end, 'range'), 'range'));
  demand(ends.length === (range === null ? 0 : 2), 'the range does not have two ends');
  const [least, most] = [ends[0]?.lower ?? Number.NEGATIVE_INFINITY, ends[1]?.upper ?? Number.POSITIVE_INFINITY];
  demand(least <= most, 'the range is empty');
  const box: Bounds = {
    lower: Float64Array.from(data, (x) => Math.max(least, down(x - epsilon.upper))),
    upper: Float64Array.from(data, (x) => Math.min(most, up(x + epsilon.upper))),
  };
  return { shape, box, about: `within ${text}` };
}
