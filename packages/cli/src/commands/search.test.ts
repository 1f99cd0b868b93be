import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { loadCheckpoint } from '@cert/models/node';
import { runFiles } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noRedis, type RedisServer, startRedis } from '../../../queue/test/redis-server.js';
import { cert } from '../../test/cert.js';
import { CERT, certProcess } from '../../test/process.js';
import { main } from '../main.js';
import { trialFolder } from '../search/search-folder.js';

let place: string;
let space: string;
const at = (...names: string[]) => join(place, ...names);

/** Trials of a second. */
const BASE = {
  ...{ preset: 'digits/quick', model: 'mlp', device: 'tfjs', limit: 60, batchSize: 20, epochs: 3, width: 8, dense: 8 },
  ...{ rampStart: 1, rampLength: 1, attackRestarts: 0, validation: 0.2 },
};

/** Writes a space. */
async function spaceFile(name: string, search: object, base: object = {}): Promise<string> {
  await writeFile(at(name), JSON.stringify({ base: { ...BASE, ...base }, search }));
  return at(name);
}

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-search-'));
  space = await spaceFile('space.json', {
    learningRate: { 'log-uniform': [1e-3, 1e-2] },
    regWeight: { uniform: [0, 1] },
  });
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** The lines of a search without times. */
const linesOf = async (folder: string) =>
  (await readFile(join(folder, 'trials.jsonl'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => ({ ...JSON.parse(line), trainSeconds: 0 }));

/** The weights of a trial. */
async function weightsOf(folder: string, trial: number) {
  const { params, stats, extra } = await loadCheckpoint(runFiles(trialFolder(folder, trial)).last);
  return { params, stats, extra };
}

describe('a search', () => {
  const options = ['--trials', '2', '--workers', '2'];

  it('whose process was killed continues with the same command, and evaluates test images for its choice alone', async () => {
    const folder = at('found');
    const again = ['search', space, ...options, '--out', folder];
    const killed = await certProcess(again, (line, child) => void (/^trial \d/.test(line) && child.kill('SIGKILL')));
    expect(killed.signal).toBe('SIGKILL');
    const { status, out } = await cert(...again, '--json');
    expect(status).toBe(0);
    const { chosen, front, test, config } = JSON.parse(out);
    expect(front.map(({ trial }: { trial: number }) => trial)).toContain(chosen.trial);
    expect(test).toMatchObject({ images: BASE.limit, pgdError: null, verifiedError: expect.any(Number) });
    const runs = JSON.parse((await cert('runs', folder, '--json')).out);
    const states = runs.map((run: { name: string; state: string }) => [run.name, run.state]).sort();
    expect(states).toEqual(
      [0, 1].map((trial) => [`trials/000${trial}`, trial === chosen.trial ? 'finished' : 'unfinished']),
    );
    expect(await readFile(join(folder, 'front.svg'), 'utf8')).toContain('verified error');
    // The configuration trains the network of the trial.
    expect(await cert('train', '--config', config, '--out', at('best'), '--quiet')).toMatchObject({ status: 0 });
    const { params } = await loadCheckpoint(runFiles(at('best')).last);
    expect(params).toEqual((await weightsOf(folder, chosen.trial)).params);
  }, 180_000);

  it('says the same again', async () => {
    const lines = await linesOf(at('found'));
    const { status, out } = await cert('search', space, ...options, '--out', at('found'));
    expect(status).toBe(0);
    expect(out).toMatch(
      /^Pareto front on 20\.00 % of the training images, radius 0\.1 \(2 trials, [12] on the Pareto front\):$/m,
    );
    expect(out).toMatch(/^Its errors on \d+ test images, which decided nothing: standard .* PGD not run, verified /m);
    expect(await linesOf(at('found'))).toEqual(lines);
  });
});

it.each([
  [['--trials', '0'], '--trials is 0.\nGive a whole number of at least 1.'],
  [['--trials', 'many'], '--trials is many.\nGive a whole number of at least 1.'],
  [[], 'The number of trials is missing.\nGive --trials N, such as --trials 40.'],
  [['--trials', '1', '--sampler', 'ahsa'], 'There is no sampler "ahsa".\nDid you mean "asha"?'],
  [['--trials', '1', '--eta', '4'], '--eta is an option of --sampler asha.'],
  [['--trials', '1', '--weight', '2'], '--weight is 2.\nGive a number from 0 to 1.'],
  [['--trials', '1', '--workers', '0'], '--workers is 0.'],
  [['--trials', '1', '--ask-tell'], '--ask-tell and --trials were both given.'],
  [['--trials', '1', '--store', 'x'], '--store is for --queue.'],
  [['--trials', '1', '--sampler', 'asha', '--rungs', '2,1'], '--rungs is 2,1.\nGive ascending epochs below 3'],
])('cert search SPACE %o is refused', async (args, message) => {
  const { status, out, err } = await cert('search', space, ...args, '--out', at('refused'));
  expect([status, out]).toEqual([1, '']);
  expect(err).toContain(message);
});

it('asha compares at equal radii', async () => {
  const file = await spaceFile('ramps.json', { rampLength: { integer: [1, 2] } }, { rampLength: undefined });
  const asha = (...args: string[]) =>
    cert('search', file, '--trials', '1', '--sampler', 'asha', '--out', at('ramps'), ...args);
  expect((await asha()).err).toContain('--sampler asha has no epoch to stop a trial at');
  expect((await asha('--rungs', '2')).err).toContain(
    'the space searches "rampLength", so before epoch 3 trials have different radii and their verified errors cannot be compared',
  );
  const epochs = await spaceFile('epochs.json', { epochs: { integer: [3, 4] } }, { epochs: undefined });
  expect((await cert('search', epochs, '--trials', '1', '--sampler', 'asha')).err).toContain(
    'the space searches "epochs"',
  );
});

it('another program samples through a pipe', async () => {
  const [node, ...flags] = CERT;
  const args = ['search', space, '--ask-tell', '--out', at('asked'), '--quiet'];
  const child = spawn(node!, [...flags, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (question: unknown) => {
    child.stdin.write(`${typeof question === 'string' ? question : JSON.stringify(question)}\n`);
    return JSON.parse((await answers.next()).value);
  };
  const values = { regWeight: 0.25, learningRate: 0.002 };
  const first = await ask({ id: 'a', values, epochs: 2 });
  expect(first).toMatchObject({ id: 'a', trial: 0, epochs: 2, verifiedError: expect.any(Number) });
  expect(await ask({ values, epochs: 2 })).toEqual({ ...first, id: undefined });
  const second = await ask({ id: 2, values });
  expect(second).toMatchObject({ id: 2, trial: 0, epochs: 3 });
  expect(second.score).toBeCloseTo(0.5 * second.standardError + 0.5 * second.verifiedError, 12);
  expect((await ask({ values, epochs: 1 })).failed).toContain('Trial 0 has these values and is behind epoch 1.');
  expect((await ask({ values: { ...values, regWeight: 2 } })).failed).toContain(
    '"regWeight" is 2. Give a value of its',
  );
  expect((await ask({ values: { regWeight: 0.5 } })).failed).toContain('"learningRate" is missing.');
  expect((await ask({ values: { ...values, l1: 1 } })).failed).toContain('There is no searched field "l1".');
  expect((await ask({ id: 3, values, epochs: 9 })).failed).toContain('"epochs" is 9. Give a whole number from 1 to 3.');
  expect((await ask('{ "values": ')).failed).toContain('This line is no question');
  child.stdin.end();
  expect((await once(child, 'exit'))[0]).toBe(0);
  expect(JSON.parse(await readFile(at('asked', 'front.json'), 'utf8')).chosen).toMatchObject({ trial: 0, values });
}, 120_000);

describe.skipIf(noRedis !== '')(`on the workers of a queue${noRedis}`, () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  it('a search ends as on this machine', async () => {
    const stop = new AbortController();
    const lines: string[] = [];
    const hear = (line: string) => void lines.push(line);
    const where = ['--redis', server.url, '--store', at('store')];
    const worker = main(['worker', '--trials', ...where], { out: hear, err: hear, screen: null }, stop.signal);
    const options = ['--trials', '2', '--json'];
    const { status, out, err } = await cert('search', space, ...options, '--queue', ...where, '--out', at('queued'));
    stop.abort();
    expect([status, err.split('\n').filter((line) => line.startsWith('error'))]).toEqual([0, []]);
    expect(await worker).toBe(130);
    const here = JSON.parse((await cert('search', space, ...options, '--out', at('found'))).out);
    const { chosen, test } = JSON.parse(out);
    expect([chosen.trial, test]).toEqual([here.chosen.trial, here.test]);
    for (const trial of [0, 1])
      expect(await weightsOf(at('queued'), trial)).toEqual(await weightsOf(at('found'), trial));
    // Two trials and the test of the choice.
    expect(lines.filter((line) => line.endsWith(' done'))).toHaveLength(3);
  }, 180_000);
});
