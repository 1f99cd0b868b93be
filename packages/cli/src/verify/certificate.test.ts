/** `cert verify --certificate`: what is written is accepted by the checker, which shares no code with the search. */
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { checkCertificate } from '@cert/check';
import { createRng } from '@cert/core';
import { openOnnxModel } from '@cert/jit/node';
import type { Certificate, CertifiedTree } from '@cert/verify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cert, train } from '../../test/cert.js';
import { distanceNetwork, makeOnnx, vnnlib } from '../../test/make-onnx.js';

let place: string;
const at = (name: string) => join(place, name);
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-certificate-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** The certificate in a file, and what the checker says of it. */
async function read(file: string) {
  const bytes = await readFile(file);
  const text = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  const certificate: Certificate = JSON.parse(text);
  const verdict = await checkCertificate(text, (path) => readFile(join(dirname(file), path)));
  return { certificate, verdict, size: bytes.length };
}

/** How many leaves the largest tree has. */
const leavesOf = ({ evidence: [first] }: Certificate): number =>
  first?.kind === 'tree'
    ? Math.max(...first.cases.map((tree) => entriesOf(tree).filter((one) => 'row' in one).length))
    : 0;

/** A tree and all below it. */
const entriesOf = (tree: CertifiedTree): readonly CertifiedTree[] =>
  'sides' in tree ? [tree, ...tree.sides.flatMap(entriesOf)] : [tree];

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Images of two channels through a convolution; neurons of its ReLU lie in another order in a model than in the file. */
function imageNetwork(seed: number): Uint8Array {
  const rng = createRng(seed, 'onnx');
  const drawn = (...shape: number[]) => {
    const count = shape.reduce((a, b) => a * b);
    const scale = Math.sqrt(2 / (count / shape[0]!));
    return { shape, data: Array.from({ length: count }, () => Math.fround(scale * rng.normal())) };
  };
  return makeOnnx({
    input: [1, 2, 3, 3],
    nodes: [
      { op: 'Conv', inputs: ['x', 'w1', 'b1'], name: 'z1', attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1] } },
      { op: 'Relu', inputs: ['z1'], name: '17' },
      { op: 'Flatten', inputs: ['17'], name: 'f' },
      { op: 'MatMul', inputs: ['f', 'w2'], name: 'z2' },
      { op: 'Relu', inputs: ['z2'], name: 'h2' },
      { op: 'MatMul', inputs: ['h2', 'w3'], name: 'y' },
    ],
    constants: { w1: drawn(3, 2, 3, 3), b1: drawn(3), w2: drawn(27, 6), w3: drawn(6, 2) },
  });
}

/** Of the first output of the network below, from far below its minimum to above it. */
const FEW_BOUNDS = [-4, -2, -1.5, -1, -0.7, -0.5, -0.3, -0.2, -0.1, -0.05, 0, 0.1];

describe('a certificate of a property file', () => {
  it('holds for linear inequalities over a box', async () => {
    await writeFile(at('net.onnx'), distanceNetwork());
    await writeFile(at('unsat.vnnlib'), vnnlib('(>= Y_0 1.1)'));
    const file = at('into/net.cert.json');
    const { status, out } = await cert('verify', at('net.onnx'), at('unsat.vnnlib'), '--certificate', file);
    expect(status).toBe(0);
    expect(out).toContain(
      'unsat\nThe property holds for every float32 execution of the network (arithmetic deployed).',
    );
    expect(out).toContain(`Certificate: ${file} (level deployed). Check it with: npx @cert/check ${file}`);
    const { certificate, verdict } = await read(file);
    expect(verdict).toMatchObject({ holds: true, level: 'deployed', property: 'a property of 1 cases within a box' });
    expect(certificate).toMatchObject({
      network: { path: '../net.onnx', format: 'onnx' },
      input: { shape: [2] },
      perturbation: { kind: 'boxes', boxes: [{ lower: ['0', '0'], upper: ['1', '1'] }] },
      property: { kind: 'linear', classes: 2, cases: [[{ coefficients: [-1, 0], bound: '-1.1' }]] },
    });
  });

  it('has splits in the order of the file, at each level', { timeout: 120_000 }, async () => {
    const bytes = imageNetwork(3);
    await writeFile(at('image.onnx'), bytes);
    const runtime = await openOnnxModel(bytes, [1, 2, 3, 3]);
    const rng = createRng(1, 'points');
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 2000; i++) {
      const [y] = await runtime.run(Float32Array.from({ length: 18 }, () => (rng.uniform() < 0.5 ? 0 : 1)));
      least = Math.min(least, y!);
    }
    await runtime.dispose();
    const trees: number[] = [];
    for (const [i, below] of [0.1, 0.25, 0.4, 0.6, 0.8, 1, 1.5, 8].entries()) {
      const level = i % 2 === 0 ? 'deployed' : 'real';
      await writeFile(at('image.vnnlib'), vnnlib(`(<= Y_0 ${(least - below).toFixed(6)})`, { inputs: 18 }));
      const file = at('image.cert.json.gz');
      const options = ['--certificate', file, '--arithmetic', level, '--json'];
      const { status, out } = await cert('verify', at('image.onnx'), at('image.vnnlib'), ...options);
      const { result, ...rest } = JSON.parse(out);
      expect(status).toBe(0);
      // Points that were not sampled may be lower.
      if (result === 'sat' && below < 1) continue;
      expect([result, rest]).toMatchObject(['unsat', { arithmetic: level, certificate: file }]);
      const { certificate, verdict } = await read(file);
      expect(verdict).toMatchObject({ holds: true, level });
      trees.push(leavesOf(certificate));
    }
    expect(Math.max(...trees)).toBeGreaterThan(4);
    expect(Math.min(...trees)).toBeLessThan(Math.max(...trees));
  });

  it.each(['deployed', 'real'] as const)('splits few inputs, in the order of the file, at level %s', async (level) => {
    await writeFile(at('few.onnx'), imageNetwork(3));
    // The inputs 1, 8, 9 and 13 of 18 vary: they lie in another order in a model.
    const fixed = Array.from({ length: 18 }, (_, i) => i).filter((i) => ![1, 8, 9, 13].includes(i));
    const box = fixed.map((i) => `(assert (<= X_${i} 0.0))`).join('\n');
    const file = at('few.cert.json');
    const leaves: number[] = [];
    for (const bound of FEW_BOUNDS) {
      await writeFile(at('few.vnnlib'), `${vnnlib(`(<= Y_0 ${bound})`, { inputs: 18 })}\n${box}`);
      const options = ['--certificate', file, '--arithmetic', level, '--json'];
      const { out } = await cert('verify', at('few.onnx'), at('few.vnnlib'), ...options);
      const { result, ...rest } = JSON.parse(out);
      if (result === 'sat') continue;
      expect([result, rest]).toMatchObject(['unsat', { arithmetic: level, certificate: file }]);
      const { certificate, verdict } = await read(file);
      expect(verdict).toMatchObject({ holds: true, level });
      const [evidence] = certificate.evidence;
      if (evidence?.kind !== 'tree') throw new Error('no tree');
      expect(entriesOf(evidence.cases[0]!).every((entry) => !('relu' in entry))).toBe(true);
      leaves.push(leavesOf(certificate));
    }
    expect(Math.max(...leaves)).toBeGreaterThan(4);
  });
});

it('of an image holds for the ball around it', async () => {
  const run = at('run');
  expect((await train(run)).status).toBe(0);
  const file = at('image.cert.json');
  // One of the labels is the prediction.
  for (let label = 0; label < 10; label++) {
    const args = ['--index', '0', '--label', String(label), '--epsilon', '1/2550', '--certificate', file];
    const { out: text } = await cert('verify', run, ...args);
    if (!text.startsWith('unsat')) {
      expect([text.includes('No certificate was written: the property was not proved.'), await exists(file)]).toEqual([
        true,
        false,
      ]);
      continue;
    }
    const { certificate, verdict } = await read(file);
    expect(verdict).toMatchObject({ holds: true, level: 'deployed' });
    expect(certificate).toMatchObject({
      network: { path: 'run/checkpoints/last.safetensors', format: 'cert-safetensors' },
      about: { index: 0, dataset: 'digits' },
      property: { kind: 'label', label, classes: 10 },
    });
    return;
  }
  expect('an image that is verified').toBe('found');
}, 120_000);

it('of an image and an ONNX file holds for the ball around it', async () => {
  const rng = createRng(4, 'digits');
  const drawn = (...shape: number[]) => {
    const data = Array.from({ length: shape.reduce((a, b) => a * b) }, () => Math.fround(rng.normal() / 4));
    return { shape, data };
  };
  const network = makeOnnx({
    input: [1, 1, 28, 28],
    nodes: [
      { op: 'Conv', inputs: ['x', 'w1', 'b1'], name: 'z', attributes: { kernel_shape: [4, 4], strides: [4, 4] } },
      { op: 'Relu', inputs: ['z'], name: 'h' },
      { op: 'Flatten', inputs: ['h'], name: 'f' },
      { op: 'MatMul', inputs: ['f', 'w2'], name: 'y' },
    ],
    constants: { w1: drawn(3, 1, 4, 4), b1: drawn(3), w2: drawn(147, 10) },
  });
  await writeFile(at('digits.onnx'), network);
  const file = at('onnx-image.cert.json');
  const levels: (string | undefined)[] = [];
  for (let label = 0; label < 10; label++) {
    const image = ['--index', '3', '--dataset', 'digits', '--label', String(label), '--epsilon', '1/1000'];
    const { out } = await cert('verify', at('digits.onnx'), ...image, '--certificate', file);
    if (!out.startsWith('unsat')) continue;
    const { certificate, verdict } = await read(file);
    expect(certificate).toMatchObject({
      network: { format: 'onnx' },
      input: { shape: [1, 28, 28] },
      about: { index: 3 },
    });
    expect([verdict.holds, verdict.reason]).toEqual([true, undefined]);
    levels.push(verdict.level);
  }
  expect(levels).toEqual(['deployed']);
}, 60_000);

describe('no certificate', () => {
  const without = async (network: Uint8Array, property: string, ...options: string[]) => {
    await writeFile(at('other.onnx'), network);
    await writeFile(at('other.vnnlib'), property);
    const file = at('other.cert.json');
    await writeFile(file, 'an older one');
    const outcome = await cert('verify', at('other.onnx'), at('other.vnnlib'), '--certificate', file, ...options);
    return { ...outcome, there: await exists(file) };
  };

  it('is left of an earlier run where nothing is proved', async () => {
    const { status, out, there } = await without(distanceNetwork(), vnnlib('(>= Y_0 0.9)'));
    expect([status, there]).toEqual([0, false]);
    expect(out).toMatch(/^sat\n.*No certificate was written: the property was not proved\.$/s);
    const json = await without(distanceNetwork(), vnnlib('(>= Y_0 0.9)'), '--json');
    expect(JSON.parse(json.out)).toMatchObject({ result: 'sat', certificate: null });
    expect(json.err).toBe('No certificate was written: the property was not proved.');
  });

  it('is written where a folder has its name, which is said before the search', async () => {
    await mkdir(at('taken.cert.json'));
    const { status, out, err } = await cert(
      ...['verify', at('other.onnx'), at('other.vnnlib'), '--certificate', at('taken.cert.json')],
    );
    expect([status, out]).toEqual([1, '']);
    expect(err).toMatch(/^error: \S*taken\.cert\.json cannot be written: .*\nGive a file in a writable folder\.$/);
  });

  it('is written for boxes that do not have the same to exclude', async () => {
    const box = (lower: number, least: number) => `(and (>= X_0 ${lower}) (<= X_0 ${lower + 0.1}) (>= Y_0 ${least}))`;
    const { out, there } = await without(distanceNetwork(), vnnlib(`(or ${box(0.1, 1.1)} ${box(0.7, 1.2)})`));
    expect(there).toBe(false);
    expect(out).toMatch(
      /^unsat\n.*No certificate was written: the property does not require the same .* verify a property file for each box instead\.$/s,
    );
    for (const [lower, least] of [
      [0.1, 1.1],
      [0.7, 1.2],
    ] as const) {
      expect((await without(distanceNetwork(), vnnlib(`(or ${box(lower, least)})`))).there).toBe(true);
    }
  });

  it.each(['inputs', 'relus'])('is missing for several boxes, split %s', async (split) => {
    const box = (lower: number) => `(and (>= X_0 ${lower}) (<= X_0 ${lower + 0.1}) (>= Y_0 1.1))`;
    const property = vnnlib(`(or ${box(0.1)} ${box(0.7)})`);
    const { out, there } = await without(distanceNetwork(), property, '--split', split);
    expect([out.slice(0, 6), there]).toEqual(['unsat\n', true]);
    const { certificate, verdict } = await read(at('other.cert.json'));
    expect(verdict).toMatchObject({ holds: true, level: 'deployed' });
    expect(certificate.perturbation).toMatchObject({ kind: 'boxes', boxes: { length: 2 } });
  });

  it('is written for what the checker does not read', async () => {
    const clipped = makeOnnx({
      input: [1, 2],
      nodes: [
        { op: 'Transpose', inputs: ['x'], name: 't', attributes: { perm: [0, 1] } },
        { op: 'Relu', inputs: ['t'], name: 'y' },
      ],
      constants: {},
    });
    const { out, there } = await without(clipped, vnnlib('(<= Y_0 -1)'));
    expect(there).toBe(false);
    expect(out).toMatch(/^unsat\n.*the checker would refuse it \(.*no rule for this op\)\.$/s);
  });

  it.each([[['--arithmetic', 'nearest'], '--certificate was given with --arithmetic nearest.']])(
    'goes with %j',
    async (options, message) => {
      const { status, out, err, there } = await without(distanceNetwork(), vnnlib('(>= Y_0 1.1)'), ...options);
      expect(status).toBe(1);
      expect(`${out}${err}`).toContain(message);
      expect(there).toBe(true);
    },
  );

  it('is of a compressed network, or of many instances', async () => {
    await writeFile(at('net.onnx.gz'), gzipSync(distanceNetwork()));
    await writeFile(at('p.vnnlib'), vnnlib('(>= Y_0 1.1)'));
    const compressed = await cert('verify', at('net.onnx.gz'), at('p.vnnlib'), '--certificate', at('c.json'));
    expect(compressed).toMatchObject({ status: 1 });
    expect(`${compressed.out}${compressed.err}`).toContain('Decompress the network file.');
    const many = await cert('verify', '--instances', at('list.csv'), '--certificate', at('c.json'));
    expect(`${many.out}${many.err}`).toContain('--instances and --certificate were both given.');
  });
});
