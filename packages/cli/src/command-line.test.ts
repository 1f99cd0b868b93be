/** What a person sees who types a command: mistakes, help, output for programs, completion. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dense, flatten, sequential } from '@cert/core';
import { runFiles } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cert, train, trainOwn } from '../test/cert.js';
import { SCRIPTS } from './complete.js';

const cli = fileURLToPath(new URL('./cli.ts', import.meta.url));
const flags = ['--import', 'tsx', '--conditions=@cert/source', cli];

/** The command as a process. */
function typed(...args: string[]) {
  const { FORCE_COLOR: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, ...args], { encoding: 'utf8', env });
  return { status, out: stdout, err: stderr };
}

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-command-line-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

describe('a mistyped word', () => {
  it.each([
    ['trian', "unknown command 'trian'\n(Did you mean train?)"],
    ['help trian', "unknown command 'trian'\n(Did you mean train?)"],
    ['trian --help', "unknown command 'trian'\n(Did you mean train?)"],
    ['help diagnose int', "unknown command 'int'\n(Did you mean init?)"],
    ['diagnose int --help', "unknown command 'int'\n(Did you mean init?)"],
    ['diagnose int', "unknown command 'int'\n(Did you mean init?)"],
    ['train --epslon 0.1', "unknown option '--epslon'\n(Did you mean --epsilon?)"],
    ['train --methd fast', "unknown option '--methd'\n(Did you mean --method?)"],
    ['train --preset digit/quick', 'There is no preset "digit/quick".\nDid you mean "digits/quick"?'],
    ['train --preset digit/quick --help', 'There is no preset "digit/quick".\nDid you mean "digits/quick"?'],
    ['train --regularizers tightnes', 'There is no regularizer "tightnes".\nDid you mean "tightness"?'],
    ['train --init kaming', 'There is no initialization "kaming".\nDid you mean "kaiming"'],
    ['train --dataset cifar', 'There is no dataset "cifar".\nDid you mean "cifar10"'],
    ['train --bn ful', '--bn is "ful".\nGive one of none, conv, full. Did you mean "full"'],
    ['train --optimizer adm', 'There is no optimizer "adm".\nDid you mean "adam"'],
    ['eval run --checkpoint bst', '--checkpoint is "bst".\nGive one of: last, best. Did you mean "best"'],
    ['eval run --arithmetic deploied', 'Give one of: nearest, real, deployed. Did you mean "deployed"'],
    ['verify net.onnx --split input', '--split is "input".\nGive one of: inputs, relus. Did you mean "inputs"'],
    ['completion bsh', "'bsh' is invalid for argument 'shell'. Allowed choices are bash, zsh, fish."],
  ])('cert %s', async (line, message) => {
    const { status, out, err } = await cert(...line.split(' '));
    expect([status, out]).toEqual([1, '']);
    expect(err).toContain(message);
    expect(err).not.toContain('    at ');
  });

  it.each([
    ['frobnicate', 'For all commands: cert --help'],
    ['train digits/quick', 'For arguments and options: cert train --help'],
    ['eval', 'For arguments and options: cert eval --help'],
    ['diagnose relu', 'For arguments and options: cert diagnose relu --help'],
    ['plugin new', 'For arguments and options: cert plugin new --help'],
    ['runs --preset', 'For arguments and options: cert runs --help'],
  ])('cert %s: where to read on', async (line, hint) => {
    const { status, out, err } = await cert(...line.split(' '));
    expect([status, out]).toEqual([1, '']);
    expect(err).toMatch(/^error: /);
    expect(err.split('\n').at(-1)).toBe(hint);
  });
});

it.each([
  [['train', '--out', ''], '--out is empty.'],
  [['train', '--config=', '--epochs', '1'], '--config is empty.'],
  [['eval', ''], 'The argument "path" is empty.'],
  [['verify', 'net.onnx', 'p.vnnlib', '--certificate', ''], '--certificate is empty.'],
  [['runs', ''], 'The argument "folder" is empty.'],
  [['compare', 'runs/a', ''], 'The argument "run" is empty.'],
])('cert %o: an empty text is refused', async (args, problem) => {
  expect(await cert(...args)).toEqual({ status: 1, out: '', err: `error: ${problem}\nGive a value, or leave it out.` });
});

describe('a radius', () => {
  const epsilonOf = async (...args: string[]) => {
    const { out, err } = await cert('train', ...args, '--print-config');
    return { epsilon: JSON.parse(out).epsilon, err };
  };

  it('may be a fraction, and is shown as one', async () => {
    expect(await epsilonOf('--epsilon', '8/255')).toEqual({ epsilon: 8 / 255, err: '' });
    const run = join(place, 'fraction');
    expect(await train(run, '--epsilon', '2/255')).toMatchObject({ status: 0 });
    expect((await cert('train', '--resume', run, '--epsilon', '8/255')).err).toContain(
      '--epsilon is 8/255, but the run began with 2/255.',
    );
    expect(await cert('train', '--epsilon', 'abc')).toMatchObject({
      err: expect.stringContaining(
        '--epsilon is "abc"; expected a number such as 0.1 or a fraction such as 8/255.\nGive a finite number >= 0.',
      ),
    });
    expect((await cert('train', '--epsilon', '8')).err).toContain(
      '--epsilon is 8, but the values of digits range from 0 to 1.',
    );
  });

  it('of another dataset than the preset is the one that is usual there, and a line says so', async () => {
    expect(await epsilonOf('--preset', 'digits/quick', '--dataset', 'cifar10')).toEqual({
      epsilon: 8 / 255,
      err: 'note: epsilon is 8/255 (0.0314), the usual radius for cifar10; 0.1 of the preset digits/quick is for digits. Choose another with --epsilon.',
    });
    expect(await epsilonOf('--dataset', 'cifar10', '--epsilon', '0.1')).toEqual({ epsilon: 0.1, err: '' });
    expect(await epsilonOf('--dataset', 'digits')).toEqual({ epsilon: 0.1, err: '' });
  });

  it('must be given for a dataset without a usual one', async () => {
    const dataset = ['--dataset', 'image-folder', '--data', 'pictures'];
    expect(await cert('train', ...dataset, '--print-config')).toMatchObject({
      ...{ status: 1, out: '' },
      err: 'error: No radius was given for the dataset image-folder; 0.1 of the preset digits/quick is for digits.\nGive --epsilon, a number such as 0.1 or a fraction such as 8/255.',
    });
    expect(await epsilonOf(...dataset, '--epsilon', '2/255')).toEqual({ epsilon: 2 / 255, err: '' });
  });
});

it.each([
  [['--init', 'he'], { init: 'kaiming' }],
  [['--init', 'Glorot'], { init: 'xavier' }],
  [['--optimizer', 'Adam', '--model', 'CNN7'], { optimizer: 'adam', model: 'cnn7' }],
  [['--method', 'CROWN-IBP', '--preset', 'Digits/Quick'], { method: 'crown-ibp', preset: 'digits/quick' }],
])('%o becomes the name in the configuration', async (args, expected) => {
  const { out, err } = await cert('train', ...args, '--print-config');
  expect(err).toBe('');
  expect(JSON.parse(out)).toMatchObject(expected);
});

describe('--help', () => {
  /** The help texts of all commands. */
  const help = async (...words: string[]) => (await cert(...words, '--help')).out;
  const commands = [
    [],
    ['train'],
    ['search'],
    ['eval'],
    ['verify'],
    ['runs'],
    ['compare'],
    ['predict'],
    ['diagnose', 'init'],
    ['diagnose', 'relu'],
    ['doctor'],
    ['completion'],
  ];

  it.each(commands)('of cert %s %s fits into 80 columns', async (...words) => {
    const text = await help(...words.filter((word) => word !== undefined));
    expect(text).toContain('--no-color');
    expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });

  it('has its options in groups', async () => {
    const headings = (text: string) => text.match(/^\S.*:$/gm);
    expect(headings(await help('train'))).toEqual([
      ...['Run:', 'Data:', 'Model:', 'Schedule:', 'Optimization:', 'Certified training:', 'Evaluation:', 'Output:'],
      'Global Options:',
    ]);
    expect(headings(await help('eval'))).toEqual([
      ...['Arguments:', 'Evaluation:', 'Run:', 'Data:', 'Certified training:', 'Output:', 'Global Options:'],
    ]);
  });

  it('has the defaults of the preset that is chosen, and says once which that is', async () => {
    const defaultOf = (text: string, option: string) =>
      new RegExp(`${option} <\\w+> [^(]*\\(default: ([^)]*)\\)`).exec(text.replaceAll(/\s+/g, ' '))?.[1];
    const standard = await help('train');
    expect(standard).toContain('Defaults below are for the preset digits/quick with the method fast.');
    expect(standard.match(/digits\/quick/g)).toHaveLength(2);
    expect([defaultOf(standard, '--epsilon'), defaultOf(standard, '--epochs')]).toEqual(['0.1', '12']);
    const other = await help('train', '--preset', 'cifar10/cnn7/vanilla');
    expect(other.replaceAll(/\s+/g, ' ')).toContain('for the preset cifar10/cnn7/vanilla with the method vanilla.');
    expect([defaultOf(other, '--epsilon'), defaultOf(other, '--epochs')]).toEqual(['8/255', '160']);
    expect(defaultOf(other, '--init')).toBe('xavier');
    expect(defaultOf(await help('train', '--method', 'natural'), '--objective')).toBe('natural');
  });
});

describe('output for programs', () => {
  it.each(
    [
      ['train', 'search', 'eval', 'verify', 'runs', 'compare', 'report', 'predict', 'doctor'].map((name) => [name]),
      [
        ['diagnose', 'init'],
        ['diagnose', 'relu'],
      ],
    ].flat(),
  )('cert %s %s has --json and --quiet with one help text', async (...words) => {
    const { out } = await cert(...words, '--help');
    const text = out.replaceAll(/\s+/g, ' ');
    expect(text).toMatch(/Output:.* --json print [a-z ]+ as one line of JSON on stdout \(default: text\) /);
    expect(text).toContain(' -q, --quiet print results and errors only (default: progress too) -h, --help');
  });

  it('--json is one line on stdout, with progress on stderr', async () => {
    const run = join(place, 'json');
    const { status, out, err } = await train(run, '--json');
    expect(status).toBe(0);
    expect(out).not.toContain('\n');
    const summary = JSON.parse(await readFile(runFiles(run).summary, 'utf8'));
    expect(JSON.parse(out)).toEqual({ ...summary, folder: run });
    expect(err).toMatch(/^epoch 2 /m);
  });

  it('--quiet shows results alone', async () => {
    const run = join(place, 'quiet');
    const { status, out, err } = await train(run, '--quiet');
    // Of a few steps there are warnings, which are important.
    const others = (text: string) => text.split('\n').filter((line) => !line.startsWith('warning: '));
    expect([status, others(err)]).toEqual([0, []]);
    expect(out).toContain('verified error');
    expect(out).not.toContain('epoch');
    expect(await readFile(runFiles(run).log, 'utf8')).toMatch(/^epoch 2 /m);
    const evaluated = await cert('eval', run, '--quiet', '--methods', 'ibp', '--attack-restarts', '0');
    expect(evaluated).toMatchObject({ status: 0, err: '' });
    expect(evaluated.out).toContain('verified error');
    expect(evaluated.out).not.toContain('of 20 images');
    const both = await train(join(place, 'both'), '--quiet', '--json');
    expect([JSON.parse(both.out).epochs, others(both.err)]).toEqual([2, []]);
  });

  it('--quiet shows warnings and errors', async () => {
    const refused = await cert('train', '--quiet', '--epsilon', '2');
    expect(refused).toMatchObject({ status: 1, out: '', err: expect.stringContaining('--epsilon is 2, but') });
    const flat = sequential([28, 28, 1], [flatten(), dense(10)]);
    const file = join(place, 'flat.mjs');
    await writeFile(file, `export default { name: 'flat', models: { flat: () => (${JSON.stringify(flat)}) } };`);
    const { out, err } = await trainOwn(join(place, 'idle'), '--quiet', '--json', '--plugin', file, '--model', 'flat');
    expect(JSON.parse(out).model).toBe('flat');
    expect(err).toMatch(/^warning: The regularizers tightness, relu-balance act on the ops relu, [^\n]*$/m);
  });

  it('cert doctor --json is what the table says', async () => {
    const { status, out } = await cert('doctor', '--json');
    expect(status).toBe(0);
    const { devices, auto, node } = JSON.parse(out);
    expect(node).toBe(process.version);
    expect(devices.map(({ name }: { name: string }) => name)).toEqual(expect.arrayContaining(['cpu', 'tfjs', 'cuda']));
    expect(['cpu', 'tfjs']).toContain(auto.device);
  });
});

it('--no-color stands anywhere, and reaches what is loaded later', async () => {
  await writeFile(join(place, 'colors.mjs'), 'export default { name: "NO_COLOR=" + process.env.NO_COLOR };');
  const plugin = join(place, 'colors.mjs');
  for (const args of [
    ['--no-color', 'plugin', 'show', plugin],
    ['plugin', 'show', plugin, '--no-color'],
  ]) {
    expect(typed(...args)).toEqual({ status: 0, out: 'NO_COLOR=1\n', err: '' });
  }
  expect(typed('plugin', 'show', plugin).out).toBe('NO_COLOR=undefined\n');
});

describe('completion', () => {
  const command = `cert() { '${process.execPath}' ${flags.map((flag) => `'${flag}'`).join(' ')} "$@"; }`;
  /** What bash offers behind words; the last one is unfinished. */
  function offered(...words: string[]): string[] {
    const array = words.map((word) => `'${word}'`).join(' ');
    const script = [
      ...[command, SCRIPTS.bash, `COMP_WORDS=(cert ${array})`, `COMP_CWORD=${words.length}`],
      ...['_cert_complete', `printf '%s\\n' "\${COMPREPLY[@]}"`],
    ];
    const { stdout, stderr } = spawnSync('bash', ['-c', script.join('\n')], { encoding: 'utf8' });
    expect(stderr).toBe('');
    return stdout.split('\n').filter(Boolean);
  }

  it.each([
    [['ev'], ['eval']],
    [
      ['diagnose', ''],
      ['init', 'relu'],
    ],
    [['train', '--pres'], ['--preset']],
    [
      ['search', 'space.json', '--sampler', ''],
      ['random', 'asha', 'nsga2'],
    ],
    [
      ['train', '--preset', 'digits'],
      ['digits/quick', 'digits/deep'],
    ],
    [
      ['train', '--preset', '=', 'digits'],
      ['digits/quick', 'digits/deep'],
    ],
    [['train', '--preset', 'mnist/cnn7/n'], ['mnist/cnn7/natural']],
    [
      ['train', '--seed', '1', '--method', 'v'],
      ['vanilla', 'volume'],
    ],
    [
      ['train', '--dataset', 'c'],
      ['cifar10', 'csv'],
    ],
    [['train', '--regularizers', 'l1,tight'], ['l1,tightness']],
    [
      ['eval', 'runs/1', '--attack', ''],
      ['pgd', 'autoattack'],
    ],
    [
      ['verify', '--split', ''],
      ['inputs', 'relus'],
    ],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    // File names are the shell's.
    [['eval', 'runs'], []],
    [['train', '--out', 'r'], []],
    [['train', '--nothing', 'r'], []],
  ])('of cert %o', (words, expected) => {
    expect(offered(...words)).toEqual(expected);
  });

  it('evaluates nothing that was typed', () => {
    const file = join(place, 'evaluated');
    expect(offered('train', '--out', `$(touch ${file})`, '--pres')).toEqual(['--preset']);
    expect(existsSync(file)).toBe(false);
  });

  it('has a script for each shell', async () => {
    for (const [shell, script] of Object.entries(SCRIPTS)) {
      expect(script).toMatch(/complete -- /);
      expect(await cert('completion', shell)).toEqual({ status: 0, out: script, err: '' });
    }
    expect(Object.keys(SCRIPTS)).toEqual(['bash', 'zsh', 'fish']);
  });
});

it('what stands beside --resume is said', async () => {
  expect(await cert('train', '--resume', 'x', '--config', 'y')).toMatchObject({
    ...{ status: 1, err: expect.stringContaining('--config and --resume were both given.') },
  });
});
