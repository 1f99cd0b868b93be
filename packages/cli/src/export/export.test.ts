/** `cert export` of a short run: what it writes runs elsewhere, is verified as the run is, and can be certified. */
import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkCertificate } from '@cert/check';
import { conv2d, dense, flatten, relu, sequential } from '@cert/core';
import { fromStateDict, propertyInModel, readInstances, readOnnx, readStateDict, readVnnlib } from '@cert/interchange';
import { decodeCheckpoint, encodeCheckpoint } from '@cert/models';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cert, TINY } from '../../test/cert.js';
import { distanceNetwork } from '../../test/make-onnx.js';
import { hasPty, inTerminal } from '../../test/pty.js';

let place: string;
let run: string;
const at = (...names: string[]) => join(place, ...names);

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-export-'));
  run = at('run');
  const size = ['--limit', '300', '--epochs', '3', '--batch-size', '16', '--width', '2', '--dense', '8'];
  const short = ['--attack-restarts', '1', '--attack-steps', '2', '--epsilon', '0.02'];
  expect(await cert('train', '--out', run, ...size, ...short)).toMatchObject({ status: 0 });
}, 60_000);
afterAll(() => rm(place, { recursive: true, force: true }));

/** The JSON of an export. */
async function exported(...args: string[]) {
  const { status, out, err } = await cert('export', ...args, '--json');
  expect([status, err]).toEqual([0, '']);
  return JSON.parse(out);
}

describe('a run', () => {
  it('is written to its folder as ONNX, which ONNX Runtime runs and cert reads', async () => {
    const { status, out, err } = await cert('export', run);
    expect([status, err]).toEqual([0, '']);
    const file = join(run, 'export', 'last.onnx');
    const [first, second, ...more] = out.split('\n');
    expect(first).toMatch(/^Wrote .*last\.onnx \(\d+\.\d kB\), input \[batch,1,28,28\], output \[batch,10\]\.$/);
    expect(second).toMatch(
      /^ONNX Runtime computes the same outputs for 3 random inputs \(largest difference \d\.\de-\d+ /,
    );
    expect(more).toEqual([]);
    const { model, params } = readOnnx(await readFile(file));
    const checkpoint = decodeCheckpoint(await readFile(join(run, 'checkpoints', 'last.safetensors')));
    expect(model.nodes.map(({ op }) => op)).toEqual(checkpoint.model.nodes.map(({ op }) => op));
    const own = checkpoint.model.nodes.map(({ name }) => checkpoint.params[name]).filter((one) => one !== undefined);
    expect(Object.values(params)).toEqual(own);
  });

  it('is written as a checkpoint without the state of training, which is evaluated and predicted like the run', async () => {
    const file = at('net.cert.safetensors');
    const { facts } = await exported(run, '--out', file);
    const [bytes, own] = await Promise.all(
      [file, join(run, 'checkpoints', 'last.safetensors')].map((one) => readFile(one)),
    );
    const [small, whole] = [decodeCheckpoint(bytes!), decodeCheckpoint(own!)];
    expect([small.model, small.params, small.stats]).toEqual([whole.model, whole.params, whole.stats]);
    expect(small.extra).toEqual({});
    expect(bytes!.length).toBeLessThan(0.5 * own!.length);
    expect(small.metadata).toMatchObject({ ...facts, data: (whole.metadata as { readonly data: unknown }).data });
    const errors = async (path: string) => {
      const common = ['--limit', '40', '--epsilon', '0.02', '--attack-restarts', '0', '--json', '--out'];
      const { status, out } = await cert('eval', path, ...common, at(`${path === run ? 'run' : 'file'}.jsonl`));
      expect(status).toBe(0);
      const { standardError, methods } = JSON.parse(out);
      return { standardError, methods };
    };
    expect(await errors(file)).toEqual(await errors(run));
  });

  it('is evaluated as ONNX by the two commands that cert eval names', async () => {
    const file = at('foreign.onnx');
    await exported(run, '--out', file);
    const { status, err } = await cert('eval', file, '--dataset', 'digits', '--epsilon', '0.02');
    const checkpoint = at('foreign.cert.safetensors');
    expect([status, err]).toEqual([
      1,
      `error: ${file} is an ONNX file, and cert eval reads runs, checkpoints and TensorFlow.js models.\nConvert it: cert export ${file} --out ${checkpoint}. Then: cert eval ${checkpoint} --dataset NAME --epsilon RADIUS.`,
    ]);
    await exported(file, '--out', checkpoint);
    const data = ['--dataset', 'digits', '--epsilon', '0.02', '--limit', '5', '--attack-restarts', '0'];
    expect(await cert('eval', checkpoint, ...data)).toMatchObject({ status: 0 });
  });

  it('is described by facts of its training', async () => {
    const { facts, ...rest } = await exported(
      run,
      '--out',
      at('facts', 'net.onnx'),
      '--layout',
      'NHWC',
      '--batch',
      '1',
    );
    const { standardError, verifiedError } = JSON.parse(await readFile(join(run, 'summary.json'), 'utf8'));
    expect(facts).toEqual({
      ...{ 'cert.preset': 'digits/quick', 'cert.method': 'fast', 'cert.dataset': 'digits', 'cert.model': 'small-conv' },
      ...{ 'cert.epsilon': '0.02', 'cert.seed': '0', 'cert.epoch': '3', 'cert.test_images': '300' },
      ...{ 'cert.standard_error': String(standardError), 'cert.verified_error': String(verifiedError) },
      ...{ 'cert.pgd_error': expect.any(String), 'cert.source_sha256': expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect(rest).toMatchObject({
      ...{ format: 'onnx', layout: 'nhwc', batch: 1, foldBatchNorm: false, input: [28, 28, 1], outputs: 10 },
      ...{ network: join(run, 'checkpoints', 'last.safetensors'), difference: expect.any(Number) },
    });
    expect((await readFile(at('facts', 'net.onnx'))).toString('latin1')).toContain('cert.source_sha256');
  });

  it('has no errors before it has finished: its checkpoint may be of another state than its last epoch', async () => {
    await cp(run, at('unfinished'), { recursive: true });
    await rm(at('unfinished', 'summary.json'));
    const { facts } = await exported(at('unfinished'), '--out', at('unfinished.onnx'));
    expect(facts).toMatchObject({ 'cert.method': 'fast' });
    expect(Object.keys(facts).filter((key) => /epoch|error|images/.test(key))).toEqual([]);
  });

  it('has the errors of its best epoch with --checkpoint best', async () => {
    const { facts } = await exported(run, '--checkpoint', 'best', '--out', at('best.onnx'));
    expect(facts).toMatchObject({ 'cert.epoch': expect.any(String), 'cert.verified_error': expect.any(String) });
    expect(facts).not.toHaveProperty(['cert.pgd_error']);
  });

  it('is written as weights of PyTorch', async () => {
    const file = at('net.safetensors');
    expect(await exported(run, '--out', file)).toMatchObject({ format: 'safetensors', file });
    const { model, params } = decodeCheckpoint(await readFile(join(run, 'checkpoints', 'last.safetensors')));
    expect(fromStateDict(model, readStateDict(await readFile(file))).params).toEqual(params);
  });
});

describe('properties of images', () => {
  it('have the verdicts of cert eval, and a proof is a certificate about the exported file', async () => {
    const folder = at('bench');
    const net = join(folder, 'net.onnx');
    const { properties } = await exported(run, '--out', net, '--vnnlib', '6', '--timeout', '20');
    const instances = join(folder, 'instances.csv');
    expect(properties).toMatchObject({ folder: join(folder, 'vnnlib'), instances, epsilon: 0.02 });
    expect(readInstances(await readFile(instances, 'utf8'))).toEqual(
      properties.images.map((index: number) => ({
        ...{ onnx: 'net.onnx', vnnlib: `vnnlib/image-${index}.vnnlib`, timeout: 20, columns: {} },
      })),
    );
    const head = (await readFile(join(folder, 'vnnlib', `image-${properties.images[0]}.vnnlib`), 'utf8')).split(
      '\n',
    )[0];
    expect(head).toMatch(
      /^; Robustness of net\.onnx at image \d+ of the test split of digits: class \d, radius 0\.02\.$/,
    );

    const verified = await cert('verify', '--instances', instances, '--out', at('results.jsonl'), '--json');
    expect(verified.status).toBe(0);
    const results: string[] = verified.out.split('\n').map((line) => JSON.parse(line).result);
    const lines = at('eval.jsonl');
    expect(
      await cert(
        'eval',
        run,
        '--methods',
        'ibp,crown,bab',
        '--timeout',
        '20',
        '--limit',
        '30',
        '--out',
        lines,
        '--quiet',
      ),
    ).toMatchObject({ status: 0 });
    const found = (await readFile(lines, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const verdicts = properties.images.map((index: number) => {
      const { verifiedBy, attack } = found.find((line) => line.index === index);
      return verifiedBy !== null ? 'unsat' : attack?.found ? 'sat' : 'unknown';
    });
    expect(results).toEqual(verdicts);
    // The images that come before were misclassified.
    const wrong = found.filter(
      ({ index, label, prediction }) => index < properties.images.at(-1) && label !== prediction,
    );
    expect(wrong.map(({ index }) => index).some((index) => properties.images.includes(index))).toBe(false);
    expect(properties.images.length + wrong.length).toBe(properties.images.at(-1) + 1);

    const proved = properties.images[results.indexOf('unsat')];
    expect(proved).toBeDefined();
    const certificate = join(folder, 'one.cert.json');
    const property = join(folder, 'vnnlib', `image-${proved}.vnnlib`);
    const { out } = await cert('verify', net, property, '--certificate', certificate);
    expect(out).toMatch(/^unsat\n/);
    const verdict = await checkCertificate(await readFile(certificate, 'utf8'), (path) => readFile(join(folder, path)));
    expect([verdict.holds, verdict.reason]).toEqual([true, undefined]);
  }, 120_000);

  it('are in the order of the file, and have the radius that is given', async () => {
    const image = async (name: string, ...options: string[]) => {
      await exported(run, '--out', at(name, 'net.onnx'), '--vnnlib', '1', '--epsilon', '2/255', ...options);
      const [file] = await readdir(at(name, 'vnnlib'));
      return readFile(at(name, 'vnnlib', file!), 'utf8');
    };
    const [nchw, nhwc] = [await image('nchw'), await image('nhwc', '--layout', 'nhwc', '--fold-batch-norm')];
    // One channel: both orders are the same.
    expect(nhwc).toBe(nchw);
    expect(nchw).toContain('radius 2/255.');
    const { status, out } = await cert(
      'verify',
      at('nhwc', 'net.onnx'),
      at('nhwc', 'vnnlib', (await readdir(at('nhwc', 'vnnlib')))[0]!),
    );
    expect([status, out.split('\n')[0]]).toEqual([0, 'unsat']);
  });
});

it('keeps the order of colours', async () => {
  for (const [i, folder] of ['train/a', 'train/b', 'test/a', 'test/b'].entries()) {
    await mkdir(at('colours', folder), { recursive: true });
    for (let k = 0; k < 8; k++) {
      // The second class is bright.
      const pixels = Uint8Array.from(
        { length: 8 * 10 * 3 },
        (_, p) => 20 + 100 * (i % 2) + 10 * (p % 3) + ((7 * k + Math.floor(p / 3)) % 40),
      );
      await sharp(pixels, { raw: { width: 10, height: 8, channels: 3 } })
        .png()
        .toFile(at('colours', folder, `${k}.png`));
    }
  }
  const data = ['--dataset', 'image-folder', '--data', at('colours'), '--epsilon', '0.01'];
  const trained = await cert('train', '--out', at('colour-run'), ...TINY, '--limit', 'none', ...data);
  expect([trained.status, trained.err]).toEqual([0, '']);
  const boxes: Float64Array[] = [];
  const texts: string[] = [];
  for (const layout of ['nchw', 'nhwc']) {
    const net = at(layout, 'colours', 'net.onnx');
    const { properties } = await exported(at('colour-run'), '--layout', layout, '--out', net, '--vnnlib', '1');
    const text = await readFile(join(properties.folder, `image-${properties.images[0]}.vnnlib`), 'utf8');
    texts.push(text);
    boxes.push(propertyInModel(readOnnx(await readFile(net)), readVnnlib(text)).cases[0]!.lower);
  }
  expect(boxes[0]).toEqual(boxes[1]);
  expect(texts[0]).not.toBe(texts[1]);
  // Colours of a pixel stand together in the model, 10 apart.
  expect(255 * (boxes[0]![1]! - boxes[0]![0]!)).toBeCloseTo(10, 3);
});

describe('other networks', () => {
  it('are checkpoint files and ONNX files', async () => {
    await mkdir(at('alone'));
    await copyFile(join(run, 'checkpoints', 'last.safetensors'), at('alone', 'net.safetensors'));
    const options = ['--out', at('alone', 'net.onnx'), '--vnnlib', '2', '--dataset', 'digits', '--epsilon', '0.01'];
    const first = await exported(at('alone', 'net.safetensors'), ...options);
    expect(Object.keys(first.facts)).toEqual(['cert.source_sha256']);
    expect(first.properties.images.length).toBe(2);
    const again = await exported(at('alone', 'net.onnx'), '--out', at('alone', 'folded.onnx'), '--fold-batch-norm');
    expect(again).toMatchObject({ input: [1, 28, 28], foldBatchNorm: true });
    const state = await exported(at('alone', 'net.onnx'), '--out', at('alone', 'torch.safetensors'));
    expect(state.format).toBe('safetensors');
  });
});

describe('a mistake', () => {
  it('does not overwrite files without --overwrite', async () => {
    const [net, list] = [at('twice', 'net.onnx'), at('twice', 'instances.csv')];
    await exported(run, '--out', net);
    expect(await cert('export', run, '--out', net)).toMatchObject({
      status: 1,
      err: `error: ${net} already exists.\nChoose another file with --out, or give --overwrite to replace it.`,
    });
    await writeFile(list, 'mine');
    const other = ['--out', at('twice', 'other.onnx'), '--vnnlib', '1'];
    expect(await cert('export', run, ...other)).toMatchObject({
      status: 1,
      err: expect.stringContaining('instances.csv already exists.'),
    });
    expect([existsSync(at('twice', 'other.onnx')), await readFile(list, 'utf8')]).toEqual([false, 'mine']);
    await exported(run, ...other, '--overwrite');
    expect(await readFile(list, 'utf8')).toMatch(/^other\.onnx,/);
    const own = join(run, 'checkpoints', 'last.safetensors');
    const before = await readFile(own);
    const self = await cert('export', run, '--out', own, '--overwrite');
    expect(self).toMatchObject({
      status: 1,
      err: expect.stringContaining('is the network to export.\nGive another file'),
    });
    expect(await readFile(own)).toEqual(before);
  });

  it('in a network is named, and nothing is written', async () => {
    await writeFile(at('distance.onnx'), distanceNetwork());
    const model = sequential([4, 4, 1], [conv2d(1), relu(), flatten(), dense(2)]);
    const zeros = (shape: readonly number[], value = 0) => ({
      shape,
      data: new Float32Array(shape.reduce((a, b) => a * b)).fill(value),
    });
    const params = {
      conv2d1: { kernel: zeros([3, 3, 1, 1], Number.NaN), bias: zeros([1]) },
      dense1: { kernel: zeros([16, 2]), bias: zeros([2]) },
    };
    await writeFile(at('nan.safetensors'), encodeCheckpoint({ model, params, stats: {} }));
    const gelu = { ...model, nodes: model.nodes.map((node) => (node.op === 'relu' ? { ...node, op: 'gelu' } : node)) };
    await writeFile(
      at('gelu.safetensors'),
      encodeCheckpoint({ model: gelu as unknown as typeof model, params, stats: {} }),
    );
    for (const [file, options, message] of [
      ['nan.safetensors', [], '"conv2d1.kernel" has NaN at 0.\nExport a checkpoint whose weights are finite'],
      ['gelu.safetensors', [], 'The op "gelu" (node "relu1") has no equivalent in ONNX.'],
      ['distance.onnx', ['--vnnlib', '1'], '--vnnlib was given without a dataset, and '],
      ['distance.onnx', ['--vnnlib', '1', '--dataset', 'digits'], '--vnnlib was given without a radius, and '],
      [
        'distance.onnx',
        ['--vnnlib', '1', '--dataset', 'digits', '--epsilon', '0.1'],
        'Inputs of "digits" have the shape [28,28,1] and 10 classes, but the network takes [2] and has 2 outputs.',
      ],
      ['missing.onnx', [], 'missing.onnx cannot be read: ENOENT'],
      ['missing.safetensors', [], 'missing.safetensors.\nGive the folder of a run, or a checkpoint file.'],
      ['nan.safetensors', ['--checkpoint', 'best'], '--checkpoint was given, but '],
      ['.', [], 'contains no run: '],
    ] as const) {
      const { status, out, err } = await cert('export', at(file), '--out', at('never', 'net.onnx'), ...options);
      expect([file, status, out]).toEqual([file, 1, '']);
      expect(err).toContain(message);
      expect(existsSync(at('never'))).toBe(false);
    }
  });

  it.each([
    [
      ['--format', 'onxn'],
      '--format is "onxn".\nGive one of: onnx, checkpoint, safetensors, layers. Did you mean "onnx"?',
    ],
    [
      ['--out', 'net.bin'],
      '--out is "net.bin".\nGive a file whose name ends in .onnx or .cert.safetensors or .safetensors or .json.',
    ],
    [['--out', 'net.bin', '--format', 'onnx'], '--out is "net.bin".\nGive a file whose name ends in .onnx.'],
    [['--layout', 'chwn'], '--layout is "chwn".\nGive one of: nchw, nhwc. Did you mean'],
    [['--batch', '8'], '--batch is "8".\nGive one of: 1, any.'],
    [
      ['--format', 'safetensors', '--layout', 'nchw'],
      '--layout was given, but the format safetensors does not use it.',
    ],
    [['--format', 'safetensors', '--fold-batch-norm'], '--fold-batch-norm was given, but the format safetensors'],
    [['--format', 'safetensors', '--vnnlib', '1'], '--vnnlib was given, but the format safetensors'],
    [['--vnnlib', '0'], '--vnnlib is 0.\nGive a whole number of images, at least 1.'],
    [['--vnnlib', 'all'], '--vnnlib is "all".'],
    [['--vnnlib', '1', '--epsilon', 'x'], '--epsilon is "x"; expected a number'],
    [['--vnnlib', '1', '--timeout', '0'], '--timeout is 0.\nGive a number of seconds above 0.'],
    [['--vnnlib', '1', '--dataset', 'digit', '--out', 'OUT'], 'There is no dataset "digit".\nDid you mean "digits"?'],
    [['--epsilon', '0.1'], '--epsilon requires --vnnlib.'],
    [['--timeout', '1'], '--timeout requires --vnnlib.'],
    [['--checkpoint', 'first'], '--checkpoint is "first".'],
  ])('in %o is refused', async (args, message) => {
    const { status, out, err } = await cert('export', run, ...args.map((arg) => (arg === 'OUT' ? at('x.onnx') : arg)));
    expect([status, out]).toEqual([1, '']);
    expect(err).toContain(message);
  });

  it('in the network alone says what is missing', async () => {
    const { status, err } = await cert('export');
    expect([status, err]).toEqual([1, expect.stringContaining("missing required argument 'network'")]);
  });
});

it('says so when there are fewer correct images than asked for', async () => {
  const options = ['--out', at('all', 'net.onnx'), '--vnnlib', '1000'];
  const { status, out, err } = await cert('export', run, ...options);
  expect([status, err]).toEqual([
    0,
    expect.stringMatching(/^note: --vnnlib is 1000, but only \d+ of the 300 test images/),
  ]);
  expect(out).toMatch(/^Wrote \d+ properties \(first 300 test images, epsilon 0\.02\) to /m);
  expect(out).toMatch(/^Verify with: cert verify --instances .*instances\.csv$/m);
});

it.skipIf(!hasPty)('fits 80 columns, and leaves no line of progress', async () => {
  const { status, lines, live } = await inTerminal(80, [
    'export',
    run,
    '--out',
    at('terminal', 'net.onnx'),
    '--vnnlib',
    '2',
  ]);
  expect(status).toBe(0);
  expect(lines.filter((line) => line.length > 80 && !line.startsWith('Verify with:') && !line.includes(place))).toEqual(
    [],
  );
  expect(live).toContain('reading the network ... 0:00:00');
  expect(lines.join('\n')).not.toContain(' ... 0:');
});
