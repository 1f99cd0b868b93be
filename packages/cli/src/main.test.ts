import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buildParams, dense, initialStats, type Model, paramSpecs, sequential, tf } from '@cert/core';
import { loadCheckpoint, saveCheckpoint, toHost } from '@cert/models';
import { runFiles } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { main } from './main.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-main-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** Runs the command in this process. */
async function cert(...args: string[]) {
  const lines = { out: [] as string[], err: [] as string[] };
  const terminal = {
    out: (line: string) => void lines.out.push(line),
    err: (line: string) => void lines.err.push(line),
    screen: null,
  };
  const status = await main(args, terminal, new AbortController().signal);
  return { status, out: lines.out.join('\n'), err: lines.err.join('\n') };
}

/** Options of a run that takes a second. */
const TINY = [
  ...['--device', 'tfjs', '--limit', '20', '--batch-size', '8', '--epochs', '2', '--width', '2', '--dense', '4'],
  ...['--attack-restarts', '1', '--attack-steps', '2'],
];
const train = (folder: string, ...args: string[]) => cert('train', '--out', folder, ...TINY, ...args);

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
      /^digits\/quick \(fast\), seed 0: .*\nepoch 1 .*\nepoch 2 /,
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
      `error: ${run} already holds a run.\nChoose another folder with --out, or go on with it: --resume ${run}.`,
    );
    expect(await snapshot(run)).toEqual(before);
  });

  it('leaves a folder alone that holds something else', async () => {
    await writeFile(join(place, 'letter.txt'), 'dear');
    expect(await train(place)).toMatchObject({
      status: 1,
      err: expect.stringContaining(`The folder ${place} is not empty.`),
    });
  });

  it.each([
    [['--preset', 'digits/quik'], 'There is no preset "digits/quik".\nDid you mean "digits/quick"?'],
    [['--model', 'smal-conv'], 'There is no model "smal-conv".\nDid you mean "small-conv"?'],
    [['--method', 'vanila'], 'There is no method "vanila".\nDid you mean "vanilla"?'],
    [['--epsilon', '-1'], '--epsilon is -1.\nGive a number from 0 to 1.'],
    [['--epsilon', 'NaN'], '--epsilon is NaN.\nGive a number from 0 to 1.'],
    [['--epsilon', ''], '--epsilon is NaN.'],
    [['--batch-size', '0'], '--batch-size is 0.\nGive a whole number of at least 1.'],
    [['--milestones', '3,x'], '--milestones is [3,null].'],
    [['--device', 'tpu'], 'There is no device "tpu".'],
    [['--epoch', '3'], "unknown option '--epoch'\n(Did you mean --epochs?)"],
    [['--dataset', 'mnist', '--data', '/nowhere'], '/nowhere'],
    [['--no-init', '--init', 'ibp'], '--no-init and --init were both given.\nLeave out one of them'],
    [['--init', 'ibp', '--no-init'], '--no-init and --init were both given.\nLeave out one of them'],
    [['--no-reg', '--reg-weight', '0.1'], '--no-reg and --reg-weight were both given.'],
    [
      ['--no-fusion'],
      '--no-fusion is for crown-ibp, and the method is fast.\nLeave it out, or give --method crown-ibp.',
    ],
    [['--method', 'crown-ibp', '--no-fusion', '--objective', 'robust'], '--no-fusion and --objective were both given.'],
    [['--bn', 'conv'], 'small-conv has no choice of BatchNorm "conv".\nGive --bn none or --bn full'],
    [['--bn', 'all'], '--bn is "all".\nGive one of none, conv, full.'],
    [['--resume', '/nowhere', '--out', '/elsewhere'], '--out and --resume were both given.'],
    [['--resume', '/nowhere'], '/nowhere holds no run: there is no /nowhere/config.json.'],
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
    expect(err).toMatch(
      /^error: Step \d+ \(epoch 1\): \w+ is (NaN|Infinity)\. The first value that is not finite is the \w+/,
    );
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
      [['--learning-rate', '0.5'], '--learning-rate is 0.5, and the run began with 0.002.'],
      [['--method', 'vanilla'], '--method is vanilla, and the run began with fast.'],
      [['--seed', '9'], '--seed is 9, and the run began with 0.'],
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
      await attempt(`${config} is not JSON.`);
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

    it('leaves a line per image and a summary in the run, and goes on with them', async () => {
      const [lines, summary] = [join(run, 'eval', 'last-0.1.jsonl'), join(run, 'eval', 'last-0.1.json')];
      const { out } = await cert('eval', run, ...EVAL, '--anew');
      expect(out).toContain('standard error');
      expect(out).toContain(`Image by image: ${lines}\nSummary: ${summary}`);
      const text = await readFile(lines, 'utf8');
      expect(text.trimEnd().split('\n')).toHaveLength(21);
      const again = await cert('eval', run, ...EVAL);
      expect(again.out).toMatch(/^20 of 20 images were evaluated before\./);
      expect(await readFile(lines, 'utf8')).toBe(text);
      expect(JSON.parse(await readFile(summary, 'utf8'))).toMatchObject({ images: 20, before: 20 });

      const other = await cert('eval', run, ...EVAL, '--methods', 'crown-ibp, ibp');
      expect(other).toMatchObject({ status: 1, err: expect.stringContaining('was begun with methods ["ibp"], not') });
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
      await saveCheckpoint(file, { model, params, stats: await toHost(initialStats(model)) });
      expect(await cert('eval', file)).toMatchObject({
        status: 1,
        err: expect.stringContaining('The model takes images of shape [4] in 3 classes; digits has [28,28,1] in 10.'),
      });
    });
  });
});

describe('--plugin', () => {
  const code = (name: string) => `
    const none = { params: {}, stats: {} };
    export default {
      name: '${name}',
      models: {
        flat: ({ inputShape, classes }) => {
          const size = inputShape.reduce((a, b) => a * b, 1);
          const params = { kernel: [size, classes], bias: [classes] };
          const nodes = [
            { name: 'flatten1', op: 'flatten', inputs: ['input'], attrs: {}, shape: [size], ...none },
            { name: 'dense1', op: 'dense', inputs: ['flatten1'], attrs: {}, shape: [classes], params, stats: {} },
          ];
          return { inputShape, classes, nodes };
        },
      },
    };`;
  const [file, moved] = ['plugin/flat.mjs', 'moved/flat.mjs'].map((path) => () => join(place, path)) as [
    () => string,
    () => string,
  ];
  const manifest = (version: string) =>
    writeFile(join(place, 'plugin/package.json'), JSON.stringify({ name: 'flat', version }));
  let run: string;
  beforeAll(async () => {
    run = join(place, 'with-plugin');
    await mkdir(join(place, 'plugin'));
    await mkdir(join(place, 'moved'));
    await writeFile(file(), code('flat'));
    await writeFile(moved(), code('flat'));
    await manifest('1.0.0');
    expect(await train(run, '--plugin', file(), '--model', 'flat')).toMatchObject({ status: 0, err: '' });
  });

  it('is recorded with the run, and loaded again with --trust to go on, to evaluate and to diagnose', async () => {
    const { plugins } = JSON.parse(await readFile(runFiles(run).config, 'utf8'));
    expect(plugins).toEqual([{ name: 'flat', module: file(), version: '1.0.0' }]);
    expect(await cert('train', '--resume', run, '--trust')).toMatchObject({ status: 0, err: '' });
    const { status, out } = await cert('eval', run, '--attack-restarts', '0', '--json', '--trust');
    expect(status).toBe(0);
    expect(JSON.parse(out).images).toBe(20);
    expect(await cert('diagnose', 'relu', run, '--trust')).toMatchObject({ status: 0, err: '' });
  });

  it('that only the folder names runs no code', async () => {
    const foreign = join(place, 'foreign');
    await cp(run, foreign, { recursive: true });
    const ran = join(place, 'ran');
    const evil = `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(ran)}, ''); ${code('flat')}`;
    await writeFile(join(foreign, 'evil.mjs'), evil);
    const { config: file, last } = runFiles(foreign);
    const config = JSON.parse(await readFile(file, 'utf8'));
    for (const module of [join(foreign, 'evil.mjs'), './evil.mjs']) {
      await writeFile(file, JSON.stringify({ ...config, plugins: [{ name: 'flat', module, version: null }] }));
      for (const args of [
        ['eval', foreign],
        ['eval', last],
        ['diagnose', 'relu', foreign],
        ['train', '--resume', foreign],
      ]) {
        expect(await cert(...args)).toMatchObject({
          status: 1,
          err: expect.stringContaining('or --trust when you trust the folder.'),
        });
      }
    }
    // The configuration is checked before anything that it names is loaded, trusted or not.
    for (const change of [
      { plugins: [{ name: 'flat', module: 7 }] },
      { surprise: 1 },
      { method: {} },
      { preset: [] },
    ]) {
      const plugins = [{ name: 'flat', module: './evil.mjs', version: null }];
      await writeFile(file, JSON.stringify({ ...config, plugins, ...change }));
      expect(await cert('eval', last, '--trust')).toMatchObject({ status: 1, err: expect.stringMatching(/^error: /) });
    }
    expect(existsSync(ran)).toBe(false);
    // A relative module is looked for beside the file that names it.
    await writeFile(
      file,
      JSON.stringify({ ...config, plugins: [{ name: 'flat', module: './evil.mjs', version: null }] }),
    );
    expect(await cert('eval', foreign, '--attack-restarts', '0', '--trust')).toMatchObject({ status: 0 });
    expect(existsSync(ran)).toBe(true);
  });

  it('can be looked at', async () => {
    expect(await cert('plugin', 'show', file())).toMatchObject({ status: 0, out: 'flat 1.0.0\nmodels         flat' });
    expect(await cert('plugin', 'show', './nothing')).toMatchObject({
      status: 1,
      err: expect.stringContaining('There is no '),
    });
  });

  it('lists its names where one is unknown', async () => {
    expect(await train(join(place, 'no'), '--plugin', file(), '--model', 'flap')).toMatchObject({
      status: 1,
      err: expect.stringMatching(
        /There is no model "flap"\.\nDid you mean "flat" or "mlp"\? Known: small-conv, .*, flat\./,
      ),
    });
  });

  it('that has moved is asked for, and the one that is given stands in for it', async () => {
    await rename(file(), join(place, 'plugin/away.mjs'));
    expect(await cert('eval', run, '--attack-restarts', '0', '--trust')).toMatchObject({
      status: 1,
      err: `error: The run needs the plug-in "flat". There is no ${file()}.\nSay where it is: --plugin MODULE.`,
    });
    const again = await cert('eval', run, '--attack-restarts', '0', '--plugin', moved());
    expect(again).toMatchObject({ status: 0, err: '' });
    await rename(join(place, 'plugin/away.mjs'), file());
  });

  it('of another version does not go on with a run', async () => {
    await manifest('2.0.0');
    expect(await cert('train', '--resume', run, '--trust')).toMatchObject({
      status: 1,
      err: expect.stringContaining('The run began with version 1.0.0 of the plug-in "flat", and this is 2.0.0.'),
    });
    await manifest('1.0.0');
  });

  it('that is another one by now is refused', async () => {
    await writeFile(join(place, 'plugin/other.mjs'), code('other'));
    const config = JSON.parse(await readFile(runFiles(run).config, 'utf8'));
    const plugins = [{ ...config.plugins[0], module: join(place, 'plugin/other.mjs') }];
    await writeFile(runFiles(run).config, JSON.stringify({ ...config, plugins }));
    expect(await cert('eval', run, '--trust')).toMatchObject({
      status: 1,
      err: expect.stringContaining('other.mjs is now the plug-in "other".'),
    });
  });
});

describe('a checkpoint', () => {
  it('goes with the configuration that it was trained with, and alone with any', async () => {
    const run = join(place, 'tied');
    expect(await train(run)).toMatchObject({ status: 0 });
    const { config: file, last } = runFiles(run);
    const alone = join(place, 'alone', 'net.safetensors');
    await mkdir(join(place, 'alone'));
    await cp(last, alone);
    const evaluate = ['--attack-restarts', '0', '--limit', '5', '--methods', 'ibp'];
    expect(await cert('eval', alone, ...evaluate)).toMatchObject({ status: 0, err: '' });
    const text = await readFile(file, 'utf8');
    await writeFile(file, JSON.stringify({ ...JSON.parse(text), epsilon: 0.001 }));
    for (const args of [
      ['eval', run, ...evaluate],
      ['train', '--resume', run],
    ]) {
      expect(await cert(...args)).toMatchObject({
        status: 1,
        err: expect.stringContaining('was trained with another configuration'),
      });
    }
    await writeFile(file, JSON.stringify({ ...JSON.parse(text), data: place }));
    expect(await cert('eval', run, ...evaluate)).toMatchObject({ status: 0 });
  });

  it('that was changed is refused', async () => {
    const file = join(place, 'changed.safetensors');
    const bytes = await readFile(runFiles(join(place, 'tied')).last);
    bytes[bytes.length - 2]! ^= 1;
    await writeFile(file, bytes);
    expect(await cert('eval', file)).toMatchObject({
      status: 1,
      err: expect.stringContaining('its checksum does not fit'),
    });
  });
});

describe('a run that another process works on', () => {
  it('is refused, for training and for evaluation, and free when that process has ended', async () => {
    const run = join(place, 'locked');
    expect(await train(run)).toMatchObject({ status: 0 });
    const lines = join(run, 'lines.jsonl');
    const owner = (pid: number) => JSON.stringify({ pid, host: hostname(), id: '1' });
    for (const lock of [join(run, 'run.lock'), `${lines}.lock`]) await writeFile(lock, owner(process.ppid));
    const evaluate = ['eval', run, '--attack-restarts', '0', '--out', lines];
    for (const args of [['train', '--resume', run], evaluate]) {
      expect(await cert(...args)).toMatchObject({
        status: 1,
        err: expect.stringContaining(`is used by process ${process.ppid} on ${hostname()}.`),
      });
    }
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    for (const lock of [join(run, 'run.lock'), `${lines}.lock`]) await writeFile(lock, owner(pid));
    for (const args of [['train', '--resume', run], evaluate]) expect(await cert(...args)).toMatchObject({ status: 0 });
    expect((await readdir(run)).filter((name) => name.endsWith('.lock'))).toEqual([]);
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
    expect(out).toMatch(/^device tfjs +there +TensorFlow\.js 4\./m);
    expect(out).toMatch(/^--device auto takes (cpu|tfjs): /m);
  });

  it('says how to get a package that is missing, and goes on without it', async () => {
    vi.doMock('onnxruntime-node', () => {
      throw new Error('not installed');
    });
    const { out } = await cert('doctor');
    expect(out).toMatch(/^device cpu +missing .*npm install onnxruntime-node/m);
    expect(out).toContain('--device auto takes tfjs: the fastest that is there (cpu: ');
    const { status, err } = await cert('train', '--out', join(place, 'never'), ...TINY, '--device', 'cpu');
    expect([status, err]).toEqual([1, expect.stringContaining('needs the package onnxruntime-node')]);
    expect(await readdir(place)).not.toContain('never');
    vi.doUnmock('onnxruntime-node');
  });
});
