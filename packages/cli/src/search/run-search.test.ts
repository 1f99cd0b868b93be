import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadCheckpoint } from '@cert/models/node';
import { runFiles, standardCatalog } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { outcomeOf } from './outcome.js';
import { runSearch, type SearchEvent } from './run-search.js';
import { runTrial } from './run-trial.js';
import type { Runner } from './runner.js';
import { openSearchFolder, trialFolder } from './search-folder.js';
import { samplerOf, settingsOf } from './settings.js';
import { readSpace, readSpaceFile, type Space } from './space.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-run-search-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** Trials of a second. */
const BASE = {
  ...{ preset: 'digits/quick', model: 'mlp', device: 'tfjs', limit: 60, batchSize: 20, epochs: 3, width: 8, dense: 8 },
  ...{ rampStart: 1, rampLength: 1, attackRestarts: 0, validation: 0.2 },
};

async function spaceOf(search: object): Promise<Space> {
  const file = join(place, 'space.json');
  await writeFile(file, JSON.stringify({ base: BASE, search }));
  return readSpace(await readSpaceFile(file), standardCatalog);
}

/** Trains in this process. */
function hereRunner(): Runner & { readonly signal: AbortSignal } {
  const stop = new AbortController();
  return {
    signal: stop.signal,
    run: (job, onEpoch) =>
      runTrial(job, {
        ...{ catalog: standardCatalog, signal: stop.signal },
        onEvent: (event) => void (event.type === 'epoch' && onEpoch(event.epoch)),
      }),
    stop: () => stop.abort(),
    close: async () => {},
  };
}

/** A search of four trials by asha; `see` may abort it. */
async function search(name: string, space: Space, see: (event: SearchEvent, stop: () => void) => void = () => {}) {
  const settings = settingsOf({ sampler: 'asha', rungs: '2', eta: '2' }, space, false);
  const folder = await openSearchFolder(join(place, name), settings);
  const stopping = new AbortController();
  const onEvent = (event: SearchEvent) => see(event, () => stopping.abort());
  try {
    const pace = { workers: 1, signal: stopping.signal };
    await runSearch({ folder, space, runner: hereRunner(), onEvent }, samplerOf(settings, space, 4), pace);
    return outcomeOf(space, folder.trials(), settings.weight);
  } finally {
    await folder.close();
  }
}

const linesOf = async (name: string) =>
  (await readFile(join(place, name, 'trials.jsonl'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => ({ ...JSON.parse(line), trainSeconds: 0 }));

async function weightsOf(name: string, trial: number) {
  const { params, stats, extra } = await loadCheckpoint(runFiles(trialFolder(join(place, name), trial)).last);
  return { params, stats, extra };
}

it('stopped in a trial, between trials and in a line, a search ends as one that never stopped', async () => {
  const space = await spaceOf({ learningRate: { 'log-uniform': [1e-3, 1e-2] }, regWeight: { uniform: [0, 1] } });
  const { chosen, front, trials } = await search('calm', space);
  expect([trials, front.map(({ trial }) => trial)]).toEqual([4, expect.arrayContaining([chosen.trial])]);
  const stopAt = (wanted: Partial<SearchEvent>) =>
    search('rough', space, (event, stop) => {
      if (Object.entries(wanted).every(([name, value]) => event[name as keyof SearchEvent] === value)) stop();
    });
  await expect(stopAt({ type: 'epoch' })).rejects.toThrow('aborted');
  await expect(stopAt({ type: 'ended' })).rejects.toThrow('aborted');
  // Of a process that died while it wrote.
  const file = join(place, 'rough', 'trials.jsonl');
  await writeFile(file, `${await readFile(file, 'utf8')}{"type":"star`);
  // Of one that died behind the checkpoint, before the result was written.
  await expect(stopAt({ type: 'started', epochs: 3 })).rejects.toThrow('aborted');
  const after = await search('rough', space);
  expect(await linesOf('rough')).toEqual(await linesOf('calm'));
  expect(after.chosen).toEqual({ ...chosen, trainSeconds: expect.any(Number) });
  for (let trial = 0; trial < 4; trial++) {
    expect([trial, await weightsOf('rough', trial)]).toEqual([trial, await weightsOf('calm', trial)]);
  }
}, 120_000);

it('a result that was not written down is taken from the run, which is not trained again', async () => {
  const lines = (await readFile(join(place, 'calm', 'trials.jsonl'), 'utf8')).trimEnd().split('\n');
  const last = lines.pop()!;
  await writeFile(join(place, 'calm', 'trials.jsonl'), `${lines.join('\n')}\n`);
  const space = await spaceOf({ learningRate: { 'log-uniform': [1e-3, 1e-2] }, regWeight: { uniform: [0, 1] } });
  const epochs: unknown[] = [];
  await search('calm', space, (event) => void (event.type === 'epoch' && epochs.push(event)));
  expect([await linesOf('calm'), epochs]).toEqual([
    [...lines, last].map((line) => ({ ...JSON.parse(line), trainSeconds: 0 })),
    [],
  ]);
});

it('trials that diverge are recorded with the reason, and are never on the front', async () => {
  const space = await spaceOf({ learningRate: { choice: [1e-3, 1e30] } });
  const { trials, failed, front, trained } = await search('diverging', space);
  expect([trials, failed, trained.length]).toEqual([2, 1, 1]);
  expect(front.map(({ values }) => values)).toEqual([{ learningRate: 1e-3 }]);
  expect((await linesOf('diverging')).find(({ type }) => type === 'failed').problem).toMatch(/Step \d+ \(epoch \d\)/);
  const never = await spaceOf({ learningRate: { choice: [1e29, 1e30] } });
  await expect(search('never', never)).rejects.toThrow(/^No trial was trained to the end: 2 of 2 failed\. Step /);
}, 120_000);

it('a folder of another search is refused, naming the first setting that differs', async () => {
  const refused = async (raw: object, searched: object, message: RegExp) => {
    const space = await spaceOf(searched);
    const settings = settingsOf({ sampler: 'asha', rungs: '2', eta: '2', ...raw }, space, false);
    await expect(openSearchFolder(join(place, 'calm'), settings)).rejects.toThrow(message);
  };
  const same = { learningRate: { 'log-uniform': [1e-3, 1e-2] }, regWeight: { uniform: [0, 1] } };
  await refused({ eta: '3' }, same, /calm contains another search: --eta was 2, and is now 3\.\nChoose another folder/);
  await refused(
    { sampler: 'random', rungs: undefined, eta: undefined },
    same,
    /--sampler was "asha", and is now "random"/,
  );
  await refused({}, { ...same, regWeight: { uniform: [0, 2] } }, /"regWeight" in "search" was .*"to":1.*"to":2/);
  await refused({}, { regWeight: same.regWeight }, /"learningRate" in "search" was .* and is now missing/);
});

it('a damaged line is named', async () => {
  const file = join(place, 'calm', 'trials.jsonl');
  await writeFile(
    file,
    `{"type":"result","trial":0,"epochs":2,"standardError":2,"verifiedError":1,"trainSeconds":0}\n`,
  );
  const space = await spaceOf({ learningRate: { 'log-uniform': [1e-3, 1e-2] }, regWeight: { uniform: [0, 1] } });
  await expect(search('calm', space)).rejects.toThrow(/trials\.jsonl, line 1: this is no line of a search/);
});
