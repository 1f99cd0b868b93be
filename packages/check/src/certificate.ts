/** The certificate as a file: every field is known, well-formed and used, or named as a hint for people. */
import { floatsOf, fromBase64, sha256 } from './bytes.js';
import { enclose } from './exact.js';
import type { Level } from './ibp.js';
import { countOf, fieldsOf, type Json, listOf, objectOf, parseJson, shapeOf, textOf } from './json.js';
import { sizeOf } from './layers.js';
import type { Slopes } from './linear.js';
import { demand } from './refused.js';

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

  const property = fieldsOf(fields.get('property'), 'property', ['kind', 'label', 'classes']);
  demand(property.get('kind') === 'label', 'the kind of the property is not "label"');
  const classes = countOf(property.get('classes'), 'classes', 2);
  const label = countOf(property.get('label'), 'label', 0);
  demand(label < classes, `the label is ${label} with ${classes} classes`);

  return {
    level,
    label,
    classes,
    network: readNetworkFields(fields.get('network')),
    input: await readInput(fields.get('input')),
    ...readPerturbation(fields.get('perturbation')),
    ...readEvidence(fields.get('evidence')),
  };
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

/** Epsilon as text and as a number, and the ends of valid values, infinite where values are not clipped. */
function readPerturbation(json: Json | undefined) {
  const perturbation = fieldsOf(json, 'perturbation', ['kind', 'epsilon', 'range']);
  demand(perturbation.get('kind') === 'linf', 'the kind of the perturbation is not "linf"');
  const text = textOf(perturbation.get('epsilon'), 'epsilon');
  const epsilon = { text, ...enclose(text, 'epsilon') };
  demand(epsilon.lower >= 0, 'epsilon is below 0');
  const range = perturbation.get('range');
  if (range === null) return { epsilon, range: { lower: Number.NEGATIVE_INFINITY, upper: Number.POSITIVE_INFINITY } };
  const [least, most, ...more] = listOf(range, 'range').map((end) => enclose(textOf(end, 'range'), 'range'));
  demand(least !== undefined && most !== undefined && more.length === 0, 'the range does not have two ends');
  demand(least.lower <= most.upper, 'the range is empty');
  return { epsilon, range: { lower: least.lower, upper: most.upper } };
}

/** Slopes null: interval bound propagation. */
function readEvidence(json: Json | undefined): {
  readonly slopes: Slopes | null;
  readonly intermediate: 'ibp' | 'crown';
} {
  const kind = textOf(objectOf(json, 'evidence').get('kind'), 'evidence: kind');
  demand(kind === 'ibp' || kind === 'linear', `evidence of the kind "${kind}" is not known`);
  const fields = fieldsOf(json, 'evidence', kind === 'ibp' ? ['kind'] : ['kind', 'slopes', 'intermediate']);
  if (kind === 'ibp') return { slopes: null, intermediate: 'ibp' };
  const intermediate = fields.get('intermediate');
  demand(intermediate === 'ibp' || intermediate === 'crown', 'evidence: intermediate is neither "ibp" nor "crown"');
  const slopes = new Map(
    [...objectOf(fields.get('slopes'), 'evidence: slopes')].map(([name, values]) => {
      const where = `evidence: slopes of "${name}"`;
      return [name, floatsOf(fromBase64(textOf(values, where), where), where)] as const;
    }),
  );
  return { slopes, intermediate };
}
