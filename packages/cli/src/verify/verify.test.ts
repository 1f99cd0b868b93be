/** `cert verify` on small ONNX files: Y_0 = |X_0 - X_1| and Y_1 = 0.5. */
import { writeFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { openOnnxModel } from '@cert/jit/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cert, train } from '../../test/cert.js';
import { distanceNetwork, makeOnnx, vnnlib } from '../../test/make-onnx.js';
import { hasPty, inTerminal } from '../../test/pty.js';
import { main } from '../main.js';
import { ownVersion } from '../version.js';

let place: string;
/** A path in the folder of the tests. */
const at = (name: string) => join(place, name);

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-verify-'));
  const files: { readonly [name: string]: string | Uint8Array } = {
    'net.onnx': distanceNetwork(),
    'net.onnx.gz': gzipSync(distanceNetwork()),
    'nan.onnx': distanceNetwork({ scale: Number.NaN }),
    'large.onnx': distanceNetwork({ scale: 3e38 }),
    'batch.onnx': distanceNetwork({ batch: 7 }),
    'erf.onnx': makeOnnx({ input: [1, 2], nodes: [{ op: 'Erf', inputs: ['x'], name: 'y' }], constants: {} }),
    'text.onnx': 'no network\n',
    'empty.onnx': '',
    'garbage.onnx.gz': 'no gzip',
    'net.bin': distanceNetwork(),
    'sat.vnnlib': vnnlib('(>= Y_0 0.9)'),
    'unsat.vnnlib': vnnlib('(>= Y_0 1.1)'),
    'unsat.vnnlib.gz': gzipSync(vnnlib('(>= Y_0 1.1)')),
    'garbage.vnnlib.gz': 'no gzip',
    'never.vnnlib': vnnlib('(>= Y_0 0.9)', { lower: '1', upper: '0' }),
    'both.vnnlib': vnnlib('(and (>= Y_0 0.9) (<= Y_0 0.8))'),
    'inputs.vnnlib': vnnlib('(>= Y_0 0.9)', { inputs: 3 }),
    'outputs.vnnlib': vnnlib('(>= Y_0 0.9)', { outputs: 3 }),
    'endless.vnnlib': vnnlib('(>= Y_0 0.9)', { upper: '1e999' }),
    'large.vnnlib': vnnlib('(>= Y_0 1e30)', { lower: '-1e38', upper: '1e38' }),
    'larger.vnnlib': vnnlib('(>= Y_0 1e30)', { lower: '-1e300', upper: '1e300' }),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(at(name), content);
});
afterAll(() => rm(place, { recursive: true, force: true }));

const verify = (network: string, property: string, ...options: string[]) =>
  cert('verify', at(network), at(property), ...options);

/** The numbers of a witness by their letter. */
const numbersOf = (text: string, letter: 'X' | 'Y') =>
  [...text.matchAll(new RegExp(`\\(${letter}_(\\d+) ([^)]+)\\)`, 'g'))].map(([, , value]) => Number(value));

describe('a property', () => {
  it('that is violated is sat, with an input of the box whose outputs ONNX Runtime confirms', async () => {
    const results = at('results/of/sat.txt');
    const { status, out, err } = await verify('net.onnx', 'sat.vnnlib', '--results', results);
    expect([status, err]).toEqual([0, '']);
    const written = await readFile(results, 'utf8');
    expect(out.startsWith(written)).toBe(true);
    expect(written.split('\n')[0]).toBe('sat');
    expect(out).toMatch(/^The property is violated by the input above\. \d+\.\d\d s, 0 parts\.$/m);
    const [inputs, outputs] = [numbersOf(written, 'X'), numbersOf(written, 'Y')];
    expect([inputs.length, outputs.length]).toEqual([2, 2]);
    expect(inputs.every((x) => x >= 0 && x <= 1 && Math.fround(x) === x)).toBe(true);
    const runtime = await openOnnxModel(await readFile(at('net.onnx')), [1, 2]);
    const confirmed = await runtime.run(inputs);
    await runtime.dispose();
    expect(confirmed[0]).toBeGreaterThanOrEqual(0.9);
    expect(outputs).toEqual([confirmed[0], 0.5]);
  });

  it.each([
    ['net.onnx', 'unsat.vnnlib'],
    ['net.onnx.gz', 'unsat.vnnlib.gz'],
    ['net.onnx', 'both.vnnlib'],
  ])('that holds is unsat: %s %s', async (network, property) => {
    const { status, out, err } = await verify(network, property);
    expect([status, err]).toEqual([0, '']);
    expect(out).toMatch(
      /^unsat\nThe property holds for every float32 execution of the network \(arithmetic deployed\)\. /,
    );
  });

  it.each(['inputs', 'relus'])('is decided by splitting %s', async (split) => {
    expect((await verify('net.onnx', 'unsat.vnnlib', '--split', split)).out).toMatch(/^unsat\n/);
    expect((await verify('net.onnx', 'sat.vnnlib', '--split', split)).out).toMatch(/^sat\n/);
  });

  it.each([
    ['deployed', 'for every float32 execution of the network'],
    ['real', 'for the network over the real numbers'],
    ['nearest', 'up to the rounding of float32 bounds'],
  ])('is proved at the arithmetic asked for: %s', async (level, claim) => {
    for (const split of ['relus', 'inputs']) {
      const { out } = await verify('net.onnx', 'unsat.vnnlib', '--split', split, '--arithmetic', level);
      expect(out).toContain(`unsat\nThe property holds ${claim} (arithmetic ${level}). `);
    }
  });

  it('that no input satisfies holds, and a note says why', async () => {
    const { status, out, err } = await verify('net.onnx', 'never.vnnlib');
    expect([status, err]).toEqual([0, 'note: the property file admits no input, so the property holds trivially.']);
    expect(out).toMatch(/^unsat\n/);
  });

  it('without time is a timeout', async () => {
    const results = at('timeout.txt');
    const { status, out } = await verify('net.onnx', 'unsat.vnnlib', '--timeout', '0', '--results', results);
    expect(status).toBe(0);
    expect(out).toMatch(/^timeout\nUndecided: timeout\./);
    expect(await readFile(results, 'utf8')).toBe('timeout\n');
  });

  it.each([
    ['net.onnx', 'larger.vnnlib'],
    // Bounds are finite here, and their widths are not.
    ['large.onnx', 'large.vnnlib'],
  ])('with numbers that float32 cannot hold is unknown: %s %s', async (network, property) => {
    const { status, out } = await verify(network, property);
    expect(status).toBe(0);
    expect(out).toMatch(/^unknown\nUndecided: not finite\./);
  });

  it('is one line of JSON with --json', async () => {
    const sat = await verify('net.onnx', 'sat.vnnlib', '--json');
    expect(JSON.parse(sat.out)).toEqual({
      ...{ result: 'sat', parts: 0, seconds: expect.any(Number) },
      witness: expect.stringMatching(/^\(\(X_0 .*\)\)$/s),
    });
    const unsat = await verify('net.onnx', 'unsat.vnnlib', '--json');
    expect(JSON.parse(unsat.out)).toMatchObject({ result: 'unsat', arithmetic: 'deployed' });
    const unknown = await verify('net.onnx', 'larger.vnnlib', '--json');
    expect(JSON.parse(unknown.out)).toMatchObject({ result: 'unknown', reason: 'not finite', lower: null });
    expect([sat, unsat, unknown].map(({ out }) => out.includes('\n'))).toEqual([false, false, false]);
  });
});

describe('a mistake', () => {
  it.each([
    ['nan.onnx', 'sat.vnnlib', 'the node "node_b" (MatMul), whose weights "w2" have NaN at 0.'],
    ['batch.onnx', 'sat.vnnlib', 'of shape [7,2], a batch of 7.\nExport the network with a batch of 1'],
    ['erf.onnx', 'sat.vnnlib', 'does not support the node "node_y" (Erf): the op is not supported.\nUse only the ops'],
    ['text.onnx', 'sat.vnnlib', 'The ONNX file has '],
    ['empty.onnx', 'sat.vnnlib', 'The ONNX file has no graph.'],
    ['garbage.onnx.gz', 'sat.vnnlib', 'garbage.onnx.gz is not a gzip file.'],
    [
      'net.bin',
      'sat.vnnlib',
      'The names of ONNX files end in .onnx or .onnx.gz, those of TensorFlow.js models in .json.',
    ],
    ['missing.onnx', 'sat.vnnlib', 'missing.onnx cannot be read: ENOENT'],
    ['.', 'sat.vnnlib', 'contains no run: '],
    ['net.onnx', '.', 'cannot be read: EISDIR'],
    ['net.onnx', 'garbage.vnnlib.gz', 'garbage.vnnlib.gz is not a gzip file.'],
    ['net.onnx', 'text.onnx', 'of the VNN-LIB file'],
    [
      'net.onnx',
      'inputs.vnnlib',
      'The property has 3 inputs and 2 outputs, but the network has 2 inputs and 2 outputs.',
    ],
    [
      'net.onnx',
      'outputs.vnnlib',
      'The property has 2 inputs and 3 outputs, but the network has 2 inputs and 2 outputs.',
    ],
    ['net.onnx', 'endless.vnnlib', 'the number "1e999", which exceeds float64.'],
  ])('in %s or %s is an error without a verdict', async (network, property, message) => {
    const results = at('mistake.txt');
    await writeFile(results, 'unsat\n');
    const { status, out, err } = await verify(network, property, '--results', results);
    expect([status, out]).toEqual([1, '']);
    expect(err).toMatch(/^error: /);
    expect(err).toContain(message);
    // The verdict of an earlier run does not stay.
    expect(await readFile(results, 'utf8')).toBe('error\n');
  });

  it.each([
    [[], 'No network was given to cert verify.\nGive NETWORK PROPERTY, or --instances FILE.csv.'],
    [
      ['NET'],
      'No property was given to cert verify.\nGive NETWORK PROPERTY.vnnlib, or NETWORK --index N. For all options: cert verify --help',
    ],
    [['NET', 'PROPERTY', '--index', '0'], 'a property file and --index were both given.'],
    [['NET', 'PROPERTY', '--epsilon', '0.1'], 'a property file and --epsilon were both given.'],
    [['NET', 'PROPERTY', '--timeout', '-1'], '--timeout is "-1".\nGive a number >= 0.'],
    [['NET', 'PROPERTY', '--timeout', 'soon'], '--timeout is "soon".'],
    [['NET', 'PROPERTY', '--timeout', '1e999'], '--timeout is "1e999".'],
    [['NET', 'PROPERTY', '--split', 'both'], '--split is "both".\nGive one of: inputs, relus.'],
    [['NET', 'PROPERTY', '--out', 'x.jsonl'], '--out requires --instances.'],
    [['NET', 'PROPERTY', '--overwrite'], '--overwrite requires --instances.'],
    [['NET', 'PROPERTY', '--shard', '1/2'], '--shard requires --instances.'],
    [['--instances', 'x.csv', '--shard', '3/2'], 'The shard is "3/2".'],
    [['NET', 'PROPERTY', '--instances', 'x.csv'], '--instances and a network were both given.'],
    [['--instances', 'x.csv', '--label', '3'], '--instances and --label were both given.'],
    [['--instances', 'NOWHERE'], 'cannot be read: ENOENT'],
    [['NET', 'PROPERTY', '--results', 'FOLDER'], 'cannot be written: EISDIR'],
    [['NET', '--index', '0'], '--index was given without a dataset, and the network file does not name one.'],
    [['NET', '--index', 'x', '--dataset', 'digits'], '--index is "x".'],
    [['NET', '--index', '0', '--dataset', 'digits'], 'have the shape [28,28,1], but the network takes [2].'],
  ])('in %o is refused', async (args, message) => {
    const paths: { readonly [word: string]: string } = {
      ...{ NET: at('net.onnx'), PROPERTY: at('sat.vnnlib'), NOWHERE: at('nowhere.csv'), FOLDER: place },
    };
    const { status, out, err } = await cert('verify', ...args.map((word) => paths[word] ?? word));
    expect([status, out]).toEqual([1, '']);
    expect(err).toContain(message);
  });
});

describe('an image of a run', () => {
  let run: string;
  beforeAll(async () => {
    run = at('run');
    expect((await train(run)).status).toBe(0);
  });

  it('is decided in a ball of radius 0, and violated in a ball of everything', async () => {
    const small = await cert('verify', run, '--index', '0', '--label', '1', '--epsilon', '0');
    expect(small.status).toBe(0);
    expect(small.out).toMatch(/^(sat|unsat)\n/);
    expect(small.out).toMatch(/^Image 0 of digits, class 1, epsilon 0\. The property /m);
    const all = await cert('verify', run, '--index', '0', '--epsilon', '255/255', '--timeout', '20');
    expect(all.out).toMatch(/^sat\n/);
    expect(all.out).toContain(', epsilon 255/255. ');
    const pixels = numbersOf(all.out, 'X');
    expect(pixels.length).toBe(784);
    expect(pixels.every((x) => x >= 0 && x <= 1)).toBe(true);
  });

  it.skipIf(!hasPty)('that is violated is a few lines on a terminal, and every pixel in a file', async () => {
    const args = ['verify', run, '--index', '0', '--epsilon', '255/255', '--timeout', '20'];
    const results = at('pixels.txt');
    for (const [more, where] of [
      [[], /^Write the counterexample to a file with: --results FILE$/m],
      [['--results', results], /^The counterexample is in\s\S*pixels\.txt\.$/m],
    ] as const) {
      const { status, lines, wrapped } = await inTerminal(80, [...args, ...more]);
      expect([status, wrapped, lines[0]]).toEqual([0, false, 'sat']);
      expect(lines.length).toBeLessThan(8);
      const text = lines.join('\n');
      expect(text).toMatch(/^Image 0 of digits, class \d, epsilon 255\/255\. The property is violated\.\s/m);
      expect(text).toMatch(/^The prediction is class \d: margin -[\d.]+, \d+ of 784 pixels changed by at\smost/m);
      expect(text).toMatch(where);
    }
    expect(numbersOf(await readFile(results, 'utf8'), 'X')).toHaveLength(784);
    // A property file keeps the form of the competition.
    const { lines } = await inTerminal(80, ['verify', at('net.onnx'), at('sat.vnnlib')]);
    expect([lines[0], lines[1]]).toEqual(['sat', expect.stringMatching(/^\(\(X_0 /)]);
  });

  it.each([
    [['--index', '1e9'], '--index is 1000000000.\nGive a whole number from 0 to '],
    [['--index', '0.5'], '--index is 0.5.'],
    [['--index', '0', '--label', '10'], '--label is "10".\nGive a class from 0 to 9.'],
    [['--index', '0', '--epsilon', 'x/255'], '--epsilon is "x/255"; expected a number'],
    [['--index', '0', '--epsilon', '1/0'], '--epsilon is "1/0"; expected a number'],
  ])('refuses %o', async (args, message) => {
    const { status, out, err } = await cert('verify', run, ...args);
    expect([status, out]).toEqual([1, '']);
    expect(err).toContain(message);
  });
});

describe('instances', () => {
  const LIST = [
    'net.onnx,sat.vnnlib,60',
    'net.onnx,unsat.vnnlib,60',
    'missing.onnx,unsat.vnnlib,60',
    'net.onnx,missing.vnnlib,60',
    'net.onnx,inputs.vnnlib,60',
    'nan.onnx,unsat.vnnlib,60',
    'large.onnx,large.vnnlib,60',
    'net.onnx.gz,unsat.vnnlib.gz,60',
  ];
  const VERDICTS = ['sat', 'unsat', 'error', 'error', 'error', 'error', 'unknown', 'unsat'];

  /** A folder of its own with a list. */
  async function listIn(name: string, lines: readonly string[] = LIST) {
    await mkdir(at(name));
    const [list, out] = [at(`${name}/list.csv`), at(`${name}/results.jsonl`)];
    await writeFile(list, lines.map((line) => line.replaceAll(/(^|,)(?=[a-z])/g, '$1../')).join('\n'));
    return { list, out, args: ['verify', '--instances', list, '--out', out] };
  }
  const linesOf = async (file: string) =>
    (await readFile(file, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line): { readonly [name: string]: unknown } => JSON.parse(line));

  it('can be verified in shards, whose results merge to those of one process', async () => {
    const few = LIST.filter((line) => !line.startsWith('large'));
    const { list, out, args } = await listIn('sharded', few);
    expect(await cert(...args)).toMatchObject({ status: 0 });
    const parts = [1, 2].map((index) => at(`sharded/part.shard-${index}-of-2.jsonl`));
    for (const [i, part] of parts.entries()) {
      expect(await cert('verify', '--instances', list, '--shard', `${i + 1}/2`, '--out', part)).toMatchObject({
        status: 0,
      });
    }
    expect((await linesOf(parts[0]!)).length + (await linesOf(parts[1]!)).length).toBe(few.length);
    const merged = at('sharded/part.jsonl');
    const { err } = await cert('merge', '--instances', list, parts[0]!, '--out', merged);
    expect(err).toMatch(/^error: \d of 7 instances have no result, of the shards 2\/2\. The first: /);
    expect(await cert('merge', '--instances', list, parts[1]!, parts[0]!)).toMatchObject({ status: 0, err: '' });
    const verdicts = async (file: string) =>
      (await linesOf(file)).map(({ onnx, vnnlib, result }) => [onnx, vnnlib, result]);
    expect(await verdicts(merged)).toEqual(await verdicts(out));
    expect((await readFile(merged.replace('.jsonl', '.csv'), 'utf8')).split('\n')).toHaveLength(few.length + 1);

    const [first] = await linesOf(parts[0]!);
    const changed = async (change: object) => {
      await writeFile(at('sharded/other.jsonl'), `${JSON.stringify({ ...first, ...change })}\n`);
      return (await cert('merge', '--instances', list, ...parts, at('sharded/other.jsonl'), '--overwrite')).err;
    };
    const opposite = first!.result === 'sat' ? 'unsat' : 'sat';
    if (first!.result === 'sat' || first!.result === 'unsat') {
      expect(await changed({ result: opposite })).toContain('contradict each other');
    }
    // About other contents: does not count.
    expect(await changed({ result: opposite, files: 'other' })).toBe('');
    expect(await changed({ asked: 'nearest' })).toContain('has results of --arithmetic deployed');
    const net = await readFile(at('net.onnx'));
    await writeFile(at('net.onnx'), Buffer.concat([net, Buffer.from([0])]));
    expect((await cert('merge', '--instances', list, ...parts, '--overwrite')).err).toContain(
      'have one about other contents of their files',
    );
    await writeFile(at('net.onnx'), net);
    await writeFile(at('sharded/other.jsonl'), '{"onnx":');
    expect(
      (await cert('merge', '--instances', list, at('sharded/other.jsonl'), '--out', merged, '--overwrite')).err,
    ).toContain('has a damaged line (1)');
  });

  it('are verified one after the other; what cannot be read is an error and no verdict', async () => {
    const { out, args } = await listIn('all');
    const { status, out: printed, err } = await cert(...args);
    expect([status, err]).toEqual([0, '']);
    const lines = await linesOf(out);
    expect(lines.map(({ result }) => result)).toEqual(VERDICTS);
    expect(lines[2]).toMatchObject({
      ...{ onnx: '../missing.onnx', vnnlib: '../unsat.vnnlib', timeout: 60 },
      reason: expect.stringContaining('missing.onnx cannot be read'),
    });
    expect(printed).toMatch(/^1\/8 {2}sat +\d+\.\d\d s {2}net\.onnx sat\.vnnlib$/m);
    expect(printed).toMatch(/^3\/8 {2}error .*: .*missing\.onnx cannot be read/m);
    const table = (await readFile(at('all/results.csv'), 'utf8')).trimEnd().split('\n');
    expect(table.map((row) => row.split(',')[4])).toEqual(VERDICTS);
    expect(table[0]).toMatch(/^\.\.,\.\.\/net\.onnx,\.\.\/sat\.vnnlib,\d+\.\d{3},sat,\d+\.\d{3}$/);
  });

  it('that have a line are not verified again; one that was cut is', async () => {
    const { out, args } = await listIn('cut');
    await cert(...args);
    const first = await readFile(out, 'utf8');
    const again = await cert(...args);
    expect(again.out).toContain('8 of 8 instances already have results.');
    expect(await readFile(out, 'utf8')).toBe(first);

    const kept = first.split('\n').slice(0, 2);
    await writeFile(out, `${kept.join('\n')}\n${first.split('\n')[2]!.slice(0, 40)}`);
    const resumed = await cert(...args);
    expect(resumed.err).toBe('Removed damaged lines: 1. Their instances are verified again.');
    expect(resumed.out).toContain('2 of 8 instances already have results.');
    expect((await readFile(out, 'utf8')).split('\n').slice(0, 2)).toEqual(kept);
    expect((await linesOf(out)).map(({ result }) => result)).toEqual(VERDICTS);

    const overwrite = await cert(...args, '--overwrite', '--json');
    expect(overwrite.out.split('\n').map((line) => JSON.parse(line).result)).toEqual(VERDICTS);
  });

  it('are not continued with those of another version', async () => {
    const { out, args } = await listIn('version', ['net.onnx,unsat.vnnlib,60']);
    await cert(...args);
    const text = await readFile(out, 'utf8');
    for (const [version, name] of [
      [',"version":"0.0.9"', 'cert 0.0.9'],
      ['', 'an older version of cert, which did not record its number'],
    ] as const) {
      await writeFile(out, text.replace(/,"version":"[^"]*"/, version));
      const { status, err } = await cert(...args);
      expect([status, err]).toEqual([1, expect.stringContaining(`has results of ${name}, not cert ${ownVersion()}.`)]);
      expect(err).toContain('--overwrite');
    }
    const other = at('version/other.jsonl');
    await writeFile(other, text);
    const merge = ['merge', '--instances', at('version/list.csv'), other, out, '--out', at('version/merged.jsonl')];
    expect((await cert(...merge)).err).toContain(`has results of cert ${ownVersion()}, ${out} of an older version`);
    expect((await cert(...args, '--overwrite')).status).toBe(0);
  });

  it('with two opposite results, or a result twice in a line, are verified again', async () => {
    const { out, args } = await listIn('opposite', ['net.onnx,sat.vnnlib,60']);
    await cert(...args);
    const text = await readFile(out, 'utf8');
    const opposite = text.replace('"result":"sat"', '"result":"unsat"');
    for (const damaged of [text + opposite, text + opposite.replace('"timeout":60', '"timeout":61') + opposite]) {
      await writeFile(out, damaged);
      expect((await cert(...args)).err).toMatch(/^Removed damaged lines: [23]\./);
      expect((await linesOf(out)).map(({ result }) => result)).toEqual(['sat']);
    }
    await writeFile(out, text.replace('"result":"sat"', '"result":"sat","result":"unsat"'));
    expect((await cert(...args)).err).toMatch(/^Removed damaged lines: 1\./);
    // A line with another time limit contradicts, too.
    const other = at('opposite/other.jsonl');
    await writeFile(other, opposite.replace('"timeout":60', '"timeout":61'));
    const merge = ['merge', '--instances', at('opposite/list.csv'), out, other, '--out', at('opposite/merged.jsonl')];
    expect((await cert(...merge)).err).toContain('contradict each other (sat and unsat)');
  });

  it('are verified again when one of their files has changed', async () => {
    const { out, args } = await listIn('changed', ['changing.onnx,unsat.vnnlib,60']);
    await writeFile(at('changing.onnx'), distanceNetwork());
    await cert(...args);
    await writeFile(at('changing.onnx'), distanceNetwork({ scale: 2 }));
    const { out: printed } = await cert(...args);
    expect(printed).not.toContain('from before');
    expect((await linesOf(out)).map(({ result }) => result)).toEqual(['unsat', 'sat']);
    expect(await readFile(at('changed/results.csv'), 'utf8')).toMatch(/,sat,[\d.]+\n$/);
    // The line that counts is the last one.
    expect((await cert(...args)).out).toContain('1 of 1 instances already have results.');
  });

  it('are verified again when the run that the list names was trained on', async () => {
    const run = at('listed-run');
    expect((await train(run)).status).toBe(0);
    const inputs = Array.from({ length: 784 }, (_, i) => `(declare-const X_${i} Real) (assert (= X_${i} 0.5))`);
    const outputs = Array.from({ length: 10 }, (_, j) => `(declare-const Y_${j} Real)`);
    await writeFile(at('pixels.vnnlib'), [...inputs, ...outputs, '(assert (>= Y_0 1e6))'].join('\n'));
    const { out, args } = await listIn('trained', ['listed-run,pixels.vnnlib,60']);
    await cert(...args);
    expect(await linesOf(out)).toMatchObject([{ result: 'unsat', files: expect.not.stringContaining('unreadable') }]);
    expect((await cert(...args)).out).toContain('1 of 1 instances already have results.');
    expect((await train(at('other-run'), '--seed', '5')).status).toBe(0);
    await cp(at('other-run/checkpoints'), at('listed-run/checkpoints'), { recursive: true });
    expect((await cert(...args)).out).not.toContain('already have results.');
    expect(new Set((await linesOf(out)).map(({ files }) => files)).size).toBe(2);
  });

  it('are errors when one of their files changes under the command', async () => {
    const list = ['first.onnx,unsat.vnnlib,60', 'net.onnx,unsat.vnnlib,60', 'first.onnx,unsat.vnnlib.gz,60'];
    const { out, args } = await listIn('under', list);
    await writeFile(at('first.onnx'), distanceNetwork());
    const terminal = {
      // The last network alone is kept: the first one is read a second time.
      out: (line: string) =>
        void (line.startsWith('2/3') && writeFileSync(at('first.onnx'), distanceNetwork({ scale: 2 }))),
      err: () => {},
      screen: null,
    };
    expect(await main(args, terminal, new AbortController().signal)).toBe(0);
    const lines = await linesOf(out);
    expect(lines.map(({ result }) => result)).toEqual(['unsat', 'unsat', 'error']);
    expect(lines[2]).toMatchObject({ reason: `${at('under/../first.onnx')} has changed since the command began.` });
    await cert(...args);
    expect((await linesOf(out)).map(({ result }) => result)).toEqual(['unsat', 'unsat', 'error', 'sat', 'sat']);
  });

  it('stopped by Ctrl-C leave the lines that are done, and the same command continues', async () => {
    const { out, args } = await listIn('stopped');
    const controller = new AbortController();
    const err: string[] = [];
    const terminal = {
      out: (line: string) => void (line.startsWith('2/8') && controller.abort()),
      err: (line: string) => void err.push(line),
      screen: null,
    };
    expect(await main(args, terminal, controller.signal)).toBe(130);
    expect(err).toEqual(['Stopped after 2 of 8 instances. Run the same command again to continue.']);
    expect((await linesOf(out)).length).toBe(2);
    await expect(readFile(at('stopped/results.csv'))).rejects.toThrow('ENOENT');
    expect((await cert(...args)).out).toContain('2 of 8 instances already have results.');
    expect((await linesOf(out)).map(({ result }) => result)).toEqual(VERDICTS);
  });

  it('take a timeout for all', async () => {
    const { out, args } = await listIn('timeout', LIST.slice(0, 2));
    await cert(...args, '--timeout', '0');
    expect((await linesOf(out)).map(({ result, timeout }) => [result, timeout])).toEqual([
      ['timeout', 0],
      ['timeout', 0],
    ]);
  });

  it.each([
    ['named', ['--out', 'x.json'], '--out is "x.json".\nGive a file whose name ends in .jsonl.'],
    ['replaced', ['--out', 'LIST.jsonl'], 'would overwrite '],
    ['folder', ['--out', 'FOLDER.jsonl'], 'cannot be written: EISDIR'],
  ])('refuse an --out that cannot be used: %s', async (name, args, message) => {
    const { list } = await listIn(name);
    await mkdir(at(`${name}/folder.jsonl`));
    const words: { readonly [word: string]: string } = {
      'LIST.jsonl': list.replace('.csv', '.jsonl'),
      'FOLDER.jsonl': at(`${name}/folder.jsonl`),
    };
    const refused = await cert('verify', '--instances', list, ...args.map((word) => words[word] ?? word));
    expect([refused.status, refused.out]).toEqual([1, '']);
    expect(refused.err).toContain(message);
    expect(await readFile(list, 'utf8')).toContain('sat.vnnlib');
  });

  it('refuse a list without instances, or with a damaged line', async () => {
    const empty = await listIn('none', []);
    expect((await cert(...empty.args)).err).toContain('contains no instances.');
    const damaged = await listIn('damaged', ['net.onnx,sat.vnnlib']);
    expect((await cert(...damaged.args)).err).toContain('Line 1 of the instances: 2 fields.');
  });
});
