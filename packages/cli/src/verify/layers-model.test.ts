/** `cert verify` on small TensorFlow.js models: Y_0 = |X_0 - X_1| and Y_1 = 0.5. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { dense, flatten, relu, sequential, tf, toHost } from '@cert/core';
import { ibpInit } from '@cert/init';
import { fromLayersModel, readLayersModel, toLayersModel } from '@cert/interchange';
import { eagerDevice } from '@cert/jit';
import { adam, always, constantSchedule, fit, initialState, robustObjective } from '@cert/trainer';
import { loadLayersModel } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { cert } from '../../test/cert.js';
import { vnnlib } from '../../test/make-onnx.js';

let place: string;
/** A path in the folder of the tests. */
const at = (name: string) => join(place, name);

const host = (shape: readonly number[], ...data: number[]) => ({ shape, data: Float32Array.from(data) });

/** |x_0 - x_1| and 0.5. */
const distance = (softmax = false) =>
  toLayersModel(
    {
      model: sequential([2], [dense(2), relu(), dense(2)]),
      params: {
        dense1: { kernel: host([2, 2], 1, -1, -1, 1), bias: host([2], 0, 0) },
        dense2: { kernel: host([2, 2], 1, 0, 1, 0), bias: host([2], 0, 0.5) },
      },
      stats: {},
    },
    { softmax },
  );

/** Writes a model into a folder of its own. */
async function write(
  name: string,
  { json, weights }: ReturnType<typeof toLayersModel>,
  change = (text: string) => text,
) {
  await mkdir(at(name), { recursive: true });
  await writeFile(at(`${name}/model.json`), change(JSON.stringify(json)));
  await writeFile(at(`${name}/weights.bin`), weights);
}

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-layers-'));
  await write('net', distance());
  await write('softmax', distance(true));
  await write('outside', distance(), (text) => text.replace('weights.bin', '../net/weights.bin'));
  await write('lost', distance(), (text) => text.replace('weights.bin', 'lost.bin'));
  await write('odd', distance(), (text) => text.replace('"class_name":"Activation"', '"class_name":"Swish"'));
  // As the newer Keras writes it, which TensorFlow.js cannot load.
  await write('keras3', distance(), (text) => text.replace('batch_input_shape', 'batch_shape'));
  await writeFile(at('net/model.json.gz'), gzipSync(await readFile(at('net/model.json'))));
  await writeFile(at('sat.vnnlib'), vnnlib('(>= Y_0 0.9)'));
  await writeFile(at('unsat.vnnlib'), vnnlib('(>= Y_0 1.1)'));
  await writeFile(at('order.vnnlib'), vnnlib('(>= Y_0 Y_1)'));
  const small = vnnlib('(>= Y_0 Y_1)', { upper: '0.25' });
  await writeFile(at('small.vnnlib'), small);
});
afterAll(() => rm(place, { recursive: true, force: true }));

const verify = (network: string, property: string, ...options: string[]) =>
  cert('verify', at(network), at(property), '--device', 'tfjs', ...options);

it.each(['net/model.json', 'net/model.json.gz'])('decides properties of %s', async (network) => {
  const holds = await verify(network, 'unsat.vnnlib');
  expect([holds.status, holds.err]).toEqual([0, '']);
  expect(holds.out).toMatch(/^unsat\nThe property holds for every float32 execution/);
  const violated = await verify(network, 'sat.vnnlib');
  expect([violated.status, violated.err]).toEqual([0, '']);
  expect(violated.out).toMatch(/^sat\n\(\(X_0 [\s\S]*The property is violated/);
});

it('verifies the order of the outputs of a model that ends in a softmax, and refuses other properties of it', async () => {
  const violated = await verify('softmax/model.json', 'order.vnnlib');
  expect([violated.status, violated.err]).toEqual([0, '']);
  const outputs = [...violated.out.matchAll(/\(Y_\d ([^)]+)\)/g)].map(([, value]) => Number(value));
  expect(outputs[0]! + outputs[1]!).toBeCloseTo(1, 5);
  expect((await verify('softmax/model.json', 'small.vnnlib')).out).toMatch(/^unsat\n/);
  const values = await verify('softmax/model.json', 'sat.vnnlib');
  expect([values.status, values.err]).toEqual([1, expect.stringMatching(/ends in a softmax/)]);
});

it('says where TensorFlow.js could not be asked', async () => {
  const { status, out, err } = await verify('keras3/model.json', 'unsat.vnnlib');
  expect([status, out.split('\n')[0]]).toEqual([0, 'unsat']);
  expect(err).toMatch(
    /^note: TensorFlow\.js does not load or run the model \(.*\), so the imported network was not compared with TensorFlow\.js\.$/,
  );
});

it('says that tfjs-layers is missing', async () => {
  vi.doMock('@tensorflow/tfjs-layers', () => {
    throw new Error('Cannot find package');
  });
  try {
    const { status, err } = await verify('net/model.json', 'unsat.vnnlib');
    expect([status, err]).toEqual([
      0,
      'note: @tensorflow/tfjs-layers is not installed, so the imported network was not compared with TensorFlow.js.',
    ]);
  } finally {
    vi.doUnmock('@tensorflow/tfjs-layers');
  }
});

describe('a mistake', () => {
  it.each([
    [
      'outside',
      /names the weight file "\.\.\/net\/weights\.bin", which is outside its folder\.\nPut the weight files beside/,
    ],
    ['lost', /names the weight file .*lost\.bin, which cannot be read/],
    [
      'odd',
      /The import does not support the layer "relu1" \(Swish\): the class is not supported\.\nUse only the layers/,
    ],
  ])('%s', async (name, message) => {
    const { status, out, err } = await verify(`${name}/model.json`, 'unsat.vnnlib');
    expect([status, out]).toEqual([1, '']);
    expect(err).toMatch(message);
  });

  it('a certificate of a file that the checker cannot read', async () => {
    const { status, out, err } = await verify('net/model.json', 'unsat.vnnlib', '--certificate', at('a.cert.json'));
    expect([status, out]).toEqual([1, '']);
    expect(err).toMatch(
      /model\.json is a TensorFlow\.js model, but the checker .* reads only ONNX files and checkpoints\.\nSave/,
    );
  });
});

it('evaluates a test set, with certificates', async () => {
  const model = sequential([28, 28, 1], [flatten(), dense(10)]);
  const kernel = Float32Array.from({ length: 7840 }, (_, i) => Math.sin(i) / 28);
  const params = { dense1: { kernel: { shape: [784, 10], data: kernel }, bias: host([10], ...Array(10).fill(0)) } };
  await write('tested', toLayersModel({ model, params, stats: {} }, { softmax: true }));
  const options = ['--dataset', 'digits', '--limit', '8', '--epsilon', '0.0001', '--device', 'tfjs', '--json'];
  const folder = at('certificates');
  const { status, out, err } = await cert('eval', at('tested/model.json'), ...options, '--certificates', folder);
  expect([status, err.includes('note: The softmax of the layer "softmax" was left out')]).toEqual([0, true]);
  const summary = JSON.parse(out);
  expect(summary.images).toBe(8);
  expect((await readdir(folder)).filter((name) => name.endsWith('.cert.json.gz')).length).toBe(summary.certificates);
  expect(await readdir(at('tested/eval'))).toContain('model-0.0001.jsonl');
});

it('verifies an image of a dataset, at the logits', async () => {
  const model = sequential([28, 28, 1], [flatten(), dense(10)]);
  const kernel = Float32Array.from({ length: 7840 }, (_, i) => Math.sin(i) / 28);
  const params = { dense1: { kernel: { shape: [784, 10], data: kernel }, bias: host([10], ...Array(10).fill(0)) } };
  await write('digits', toLayersModel({ model, params, stats: {} }, { softmax: true }));
  const image = ['--index', '3', '--dataset', 'digits', '--label', '7', '--epsilon', '1/255', '--timeout', '20'];
  const { status, out, err } = await cert('verify', at('digits/model.json'), '--device', 'tfjs', ...image);
  expect([status, err]).toEqual([0, 'note: The softmax of the layer "softmax" was left out: the outputs are logits.']);
  expect(out).toMatch(/^(un)?sat\n[\s\S]*Image 3 of digits, class 7, epsilon 1\/255\./);
});

it('keeps the weights of fine-tuning bit for bit, in files and in TensorFlow.js', async () => {
  const model = sequential([2], [dense(8), relu(), dense(2)]);
  const optimizer = adam();
  const before = toLayersModel({ model, params: ibpInit(model, 0), stats: {} });
  const imported = readLayersModel(before.json, before.weights);
  const images = Float32Array.of(0.1, 0.9, 0.8, 0.2, 0.4, 0.6, 0.7, 0.1);
  const labels = Int32Array.of(1, 0, 1, 0);
  let { params } = imported;
  const training = fit({
    ...{ device: eagerDevice(), model: imported.model, optimizer, epochs: 3, stepsPerEpoch: 1 },
    plan: {
      objective: always(robustObjective()),
      epsilon: constantSchedule(0.02),
      targetEpsilon: 0.02,
      learningRate: constantSchedule(0.01),
      regWeight: () => 0,
      regularizedSteps: 0,
    },
    batches: () => [{ images, labels }],
    state: initialState(imported.model, params, optimizer),
  });
  for await (const { state } of training) params = (await toHost(state)).params;
  expect(params).not.toEqual(imported.params);
  const { json, weights } = toLayersModel({ model: imported.model, params, stats: {} });
  expect(readLayersModel(JSON.stringify(json), weights).params).toEqual(params);
  const source = await loadLayersModel(
    tf.io.fromMemory({
      modelTopology: json.modelTopology,
      weightSpecs: json.weightsManifest[0]!.weights,
      weightData: weights.slice().buffer,
    }),
  );
  expect((await fromLayersModel(source)).params).toEqual(params);
});

it('verifies an instance again when the weights have changed', async () => {
  await write('list', distance());
  await writeFile(at('list.csv'), 'list/model.json,unsat.vnnlib,20\n');
  const run = () =>
    cert('verify', '--instances', at('list.csv'), '--out', at('results.jsonl'), '--device', 'tfjs', '--json');
  const results = async () =>
    (await readFile(at('results.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).files as string);
  await run();
  await run();
  const before = await results();
  expect(before.length).toBe(1);
  const { weights } = distance();
  await writeFile(at('list/weights.bin'), weights.with(3, weights[3]! ^ 1));
  await run();
  const after = await results();
  expect([after.length, new Set(after).size]).toEqual([2, 2]);
});
