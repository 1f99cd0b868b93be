import { createHash } from 'node:crypto';
import { initialStats, l2, linf } from '@cert/core';
import { ibpInit } from '@cert/init';
import { encodeCheckpoint, mlp } from '@cert/models';
import { describe, expect, it } from 'vitest';
import type { CertificateOptions } from './certificate.js';
import { decimal, hasOneRange } from './claim.js';
import {
  certificateText,
  certifiedNetwork,
  createCertificate,
  createPropertyCertificate,
} from './create-certificate.js';

const model = mlp({ inputShape: [3], classes: 2, hidden: [4] });
const params = ibpInit(model, 1);
const bytes = encodeCheckpoint({ model, params, stats: initialStats(model) });
const hex = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
const options: CertificateOptions = {
  network: certifiedNetwork(bytes, 'network.safetensors'),
  ...{ level: 'deployed', method: 'ibp', evidence: { kind: 'ibp' }, margin: 0.25 },
  ...{ pixels: Float32Array.of(0.5, 0, 1), shape: [3], label: 1, classes: 2 },
  perturbation: linf({ epsilon: 0.1 }),
};

const LEAF = { row: 0, slopes: '', multipliers: [] };

describe('a certificate', () => {
  it('names the file and every tensor of the network by their hashes', () => {
    const { network } = options;
    expect(network.sha256).toBe(hex(bytes));
    expect(Object.keys(network.tensors).sort()).toEqual([
      ...['params.dense1.bias', 'params.dense1.kernel', 'params.dense2.bias', 'params.dense2.kernel'],
    ]);
    const kernel = params.dense1!.kernel!.data;
    expect(network.tensors['params.dense1.kernel']).toBe(hex(new Uint8Array(kernel.buffer)));
  });

  it('holds the input, the ball and the claim, exactly', () => {
    const certificate = createCertificate({ ...options, source: { index: 7, dataset: 'points' } });
    const data = Buffer.from('data' in certificate.input ? certificate.input.data : '', 'base64');
    expect([data.readFloatLE(0), data.readFloatLE(4), data.readFloatLE(8)]).toEqual([0.5, 0, 1]);
    expect(certificate).toMatchObject({
      format: 'cert-certificate-3',
      input: { shape: [3], sha256: hex(data) },
      about: { index: 7, dataset: 'points' },
      perturbation: { kind: 'linf', epsilon: '0.1', range: ['0', '1'] },
      property: { kind: 'label', label: 1, classes: 2 },
      level: 'deployed',
      assumptions: ['round-to-nearest', 'one-rounding-per-operation', 'no-overflow', 'convolution-as-sums'],
    });
    expect(JSON.parse(JSON.stringify(certificate))).toEqual(certificate);
    expect(createCertificate({ ...options, perturbation: linf({ epsilon: 0.1, range: null }) }).perturbation).toEqual({
      ...{ kind: 'linf', epsilon: '0.1', range: null },
    });
  });

  it('names a Euclidean ball, and the box around it where splits of the box are the evidence', () => {
    const perturbation = l2({ epsilon: 0.1 });
    const tree: CertificateOptions['evidence'] = { kind: 'tree', intermediate: 'crown', neurons: [], cases: [[LEAF]] };
    expect(createCertificate({ ...options, perturbation }).perturbation).toEqual({
      ...{ kind: 'l2', epsilon: '0.1', range: ['0', '1'] },
    });
    expect(createCertificate({ ...options, perturbation, evidence: tree }).perturbation.kind).toBe('boxes');
    expect(hasOneRange(perturbation)).toBe(true);
    expect(hasOneRange(l2({ epsilon: 0.1, range: { min: [0, 0, -1], max: 1 } }))).toBe(false);
  });

  it('has a box for each choice of categories, and the interval of a tolerance', () => {
    const perturbation = linf({ epsilon: 0.1, scale: [1, 0, 0], range: null, categories: [[1, 2]] });
    const evidence = { kind: 'boxes' as const, boxes: [{ kind: 'ibp' as const }, { kind: 'ibp' as const }] };
    const tolerance = { target: 3, delta: 0.5 };
    const certificate = createCertificate({ ...options, perturbation, evidence, tolerance });
    const { boxes } = certificate.perturbation as Extract<typeof certificate.perturbation, { readonly kind: 'boxes' }>;
    expect(boxes.map(({ lower }) => lower.slice(1).map((end) => Math.round(Number(end)) + 0))).toEqual([
      [0, 1],
      [1, 0],
    ]);
    const { property } = certificate;
    if (property.kind !== 'linear') throw new Error(property.kind);
    const bounds = property.cases.map(([inequality]) => Number(inequality!.bound));
    // Rounded inwards: neither end is farther than the tolerance.
    expect(bounds[0]).toBeGreaterThanOrEqual(2.5);
    expect(bounds[1]).toBeGreaterThanOrEqual(-3.5);
    expect(bounds[0]! + bounds[1]! + 1).toBeCloseTo(0, 9);
  });

  it('is sealed: the last field is the hash of the text without it', () => {
    const certificate = createCertificate(options);
    const text = certificateText(certificate);
    const { sha256, ...rest } = JSON.parse(text);
    expect(rest).toEqual(certificate);
    expect(text.endsWith(`,"sha256":"${sha256}"}`)).toBe(true);
    expect(sha256).toBe(hex(new TextEncoder().encode(text.replace(`,"sha256":"${sha256}"`, ''))));
  });

  it.each([-1, 2, 0.5, Number.NaN])('is refused for the label %f of 2 classes', (label) => {
    expect(() => createCertificate({ ...options, label })).toThrow(`The label is ${label}, but there are 2 classes.`);
  });

  it('is refused for an input of another size or outside the range, and for a set without ends', () => {
    const short = { ...options, pixels: Float32Array.of(0.5, 0) };
    expect(() => createCertificate(short)).toThrow('Input 0 has 2 values, but inputs have the shape [3].');
    const far = { ...options, pixels: Float32Array.of(0.5, 0, 2) };
    expect(() => createCertificate(far)).toThrow('outside the range [0, 1]');
    const perturbation = { ...linf({ epsilon: 0, scale: [1, 0, 0] }), epsilon: Number.NaN };
    expect(() => createCertificate({ ...options, perturbation })).toThrow('Feature 0 of the set lies between NaN');
  });

  it('has no empty box at the end of a range', () => {
    // The float32 number nearest to 0.1 is larger than 0.1.
    const pixels = Float32Array.of(0.1, 0.1, 0);
    for (const scale of [1, [1, 0, 0]]) {
      const perturbation = linf({ epsilon: 0, scale, range: { min: 0, max: 0.1 } });
      const claimed = createCertificate({ ...options, pixels, perturbation }).perturbation;
      if (claimed.kind !== 'boxes') throw new Error(claimed.kind);
      const [{ lower, upper }] = claimed.boxes as [(typeof claimed.boxes)[0]];
      for (const [i, x] of pixels.entries()) {
        expect(Number(lower[i])).toBeLessThanOrEqual(x);
        expect(Number(upper[i])).toBeGreaterThanOrEqual(x);
      }
    }
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('is refused for the margin %f', (margin) => {
    expect(() => createCertificate({ ...options, margin })).toThrow('A certificate needs a positive lower margin');
  });
});

it.each([
  [0.1, '0.1'],
  [8 / 255, '0.03137254901960784'],
  [1e-7, '0.0000001'],
  [1.25e-9, '0.00000000125'],
  [-2.5e-8, '-0.000000025'],
  [1.5e21, '1500000000000000000000'],
  [3, '3'],
])('the decimal of %f is %s', (value, text) => {
  expect(decimal(value)).toBe(text);
  expect(Number(text)).toBe(value);
});

describe('a certificate of a property', () => {
  const box = { lower: Float64Array.of(0, -0.5, 1e-7), upper: Float64Array.of(1, 0.5, 1) };
  const outputs = [{ coefficients: Float64Array.of(1, -1), bound: 2.5e-8 }];
  const property = { inputs: 3, outputs: 2, cases: [{ ...box, outputs }] };
  const { network, level, method } = options;
  const evidence = {
    kind: 'tree',
    intermediate: 'crown',
    neurons: [],
    cases: [[LEAF]],
  } as const;
  const given = { network, level, method, evidence, property, margin: 0.25, shape: [3] };

  it('has the box and the inequalities as decimals', () => {
    const certificate = createPropertyCertificate(given);
    expect(certificate).toMatchObject({
      input: { shape: [3] },
      perturbation: { kind: 'boxes', boxes: [{ lower: ['0', '-0.5', '0.0000001'], upper: ['1', '0.5', '1'] }] },
      property: { kind: 'linear', classes: 2, cases: [[{ coefficients: [1, -1], bound: '0.000000025' }]] },
    });
  });

  it('is refused for other numbers of inputs and coefficients, and an empty box', () => {
    const refused = (change: object, shape = [3]) =>
      expect(() =>
        createPropertyCertificate({
          ...given,
          shape,
          property: { ...property, cases: [{ ...box, outputs, ...change }] },
        }),
      );
    refused({ outputs: [{ coefficients: Float64Array.of(0, 1, -100), bound: 0 }] }).toThrow(
      'An inequality has 3 coefficients',
    );
    refused({ upper: Float64Array.of(1) }).toThrow('A case has 3 lower and 1 upper ends');
    refused({ upper: Float64Array.of(1, -1, 1) }).toThrow('Input 1 of the property lies between -0.5 and -1');
    refused({}, [2]).toThrow('The property has 3 inputs, but inputs have the shape [2].');
  });

  it.each([0, Number.NaN])('is refused for the margin %f', (margin) => {
    expect(() => createPropertyCertificate({ ...given, margin })).toThrow(
      'A certificate needs a positive lower margin',
    );
  });
});
