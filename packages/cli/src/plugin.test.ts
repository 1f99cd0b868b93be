/** What `--plugin` and `--trust` load, and what they do not. */
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runFiles } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cert, trainOwn as train } from '../test/cert.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-main-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

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

  it('is recorded with the run, and loaded again with --trust to resume, to evaluate and to diagnose', async () => {
    const { plugins } = JSON.parse(await readFile(runFiles(run).config, 'utf8'));
    expect(plugins).toEqual([{ name: 'flat', module: file(), version: '1.0.0' }]);
    expect(await cert('train', '--resume', run, '--trust')).toMatchObject({ status: 0, err: '' });
    const { status, out } = await cert('eval', run, '--attack-restarts', '0', '--json', '--trust');
    expect(status).toBe(0);
    expect(JSON.parse(out).images).toBe(20);
    expect(await cert('diagnose', 'relu', run, '--trust')).toMatchObject({ status: 0, err: '' });
  });

  it('is not needed to verify an image: the checkpoint has the network', async () => {
    expect(await cert('verify', run, '--index', '0')).toMatchObject({
      status: 1,
      err: `error: ${run} was trained with the plug-in "flat", and cert verify loads no plug-ins.\nGive the checkpoint alone, ${runFiles(run).last}, with --index N, --dataset NAME and --epsilon RADIUS.`,
    });
    const image = ['--index', '0', '--dataset', 'digits', '--epsilon', '0'];
    expect(await cert('verify', runFiles(run).last, ...image)).toMatchObject({ status: 0, err: '' });
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
          err: expect.stringContaining('or --trust if you trust the folder.'),
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

  it('whose model has no ReLU: the run says once that the regularizers of fast do nothing', async () => {
    const folder = join(place, 'no-relu');
    const warning =
      'Warning: The regularizers tightness, relu-balance act on the ops relu, but the model flat has none';
    const { out } = await train(folder, '--plugin', file(), '--model', 'flat');
    expect(out.split(warning)).toHaveLength(2);
    expect((await readFile(runFiles(folder).log, 'utf8')).split(warning)).toHaveLength(2);
    // Neither where the warmup is over nor without regularizers.
    expect((await cert('train', '--resume', folder, '--trust')).out).not.toContain(warning);
    const without = await train(join(place, 'no-reg'), '--plugin', file(), '--model', 'flat', '--no-reg');
    expect(without).toMatchObject({ status: 0, err: '', out: expect.not.stringContaining('regularizers') });
  });

  it('can be looked at', async () => {
    expect(await cert('plugin', 'show', file())).toMatchObject({ status: 0, out: 'flat 1.0.0\nmodels         flat' });
    expect(await cert('plugin', 'show', './nothing')).toMatchObject({
      status: 1,
      err: expect.stringContaining('nothing does not exist.'),
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
      err: `error: The run needs the plug-in "flat". ${file()} does not exist.\nGive its package or path: --plugin MODULE.`,
    });
    const again = await cert('eval', run, '--attack-restarts', '0', '--plugin', moved());
    expect(again).toMatchObject({ status: 0, err: '' });
    await rename(join(place, 'plugin/away.mjs'), file());
  });

  it('of another version does not resume a run', async () => {
    await manifest('2.0.0');
    expect(await cert('train', '--resume', run, '--trust')).toMatchObject({
      status: 1,
      err: expect.stringContaining(
        'The run began with version 1.0.0 of the plug-in "flat", but version 2.0.0 is installed.',
      ),
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

describe('options of a plug-in', () => {
  const code = `
    const hinge = {
      name: 'hinge',
      bounded: true,
      loss: ({ bounds }) => bounds.output.lower.sub(1).neg().relu().mean(),
    };
    const scaled = (factor) => ({ ...hinge, loss: (context) => hinge.loss(context).mul(factor) });
    export default {
      name: 'hinge',
      objectives: {
        hinge: {
          options: {
            hingeFactor: { kind: 'number', above: 0, default: 1, placeholder: 'factor', help: 'factor of the hinge' },
            hingeTwice: { kind: 'boolean', default: false, help: 'double the hinge' },
          },
          make: ({ hingeFactor, hingeTwice }) => {
            const mine = scaled(hingeTwice ? 2 * hingeFactor : hingeFactor);
            return () => mine;
          },
        },
      },
      methods: { hinge: { objective: 'hinge', regularizers: [], regWeight: 0, options: { hingeFactor: 0.5 } } },
    };`;
  let [file, run] = ['', ''];
  const plain = ['--width', '2', '--dense', '4', '--epochs', '1'];
  const config = async (folder: string) => JSON.parse(await readFile(runFiles(folder).config, 'utf8'));
  const losses = async (folder: string) => {
    const lines = (await readFile(runFiles(folder).metrics, 'utf8')).trim().split('\n');
    return lines.map((line) => JSON.parse(line).loss);
  };
  beforeAll(async () => {
    file = join(place, 'hinge.mjs');
    run = join(place, 'hinge-run');
    await writeFile(file, code);
    const args = ['--plugin', file, '--method', 'hinge', '--hinge-factor', '0.25', ...plain];
    expect(await train(run, ...args)).toMatchObject({ status: 0, err: '' });
  });

  it('are in the help of the command, with what they belong to', async () => {
    const { status, out } = await cert('train', '--plugin', file, '--help');
    expect(status).toBe(0);
    const help = out.replaceAll(/\s+/g, ' ');
    expect(help).toContain('--hinge-factor <factor> factor of the hinge (default: 1; with the objective hinge)');
    expect(help).toContain('--hinge-twice double the hinge (default: false; with the objective hinge)');
    expect(help).toContain('--no-hinge-twice disable --hinge-twice');
    expect(help).toMatch(/training objective: natural, .*, hinge \(default/);
    expect((await cert('train', '--help')).out).not.toContain('--hinge');
  });

  it('are listed where the plug-in is looked at', async () => {
    const { out } = await cert('plugin', 'show', file);
    expect(out).toContain('objectives     hinge (--hinge-factor, --hinge-twice)');
  });

  it('are recorded, and change what is computed', async () => {
    expect((await config(run)).options).toEqual({ hingeFactor: 0.25, hingeTwice: false });
    const twice = join(place, 'hinge-twice');
    const args = ['--plugin', file, '--method', 'hinge', '--hinge-twice', ...plain];
    expect(await train(twice, ...args)).toMatchObject({ status: 0, err: '' });
    expect((await config(twice)).options).toEqual({ hingeFactor: 0.5, hingeTwice: true });
    expect((await losses(twice))[0]).toBeGreaterThan(2 * (await losses(run))[0]);
  });

  it('belong to the run: it resumes with them, and refuses others', async () => {
    const resume = (...args: string[]) => cert('train', '--resume', run, '--plugin', file, ...args);
    expect(await resume('--hinge-factor', '0.25')).toMatchObject({ status: 0, err: '' });
    expect(await cert('train', '--resume', run, '--trust')).toMatchObject({ status: 0, err: '' });
    expect(await resume('--hinge-factor', '0.5')).toMatchObject({
      status: 1,
      err: expect.stringContaining('--hinge-factor is 0.5, but the run began with 0.25.'),
    });
    const before = await readFile(runFiles(run).config, 'utf8');
    await writeFile(runFiles(run).config, before.replace('"hingeFactor": 0.25', '"hingeFactor": 0.5'));
    expect(await resume()).toMatchObject({
      status: 1,
      err: expect.stringContaining('differs from the config.json'),
    });
    await writeFile(runFiles(run).config, before);
  });

  it('replay the run by its config.json', async () => {
    const { out } = await cert(
      'train',
      '--plugin',
      file,
      '--print-config',
      '--method',
      'hinge',
      '--hinge-factor',
      '0.25',
    );
    expect(JSON.parse(out).options).toEqual((await config(run)).options);
    const evaluated = await cert('eval', run, '--plugin', file, '--attack-restarts', '0', '--json');
    expect(evaluated).toMatchObject({ status: 0, err: '' });
  });

  it.each([
    [['--method', 'hinge', '--hinge-factor', '0'], '--hinge-factor is 0.\nGive a number > 0.'],
    [['--method', 'hinge', '--hinge-factor', 'x'], '--hinge-factor is "x".\nGive a number > 0.'],
    [['--method', 'hinge', '--hinge-facto', '1'], "unknown option '--hinge-facto'\n(Did you mean --hinge-factor?)"],
    [
      ['--hinge-factor', '2'],
      '--hinge-factor is an option of the objective hinge, but this run has the objective robust.\nLeave it out, or choose --objective hinge.',
    ],
  ])('refuses %o', async (args, message) => {
    expect(await train(join(place, 'never'), '--plugin', file, ...args)).toMatchObject({
      status: 1,
      err: expect.stringContaining(message),
    });
  });

  it('that the command has already are refused, naming what has them', async () => {
    const taken = join(place, 'taken.mjs');
    await writeFile(
      taken,
      code
        .replaceAll('hingeFactor', 'resume')
        .replace("name: 'hinge',\n      objectives", "name: 'taken',\n      objectives"),
    );
    expect(await cert('train', '--plugin', taken, '--help')).toMatchObject({
      status: 1,
      err: 'error: --resume is an option of the objective hinge, but cert train already has an option with this name.\nRename the option in the plug-in, or leave the plug-in out.',
    });
  });

  it('of two plug-ins that differ are refused, naming both', async () => {
    const other = join(place, 'other-hinge.mjs');
    const source = code
      .replaceAll("'hinge'", "'other'")
      .replace('hinge: {\n          options', 'other: {\n          options');
    await writeFile(
      other,
      source.replace('methods: { hinge:', 'methods: { other:').replace('default: 1', 'default: 3'),
    );
    expect(await cert('train', '--plugin', file, '--plugin', other, '--help')).toMatchObject({
      status: 1,
      err: expect.stringContaining(
        'The option "hingeFactor" (--hinge-factor) of the objective other has the name of an option of the objective hinge that has another meaning.\nRename it in the plug-in',
      ),
    });
  });
});
