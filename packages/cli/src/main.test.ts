import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buildParams, dense, initialStats, type Model, paramSpecs, sequential, tf, toHost } from '@cert/core';
import { loadCheckpoint, saveCheckpoint } from '@cert/models/node';
import { runFiles } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { cert, TINY, train } from '../test/cert.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-main-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** Every file below a folder with its content. */
async function snapshot(folder: string): Promise<Record<string, string>> {
  const names = await readdir(folder, { recursive: true });
  const files = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      return (await stat(path)).isFile() ? [[name, (await readFile(path)).toString('base64')]] : [];
    }),
  );
  return Object.fromEntries(files.flat());
}

describe('cert train', () => {
  let run: string;
  beforeAll(async () => {
    run = join(place, 'run');
    const { status, err } = await train(run);
    expect([status, err]).toEqual([0, '']);
  });

  it('--print-config prints the configuration of the run, and trains nothing', async () => {
    const { status, out, err } = await train(join(place, 'printed'), '--print-config');
    expect([status, err]).toEqual([0, '']);
    expect(JSON.parse(out)).toEqual(JSON.parse(await readFile(runFiles(run).config, 'utf8')));
    expect(await readdir(place)).not.toContain('printed');
    expect(await train(join(place, 'printed'), '--print-config', '--epsilon', '-1')).toMatchObject({
      status: 1,
      out: '',
    });
    const resumed = await cert('train', '--resume', run, '--print-config');
    expect(resumed).toMatchObject({ status: 1, out: '' });
    expect(resumed.err).toContain('--print-config and --resume were both given.');
  });

  it('leaves a folder with everything about the run', async () => {
    expect(Object.keys(await snapshot(run)).sort()).toEqual([
      ...['checkpoints/best.safetensors', 'checkpoints/last.safetensors'],
      ...['config.json', 'log.txt', 'metrics.jsonl', 'summary.json'],
    ]);
    const summary = JSON.parse(await readFile(runFiles(run).summary, 'utf8'));
    expect(summary).toMatchObject({
      images: 20,
      seed: 0,
      device: 'tfjs',
      epochs: 2,
      attack: { steps: 2, restarts: 1 },
    });
    expect(summary.standardError).toBeLessThanOrEqual(summary.pgdError);
    expect(summary.pgdError).toBeLessThanOrEqual(summary.verifiedError);
    expect(summary.best.epoch).toBe(2);
    const lines = (await readFile(runFiles(run).metrics, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ type, epoch, step }) => [type, epoch, step])).toEqual([
      ['epoch', 1, 3],
      ['epoch', 2, 6],
    ]);
    expect(await readFile(runFiles(run).log, 'utf8')).toMatch(
      /^digits\/quick \(fast\), seed 0: .*\nWarning: The ramp is short: .*\nepoch 1 .*\nepoch 2 /,
    );
  });

  it('does the same again with the same seed, and something else with another', async () => {
    const weights = async (folder: string) => (await loadCheckpoint(runFiles(folder).last)).params;
    await train(join(place, 'again'));
    await train(join(place, 'other'), '--seed', '1');
    expect(await weights(join(place, 'again'))).toEqual(await weights(run));
    expect(await weights(join(place, 'other'))).not.toEqual(await weights(run));
  });

  it('takes a part of the method away, or BatchNorm', async () => {
    const folder = join(place, 'parts');
    expect(await train(folder, '--no-init', '--no-reg', '--bn', 'none')).toMatchObject({ status: 0, err: '' });
    expect(JSON.parse(await readFile(runFiles(folder).config, 'utf8'))).toMatchObject({
      ...{ method: 'fast', init: 'xavier', regularizers: [], regWeight: 0, batchNorm: 'none' },
    });
    const { model } = await loadCheckpoint(runFiles(folder).last);
    expect(model.nodes.some(({ op }) => op === 'batchNorm')).toBe(false);
  });

  it('leaves a folder alone that holds a run', async () => {
    const before = await snapshot(run);
    const { status, err } = await train(run);
    expect(status).toBe(1);
    expect(err).toBe(
      `error: ${run} already contains a run.\nChoose another folder with --out, or continue the run: --resume ${run}.`,
    );
    expect(await snapshot(run)).toEqual(before);
  });

  it('leaves a folder alone that holds something else', async () => {
    await writeFile(join(place, 'letter.txt'), 'text');
    expect(await train(place)).toMatchObject({
      status: 1,
      err: expect.stringContaining(`The folder ${place} is not empty.`),
    });
  });

  it.each([
    [['--preset', 'digits/quik'], 'There is no preset "digits/quik".\nDid you mean "digits/quick"?'],
    [['--model', 'smal-conv'], 'There is no model "smal-conv".\nDid you mean "small-conv"?'],
    [['--method', 'vanila'], 'There is no method "vanila".\nDid you mean "vanilla"?'],
    [['--epsilon', '-1'], '--epsilon is -1.\nGive a finite number >= 0, such as 0.1 or 8/255.'],
    [
      ['--epsilon', 'NaN'],
      '--epsilon is "NaN"; expected a number such as 0.1 or a fraction such as 8/255.\nGive a finite number >= 0.',
    ],
    [['--epsilon', ''], '--epsilon is empty.'],
    [['--batch-size', '0'], '--batch-size is 0.\nGive a whole number of at least 1.'],
    [['--milestones', '3,x'], '--milestones is [3,"x"].'],
    [['--device', 'tpu'], 'There is no device "tpu".'],
    [['--epoch', '3'], "unknown option '--epoch'\n(Did you mean --epochs?)"],
    [['--dataset', 'mnist', '--data', '/nowhere'], '/nowhere'],
    [['--no-init', '--init', 'ibp'], '--no-init and --init were both given.\nLeave out one of them'],
    [['--init', 'ibp', '--no-init'], '--no-init and --init were both given.\nLeave out one of them'],
    [['--no-reg', '--reg-weight', '0.1'], '--no-reg and --reg-weight were both given.'],
    [
      ['--no-fusion'],
      '--no-fusion requires the method crown-ibp, but the method is fast.\nLeave it out, or give --method crown-ibp.',
    ],
    [['--method', 'crown-ibp', '--no-fusion', '--objective', 'robust'], '--no-fusion and --objective were both given.'],
    [['--bn', 'conv'], 'small-conv does not support --bn conv.\nGive --bn none or --bn full'],
    [['--bn', 'all'], '--bn is "all".\nGive one of none, conv, full. Did you mean "full"'],
    [
      ['--pgd-steps', '3'],
      '--pgd-steps is an option of the objective pgd, but this run has the objective robust.\nLeave it out, or choose --objective pgd.',
    ],
    [
      ['--no-reg', '--reg-tolerance', '0.3'],
      '--reg-tolerance is an option of the regularizers tightness, relu-balance',
    ],
    [['--dataset', 'digits', '--data', '/x'], '--data is an option of the datasets mnist, '],
    [['--resume', '/nowhere', '--out', '/elsewhere'], '--out and --resume were both given.'],
    [['--resume', '/nowhere'], '/nowhere contains no run: /nowhere/config.json is missing.'],
  ])('refuses %o and writes nothing', async (args, message) => {
    const folder = join(place, 'never');
    const { status, err } = await cert('train', ...(args.includes('--resume') ? [] : ['--out', folder]), ...args);
    expect(status).toBe(1);
    expect(err).toContain(message);
    expect(err).not.toContain('    at ');
    expect(await readdir(place)).not.toContain('never');
  });

  it('says where training diverged and which checkpoint is good', async () => {
    const folder = join(place, 'diverged');
    const { status, err } = await train(folder, '--learning-rate', '1e30', '--clip-norm', 'none');
    expect(status).toBe(1);
    expect(err).toMatch(/^error: Step \d+ \(epoch 1\): \w+ is (NaN|Infinity)\. The first non-finite value is the \w+/);
    expect(err).toContain(`The last good checkpoint is ${runFiles(folder).last}.`);
    expect(await readFile(runFiles(folder).log, 'utf8')).toMatch(/^Failed: Step \d+ /m);
    const { params } = await loadCheckpoint(runFiles(folder).last);
    expect(
      Object.values(params)
        .flatMap((node) => Object.values(node))
        .every(({ data }) => data.every(Number.isFinite)),
    ).toBe(true);
  });

  describe('--resume', () => {
    it('of a run that is done evaluates again', async () => {
      const before = await loadCheckpoint(runFiles(run).last);
      expect(await cert('train', '--resume', run)).toMatchObject({ status: 0, err: '' });
      expect((await loadCheckpoint(runFiles(run).last)).params).toEqual(before.params);
    });

    it.each([
      [['--learning-rate', '0.5'], '--learning-rate is 0.5, but the run began with 0.002.'],
      [['--method', 'vanilla'], '--method is vanilla, but the run began with fast.'],
      [['--seed', '9'], '--seed is 9, but the run began with 0.'],
      [['--width', '3'], '--width is 3, but the run began with 2.'],
      [['--momentum', '0.9'], '--momentum is an option of the optimizer sgd, but this run has the optimizer adam.'],
    ])('refuses %o', async (args, message) => {
      const before = await snapshot(run);
      expect(await cert('train', '--resume', run, ...args)).toMatchObject({
        status: 1,
        err: expect.stringContaining(message),
      });
      expect(await snapshot(run)).toEqual(before);
    });

    it('names what is wrong with a checkpoint, and changes nothing', async () => {
      const broken = join(place, 'broken');
      await train(broken);
      const { last, config } = runFiles(broken);
      const bytes = await readFile(last);
      const attempt = async (message: string) => {
        const before = await snapshot(broken);
        const { status, err } = await cert('train', '--resume', broken);
        expect(status).toBe(1);
        expect(err).toContain(message);
        expect(await snapshot(broken)).toEqual(before);
      };
      await writeFile(last, bytes.subarray(0, bytes.length - 8));
      await attempt(`${last} is truncated: it has ${bytes.length - 8} bytes and should have ${bytes.length}.`);
      await writeFile(last, bytes);
      const text = await readFile(config, 'utf8');
      await writeFile(config, text.replace('"width": 2', '"width": 3'));
      await attempt(`The models differ: params of node "conv1"`);
      await writeFile(config, text.replace('"width"', '"with"'));
      await attempt(`There is no field in ${config} "with".\nDid you mean "width"`);
      await writeFile(config, text.slice(0, 40));
      await attempt(`${config} is not JSON: `);
    });
  });

  describe('cert eval', () => {
    const EVAL = ['--methods', 'ibp', '--attack-steps', '2', '--attack-restarts', '1'];

    it('gives what training reported', async () => {
      const { status, out } = await cert('eval', run, ...EVAL, '--json');
      const { standardError, pgdError, verifiedError } = JSON.parse(await readFile(runFiles(run).summary, 'utf8'));
      expect(status).toBe(0);
      expect(JSON.parse(out)).toMatchObject({
        ...{ images: 20, device: 'tfjs', settings: { epsilon: 0.1, attack: { steps: 2, restarts: 1, seed: 0 } } },
        ...{ standardError: { fraction: standardError }, pgdError: { fraction: pgdError } },
        methods: { ibp: { verifiedError: { fraction: verifiedError } } },
      });
    });

    it('leaves a line per image and a summary in the run, and continues with them', async () => {
      const [lines, summary] = [join(run, 'eval', 'last-0.1.jsonl'), join(run, 'eval', 'last-0.1.json')];
      const { out } = await cert('eval', run, ...EVAL, '--overwrite');
      expect(out).toContain('standard error');
      expect(out).toContain(`Results per image: ${lines}\nSummary: ${summary}`);
      const text = await readFile(lines, 'utf8');
      expect(text.trimEnd().split('\n')).toHaveLength(21);
      const again = await cert('eval', run, ...EVAL);
      expect(again.out).toMatch(/^20 of 20 images already evaluated./);
      expect(await readFile(lines, 'utf8')).toBe(text);
      expect(JSON.parse(await readFile(summary, 'utf8'))).toMatchObject({ images: 20, before: 20 });

      const other = await cert('eval', run, ...EVAL, '--methods', 'crown-ibp, ibp');
      expect(other).toMatchObject({ status: 1, err: expect.stringContaining('was started with methods ["ibp"], not') });
      expect(await readFile(lines, 'utf8')).toBe(text);
    });

    it('takes more methods, another radius, a checkpoint file and another place', async () => {
      const file = join(place, 'elsewhere', 'lines.jsonl');
      const options = ['--methods', 'crown-ibp,ibp', '--epsilon', '0', '--attack-restarts', '0', '--out', file];
      const { out } = await cert('eval', runFiles(run).best, ...options, '--complete', '--json');
      const { settings, standardError, pgdError, methods } = JSON.parse(out);
      expect(settings).toMatchObject({ epsilon: 0, attack: null, methods: ['ibp', 'crown-ibp'] });
      expect(pgdError).toBe(null);
      expect(methods.ibp.verifiedError).toEqual(standardError);
      expect(methods['crown-ibp']).toMatchObject({ tried: 20, aloneError: standardError });
      expect(await readdir(dirname(file))).toEqual(['lines.json', 'lines.jsonl']);
    });

    it.each([
      [['/nowhere'], 'There is no /nowhere.'],
      [['--checkpoint', 'first', '/nowhere'], '--checkpoint is "first".'],
      [['--methods', 'ibp,crwn', '/nowhere'], 'There is no bound method "crwn".\nDid you mean "crown"'],
      [['--attack-steps', '0', '/nowhere'], '--attack-steps is 0.'],
      [['--attack', 'autoatack', '/nowhere'], 'There is no attack "autoatack".\nDid you mean "autoattack"'],
      [
        ['--attack', 'autoattack', '--attack-steps', '5', '/nowhere'],
        '--attack-steps was given with --attack autoattack.',
      ],
      [['--out', 'lines.csv', '/nowhere'], '--out is "lines.csv".\nGive a file whose name ends in .jsonl.'],
    ])('refuses %o', async (args, message) => {
      expect(await cert('eval', ...args)).toMatchObject({ status: 1, err: expect.stringContaining(message) });
    });

    it('says that there is no such checkpoint', async () => {
      const { status, err } = await cert('eval', join(place, 'no', 'checkpoints', 'last.safetensors'));
      expect([status, err]).toEqual([1, expect.stringContaining('There is no ')]);
      await rm(runFiles(run).best);
      const best = await cert('eval', run, '--checkpoint', 'best');
      expect(best).toMatchObject({ status: 1, err: expect.stringContaining(`${runFiles(run).best} cannot be read: `) });
    });

    it('refuses a model that the images do not fit', async () => {
      const model: Model = sequential([4], [dense(3)]);
      const params = await toHost(buildParams(paramSpecs(model), ({ shape }) => tf.zeros([...shape])));
      const file = join(place, 'other.safetensors');
      await saveCheckpoint(file, { model, params, stats: initialStats(model) });
      expect(await cert('eval', file)).toMatchObject({
        status: 1,
        err: expect.stringContaining(
          'The model takes inputs of shape [4] and has 3 classes, but digits has inputs of shape [28,28,1] and 10 classes.',
        ),
      });
    });
  });
});

describe('cert doctor', () => {
  it('lists the devices and says which one is taken', async () => {
    const { status, out } = await cert('doctor');
    expect(status).toBe(0);
    expect(out).toContain(process.version);
    const { status: printed, out: version } = await cert('--version');
    expect([printed, version]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+/)]);
    expect(out).toMatch(new RegExp(`^cert +${version}`, 'm'));
    expect(out).toMatch(/^device tfjs +available +TensorFlow\.js 4\./m);
    expect(out).toMatch(/^--device auto selects (cpu|tfjs): /m);
  });

  it('says how to get a package that is missing, and continues without it', async () => {
    vi.doMock('onnxruntime-node', () => {
      throw new Error('not installed');
    });
    const { out } = await cert('doctor');
    expect(out).toMatch(/^device cpu +missing .*npm install onnxruntime-node/m);
    expect(out).toContain('--device auto selects tfjs: fastest available; cpu: ');
    const { status, err } = await cert('train', '--out', join(place, 'never'), ...TINY, '--device', 'cpu');
    expect([status, err]).toEqual([1, expect.stringContaining('needs the package onnxruntime-node')]);
    expect(await readdir(place)).not.toContain('never');
    vi.doUnmock('onnxruntime-node');
  });
});
