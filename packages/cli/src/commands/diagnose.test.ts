import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { runFiles } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../main.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-diagnose-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** Runs the command in this process. */
async function cert(args: readonly string[], screen: NodeJS.WritableStream | null = null) {
  const lines = { out: [] as string[], err: [] as string[] };
  const terminal = {
    out: (line: string) => void lines.out.push(line),
    err: (line: string) => void lines.err.push(line),
    screen,
  };
  const status = await main(args, terminal, new AbortController().signal);
  return { status, out: lines.out.join('\n'), err: lines.err.join('\n') };
}

describe('cert diagnose init', () => {
  const TINY = ['--device', 'tfjs', '--width', '2', '--dense', '4', '--images', '2'];
  const diagnose = (...args: string[]) => cert(['diagnose', 'init', ...TINY, ...args]);

  it('prints tables and saves them with a figure', async () => {
    const folder = join(place, 'a', 'init');
    const { status, out, err } = await diagnose('--out', folder, '--seeds', '0,1');
    expect([status, err]).toEqual([0, '']);
    expect(out).toContain('1/8  xavier, seed 0\n');
    expect(out).toContain('IBP at epsilon 0.1, 2 images of digits (28x28x1), seed 0, 1');
    expect(out).toMatch(/^mean radius +xavier +kaiming +orthogonal +ibp$/m);
    expect(out).toMatch(/^gain \(expected\) +xavier +kaiming +orthogonal +ibp$/m);
    expect(out).toMatch(new RegExp(`init\\.json and init\\.svg are in ${folder}$`));
    expect(await readdir(folder)).toEqual(['init.json', 'init.svg']);
    const saved = JSON.parse(await readFile(join(folder, 'init.json'), 'utf8'));
    expect(saved).toMatchObject({ model: 'cnn7', batchNorm: 'none', data: 'digits', images: 2, seeds: [0, 1] });
    expect(saved.inits.map(({ name }: { name: string }) => name)).toEqual(['xavier', 'kaiming', 'orthogonal', 'ibp']);
    const nodes = ['input', 'conv1', 'conv2', 'conv3', 'conv4', 'conv5', 'dense1', 'dense2'];
    for (const { layers } of saved.inits) expect(layers.map(({ node }: { node: string }) => node)).toEqual(nodes);
    const svg = await readFile(join(folder, 'init.svg'), 'utf8');
    expect(svg).toContain('Bounds at initialization: cnn7');
    for (const node of nodes) expect(svg).toContain(`>${node}<`);
  });

  it('takes random images of a shape, any model and some initializations, and prints JSON alone', async () => {
    const options = ['--model', 'mlp', '--bn', 'full', '--input-shape', '4,4,3', '--classes', '7'];
    const out = join(place, 'random');
    const result = await diagnose(...options, '--inits', 'ibp,xavier', '--out', out, '--json');
    expect([result.status, result.err]).toEqual([0, '']);
    const report = JSON.parse(result.out);
    expect(report).toMatchObject({
      model: 'mlp',
      inputShape: [4, 4, 3],
      classes: 7,
      data: 'random pixels',
      folder: out,
    });
    expect(report.inits.map(({ name }: { name: string }) => name)).toEqual(['ibp', 'xavier']);
    const again = await diagnose(...options, '--inits', 'ibp,xavier', '--out', out, '--json');
    expect(again.out).toBe(result.out);
  });

  it('shows a bar on a screen', async () => {
    const screen = Object.assign(new PassThrough(), { isTTY: true, columns: 120, rows: 40, cursorTo() {} });
    const drawn: string[] = [];
    screen.on('data', (chunk: Buffer) => void drawn.push(chunk.toString()));
    const args = ['--input-shape', '4', '--model', 'mlp', '--inits', 'ibp', '--out', join(place, 'bar')];
    const { status, out } = await cert(['diagnose', 'init', ...TINY, ...args], screen);
    expect(status).toBe(0);
    expect(out).not.toContain('1/1  ibp');
    expect(drawn.join('')).toContain('ibp, seed 0');
  });

  it.each([
    [['--model', 'cn7'], 'There is no model "cn7".\nDid you mean "cnn7"'],
    [['--inits', 'xavier,kaimin'], 'There is no initialization "kaimin".\nDid you mean "kaiming"'],
    [['--inits', ''], '--inits is empty.'],
    [['--dataset', 'digit'], 'There is no dataset "digit".\nDid you mean "digits"'],
    [['--bn', 'most'], '--bn is "most".'],
    [['--epsilon', '0'], '--epsilon is 0.\nGive a radius greater than 0.'],
    [['--epsilon', 'x'], '--epsilon is "x"; expected a number'],
    [['--images', '0'], '--images is 0.\nGive a whole number of at least 1.'],
    [['--images', '1,2'], '--images is "1,2".\nGive a whole number of at least 1.'],
    [['--seeds', '0,-1'], '--seeds is "0,-1".\nGive comma-separated whole numbers of at least 0.'],
    [['--input-shape', '32,32,x'], '--input-shape is "32,32,x".\nGive comma-separated whole numbers of at least 1'],
    [['--input-shape', '32,0,3'], '--input-shape is "32,0,3".'],
    [['--input-shape', '32'], 'Node "conv1" (conv2d) does not fit its inputs of shapes [32]'],
    [['--input-shape', '8,8,1', '--classes', '1'], '--classes is 1.\nGive a whole number of at least 2.'],
    [['--classes', '3'], '--classes was given without --input-shape.'],
    [['--input-shape', '8,8,1', '--dataset', 'digits'], '--dataset and --input-shape were both given.'],
    [['--input-shape', '8,8,1', '--data', '/x'], '--data and --input-shape were both given.'],
    [['--device', 'gpu'], 'There is no device "gpu".'],
  ])('refuses %o and writes nothing', async (args, message) => {
    const { status, out, err } = await diagnose('--out', join(place, 'never'), ...args);
    expect([status, out]).toEqual([1, '']);
    expect(err).toContain(message);
    expect(err).not.toContain('    at ');
    expect(await readdir(place)).not.toContain('never');
  });

  it('says which folder cannot be made', async () => {
    const file = join(place, 'file');
    await writeFile(file, '');
    const args = ['--input-shape', '4', '--model', 'mlp', '--inits', 'ibp', '--out', join(file, 'below')];
    expect(await diagnose(...args)).toMatchObject({
      status: 1,
      err: expect.stringContaining(`The folder ${join(file, 'below')} cannot be created`),
    });
  });
});

describe('cert diagnose relu', () => {
  let run: string;
  beforeAll(async () => {
    run = join(place, 'run');
    const { status, err } = await cert([
      ...['train', '--out', run, '--device', 'tfjs', '--limit', '20', '--batch-size', '8', '--epochs', '3'],
      ...['--width', '2', '--dense', '4', '--attack-restarts', '0'],
    ]);
    expect([status, err]).toEqual([0, '']);
  });

  it('prints what training counted and saves it with a figure in the run', async () => {
    const { status, out, err } = await cert(['diagnose', 'relu', run]);
    expect([status, err]).toEqual([0, '']);
    expect(out).toContain('digits/quick (fast)');
    expect(out).toContain('around 20 test images');
    expect(out).toMatch(/^epoch +epsilon +bn1 +bn2 +dense1_bn$/m);
    expect(out.match(/^\d+ +[\d.e+-]+( +[\d.]+\/[\d.]+\/[\d.]+){3}$/gm)).toHaveLength(3);
    const { epochs, ...about } = JSON.parse(await readFile(join(run, 'relu.json'), 'utf8'));
    expect(about).toEqual({ preset: 'digits/quick', method: 'fast', model: 'small-conv', seed: 0 });
    for (const { images, layers } of epochs) {
      expect(images).toBe(20);
      for (const { active, inactive, unstable } of Object.values<Record<string, number>>(layers)) {
        expect(active! + inactive! + unstable!).toBeCloseTo(1, 12);
      }
    }
    expect(await readFile(join(run, 'relu.svg'), 'utf8')).toContain('ReLU neurons by their bounds');
  });

  it('saves elsewhere, and prints JSON alone', async () => {
    const elsewhere = join(place, 'elsewhere');
    const { status, out } = await cert(['diagnose', 'relu', run, '--out', elsewhere, '--json']);
    expect(status).toBe(0);
    expect(JSON.parse(out)).toEqual({
      ...JSON.parse(await readFile(join(elsewhere, 'relu.json'), 'utf8')),
      folder: elsewhere,
    });
    expect(await readdir(elsewhere)).toEqual(['relu.json', 'relu.svg']);
  });

  it('says of a run from before that it has to be trained again', async () => {
    const old = join(place, 'old');
    await cert(['diagnose', 'relu', run, '--out', old]);
    await writeFile(runFiles(old).config, await readFile(runFiles(run).config));
    const lines = (await readFile(runFiles(run).metrics, 'utf8')).trimEnd().split('\n');
    const without = lines.map((line) => JSON.stringify({ ...JSON.parse(line), relu: undefined }));
    await writeFile(runFiles(old).metrics, `${without.join('\n')}\n`);
    const { status, err } = await cert(['diagnose', 'relu', old]);
    expect(status).toBe(1);
    expect(err).toContain('has no neuron counts');
    expect(err).toContain('Train again');
  });

  it.each([
    [['relu', '/nowhere'], '/nowhere contains no run: /nowhere/config.json is missing.'],
    [['relu'], "missing required argument 'run'"],
    [['rely'], "unknown command 'rely'\n(Did you mean relu?)"],
  ])('refuses %o', async (args, message) => {
    const { status, err } = await cert(['diagnose', ...args]);
    expect(status).toBe(1);
    expect(err).toContain(message);
  });
});
