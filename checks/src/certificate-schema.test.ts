/** The JSON schema of certificates, held against what the packages write and what the checker takes. */
import { createRequire } from 'node:module';
import { checkCertificate } from '@cert/check';
import { dense, initialStats, l2, linf, outputInterval, relu, sequential } from '@cert/core';
import { onnxInitializers, toOnnx } from '@cert/interchange';
import { encodeCheckpoint, sha256 } from '@cert/models';
import {
  type BoxEvidence,
  type Certificate,
  type CertificateOptions,
  type CertifiedNetwork,
  certificateText,
  certifiedNetwork,
  createCertificate,
  createPropertyCertificate,
} from '@cert/verify';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';

const schema: object = createRequire(import.meta.url)('@cert/check/certificate.schema.json');
const fits = new Ajv2020({ allErrors: true }).compile(schema);

/** The first reason why a value does not fit; undefined if it fits. */
const misfit = (value: unknown): string | undefined =>
  fits(value) ? undefined : fits.errors!.map(({ instancePath, message }) => `${instancePath} ${message}`).join('; ');

const tensor = (shape: readonly number[], ...data: readonly number[]) => ({ shape, data: Float32Array.from(data) });

/** A network of two layers, the first of which changes nothing. @param kernel of the second one */
function networkOf(outputs: number, kernel: readonly number[]) {
  const model = sequential([2], [dense(2), relu(), dense(outputs)]);
  const params = {
    dense1: { kernel: tensor([2, 2], 1, 0, 0, 1), bias: tensor([2], 0, 0) },
    dense2: { kernel: tensor([2, outputs], ...kernel), bias: tensor([outputs], ...new Array<number>(outputs).fill(0)) },
  };
  return { model, params, stats: initialStats(model) };
}

/** Logits x + y, 0 and -x where both are positive. */
const classifier = networkOf(3, [1, 0, -1, 1, 0, 0]);
const checkpoint = encodeCheckpoint(classifier);
const onnx = toOnnx(classifier, { batch: 1 });
/** x + y. */
const regression = encodeCheckpoint(networkOf(1, [1, 1]));

const files: { readonly [path: string]: Uint8Array<ArrayBuffer> } = {
  'net.safetensors': new Uint8Array(checkpoint),
  'net.onnx': new Uint8Array(onnx),
  'price.safetensors': new Uint8Array(regression),
};
const byPath = {
  checkpoint: certifiedNetwork(checkpoint, 'net.safetensors'),
  onnx: {
    ...{ path: 'net.onnx', format: 'onnx', sha256: sha256(onnx) },
    tensors: Object.fromEntries(Object.entries(onnxInitializers(onnx)).map(([name, data]) => [name, sha256(data)])),
  },
  regression: certifiedNetwork(regression, 'price.safetensors'),
} satisfies { readonly [name: string]: CertifiedNetwork };

/** Whether the checker proves the claim again. */
const verdictOf = (text: string) => checkCertificate(text, async (path) => files[path]!);

const ibp: BoxEvidence = { kind: 'ibp' };
const linear: BoxEvidence = { kind: 'linear', intermediate: 'crown' };
const leaf = { row: 0, slopes: '', multipliers: [] };
/** A split of an input for the first of the other classes, and none for the second. */
const tree: BoxEvidence = {
  ...{ kind: 'tree', intermediate: 'crown', neurons: [] },
  cases: [[{ input: 0, at: 1 }, leaf, leaf], [leaf]],
};
/** The same with a split of a ReLU, and leaves with a slope of one neuron. */
const reluTree = (name: string): BoxEvidence => ({
  ...{ kind: 'tree', intermediate: 'ibp', neurons: [{ relu: name, neurons: [1] }] },
  cases: [
    [
      { relu: name, neuron: 0 },
      { row: 0, slopes: '/w==', multipliers: [0.5] },
      { row: 0, slopes: 'AA==', multipliers: [0] },
    ],
    [{ row: 0, slopes: 'gA==', multipliers: [] }],
  ],
});

const label: CertificateOptions = {
  ...{ network: byPath.checkpoint, level: 'deployed', method: 'ibp', evidence: ibp, margin: 1 },
  ...{ pixels: Float32Array.of(1, 2), shape: [2], label: 0, classes: 3 },
  perturbation: linf({ epsilon: 0.25, range: null }),
};
const box = (x: number, y: number) => ({ lower: Float64Array.of(x, y), upper: Float64Array.of(x + 0.5, y + 0.5) });
/** Output 0 is at least 1 in a box. */
const atLeast = (at: ReturnType<typeof box>) => outputInterval(at, { outputs: 3, output: 0, min: 1, max: 100 });
const property = atLeast(box(1, 1));
const properties = { ...property, cases: [box(1, 1), box(2, 3)].flatMap((at) => atLeast(at).cases) };
const linearCases: BoxEvidence = { ...{ kind: 'tree', intermediate: 'crown', neurons: [] }, cases: [[leaf], [leaf]] };

const certificates: { readonly [name: string]: Certificate } = {
  'a label in an l-infinity ball, by IBP': createCertificate({ ...label, source: { index: 3, dataset: 'points' } }),
  'a label in a ball with a range, at level real': createCertificate({
    ...{ ...label, level: 'real', perturbation: linf({ epsilon: 0.25, range: { min: 0, max: 8 } }) },
  }),
  'a label in a Euclidean ball, by linear bounds': createCertificate({
    ...{ ...label, evidence: linear, perturbation: l2({ epsilon: 0.25, range: null }) },
  }),
  'a label, by splits of the box': createCertificate({ ...label, evidence: tree }),
  'a label, by splits of ReLUs': createCertificate({ ...label, evidence: reluTree('relu1') }),
  'a label in a box of features': createCertificate({
    ...{ ...label, perturbation: linf({ epsilon: 0.25, scale: [1, 2], range: null }) },
  }),
  'a label in the boxes of categories': createCertificate({
    ...label,
    pixels: Float32Array.of(1, 0),
    perturbation: linf({ epsilon: 0.25, scale: 0, range: null, categories: [[0, 1]] }),
    evidence: { kind: 'boxes', boxes: [ibp, linear] },
  }),
  'a label of an ONNX network': createCertificate({ ...label, network: byPath.onnx, evidence: linear }),
  'a prediction within a tolerance': createCertificate({
    ...{ ...label, network: byPath.regression, classes: 1, tolerance: { target: 3, delta: 0.75 } },
  }),
  'linear inequalities in a box': createPropertyCertificate({ ...label, evidence: linearCases, property }),
  'linear inequalities in boxes of an ONNX network': createPropertyCertificate({
    ...{ ...label, network: byPath.onnx, property: properties },
    evidence: { kind: 'boxes', boxes: [ibp, linearCases] },
  }),
};

describe('the schema takes', () => {
  it.each(Object.entries(certificates))('%s, which the checker proves', async (_, certificate) => {
    const text = certificateText(certificate);
    expect(misfit(JSON.parse(text))).toBeUndefined();
    expect(await verdictOf(text)).toMatchObject({ holds: true });
  });

  it('every kind of property, perturbation, evidence and network', () => {
    const kinds = Object.values(certificates).flatMap(({ network, property: { kind }, perturbation, evidence }) =>
      evidence.map((each) => [network.format, kind, perturbation.kind, each.kind]),
    );
    const seen = [0, 1, 2, 3].map((i) => new Set(kinds.map((each) => each[i])));
    expect(seen).toEqual([
      new Set(['cert-safetensors', 'onnx']),
      new Set(['label', 'linear']),
      new Set(['linf', 'l2', 'boxes']),
      new Set(['ibp', 'linear', 'tree']),
    ]);
  });
});

type Path = readonly (string | number)[];
type Data = { readonly [key: string]: unknown } | readonly unknown[];

/** A copy with another value at a path; undefined removes it. */
function changed(data: Data, [key, ...rest]: Path, value: unknown): Data {
  const own = (data as { readonly [key: string | number]: Data })[key!]!;
  const next = rest.length === 0 ? value : changed(own, rest, value);
  if (Array.isArray(data)) return data.with(Number(key), next);
  const { [key!]: _, ...others } = data as { readonly [key: string]: unknown };
  return next === undefined ? others : { ...others, [key!]: next };
}

const names = {
  ...{ label: 'a label in an l-infinity ball, by IBP', linear: 'a label of an ONNX network' },
  ...{ inputs: 'a label, by splits of the box', relus: 'a label, by splits of ReLUs' },
  ...{ box: 'linear inequalities in a box', boxes: 'a label in the boxes of categories' },
} as const;

describe('the schema and the checker refuse', () => {
  it.each<[keyof typeof names, Path, unknown]>([
    ['label', ['format'], 'cert-certificate-2'],
    ['label', ['level'], undefined],
    ['label', ['level'], 'nearest'],
    ['label', ['extra'], 1],
    ['label', ['assumptions', 0], 'exact'],
    ['label', ['network', 'sha256'], 'A'.repeat(64)],
    ['label', ['network', 'format'], 'torch'],
    ['label', ['network', 'tensors'], undefined],
    ['label', ['input', 'shape'], []],
    ['label', ['input', 'shape'], [1, 1, 1, 1, 2]],
    ['label', ['input', 'data'], 'not base64'],
    ['label', ['perturbation', 'kind'], 'l1'],
    ['label', ['perturbation', 'epsilon'], 0.25],
    ['label', ['perturbation', 'epsilon'], '2.5e-1'],
    ['label', ['perturbation', 'range'], ['0', '1', '2']],
    ['label', ['perturbation', 'range'], undefined],
    ['label', ['property', 'kind'], 'robust'],
    ['label', ['property', 'label'], -1],
    ['label', ['property', 'classes'], 1],
    ['label', ['evidence'], ibp],
    ['label', ['evidence', 0, 'kind'], 'crown'],
    ['label', ['evidence', 0, 'intermediate'], 'ibp'],
    ['linear', ['evidence', 0, 'intermediate'], undefined],
    ['linear', ['evidence', 0, 'intermediate'], 'none'],
    ['inputs', ['evidence', 0, 'cases', 0, 'neuron'], 0],
    ['inputs', ['evidence', 0, 'cases', 0, 'input'], -1],
    ['inputs', ['evidence', 0, 'cases', 0, 'sides'], [leaf]],
    ['inputs', ['evidence', 0, 'neurons'], undefined],
    ['relus', ['evidence', 0, 'cases', 0, 'sides', 0, 'multipliers'], [-1]],
    ['relus', ['evidence', 0, 'cases', 0, 'sides', 0, 'row'], undefined],
    ['relus', ['evidence', 0, 'cases', 0, 'neuron'], 0.5],
    ['relus', ['evidence', 0, 'neurons', 'relu1'], ['1']],
    ['box', ['property', 'cases'], []],
    ['box', ['property', 'cases', 0], []],
    ['box', ['property', 'cases', 0, 0, 'bound'], 1],
    ['box', ['property', 'cases', 0, 0, 'coefficients'], ['1', '0', '0']],
    ['box', ['perturbation', 'boxes', 0, 'upper'], undefined],
    ['box', ['perturbation', 'epsilon'], '0.1'],
    ['boxes', ['perturbation', 'boxes'], []],
    ['boxes', ['perturbation', 'boxes', 0, 'kind'], 'box'],
    ['boxes', ['evidence', 0], [ibp, ibp]],
    ['boxes', ['evidence'], []],
  ])('%s with %j: %j', async (name, path, value) => {
    const broken = changed({ ...certificates[names[name]]! }, path, value);
    expect(misfit(broken)).toBeDefined();
    expect(await verdictOf(JSON.stringify(broken))).toMatchObject({ holds: false });
  });
});
