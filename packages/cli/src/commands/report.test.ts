import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { runFiles } from '@cert/trainer/pipeline';
import { clopperPearson } from '@cert/verify';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cert, SMALL, TINY } from '../../test/cert.js';
import { main } from '../main.js';
import type { ReportData } from '../report/report-data.js';
import type { ReportRun } from '../report/report-run.js';

/** Test images of the run. */
const IMAGES = 200;

/** A short evaluation. */
const evaluate = ['--methods', 'ibp', '--attack-steps', '20', '--attack-restarts', '1'];

let place: string;
let plain: string;
let evaluated: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-report-'));
  [plain, evaluated] = [join(place, 'plain'), join(place, 'evaluated')];
  expect(await cert('train', '--out', plain, ...SMALL)).toMatchObject({ status: 0 });
  await cp(plain, evaluated, { recursive: true });
  expect(await cert('eval', evaluated, ...evaluate)).toMatchObject({ status: 0 });
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** A copy of a run to change. */
async function copyOf(run: string, name: string): Promise<string> {
  const folder = join(place, name);
  await cp(run, folder, { recursive: true });
  return folder;
}

const report = (...args: string[]) => cert('report', '--limit', '8', ...args);

async function dataOf(...args: string[]): Promise<ReportData & { readonly file: string }> {
  const { status, out, err } = await report('--json', ...args);
  expect(status, err).toBe(0);
  return JSON.parse(out);
}

async function runOf(...args: string[]): Promise<ReportRun> {
  const { runs } = await dataOf(...args);
  expect(runs).toHaveLength(1);
  return runs[0]!;
}

const lacks = ({ missing }: ReportRun) => missing.map(({ what, command }) => [what.split(/[:.]/)[0], command]);

describe('the report of an evaluated run', () => {
  it('is one file in the run, which loads nothing, with the verdict of the evaluation', async () => {
    const { status, out, err } = await report(evaluated);
    expect([status, err]).toEqual([0, '']);
    const file = join(evaluated, 'report.html');
    const [verdict, , last] = out.split('\n');
    expect(last).toBe(`The report is in ${file}`);
    expect(await report(evaluated, '--quiet')).toMatchObject({ status: 0, out: `${verdict}\n${last}`, err: '' });
    const summary = JSON.parse(await readFile(join(evaluated, 'eval', 'last-0.05.json'), 'utf8'));
    const { verifiedError } = summary.methods.ibp;
    const verified = IMAGES - verifiedError.count;
    const percent = (fraction: number) => `${(100 * fraction).toFixed(2)} %`;
    const [lower, upper] = clopperPearson(verified, IMAGES);
    const page = (await readFile(file, 'utf8')).replaceAll('\u00a0', ' ');
    expect(out).toContain('for every float32 execution of the network that rounds to nearest');
    if (verified > 0)
      expect(out).toContain(
        `For ${percent(verified / IMAGES)} of the ${IMAGES} test images of digits (${verified} images)`,
      );
    expect(page).toContain(`between ${percent(lower)} and ${percent(upper)}`);
    expect(page).toContain('content="default-src &#39;none&#39;; script-src ');
    expect(page).toContain(percent(summary.standardError.interval[1]));
    // No address of anything but names of formats and licences.
    const text = page.replaceAll(/<script>.*?<\/script>/gs, '');
    expect(
      [...text.matchAll(/(?:src|href)="([^"]*)"/g)]
        .map(([, to]) => to!.slice(0, 5))
        .every((to) => /^(data:|#)/.test(to)),
    ).toBe(true);
  });

  it('counts each image once, and says what made each number', async () => {
    const run = await runOf(evaluated);
    const { verified, undecided, broken, misclassified, images } = run.verdict!.outcomes;
    expect([images, verified + undecided! + broken! + misclassified]).toEqual([IMAGES, IMAGES]);
    expect(run.verdict).toMatchObject({ source: 'evaluation', arithmetic: 'deployed', epsilon: 0.05 });
    expect(run.errors.map(({ kind, source }) => `${kind} ${source}`)).toEqual([
      ...['standard evaluation', 'attack evaluation', 'verified evaluation'],
      ...['standard training', 'attack training', 'verified training'],
    ]);
    expect(run.confusion!.counts.flat().reduce((a, b) => a + b, 0)).toBe(IMAGES);
    expect(run.gallery!.endings.map(({ total }) => total)).toEqual([verified, undecided, broken, misclassified]);
    expect(run.missing).toEqual([]);
    expect(run.provenance.hashes.map(({ name }) => name)).toEqual([
      ...['weights (checkpoints/last.safetensors)', 'test data (shape, values, labels)'],
      ...['config.json', 'metrics.jsonl', 'summary.json', 'eval/last-0.05.jsonl'],
    ]);
  });

  it('has adversarial examples that lie in the ball, and pictures of the size of the input', async () => {
    const { gallery } = await runOf(evaluated);
    const broken = gallery!.endings.find(({ ending }) => ending === 'broken')!;
    expect(broken.entries.filter(({ adversarial }) => adversarial !== null).length).toBeGreaterThan(0);
    for (const { adversarial, picture } of gallery!.endings.flatMap(({ entries }) => entries)) {
      const { width, height } = await sharp(Buffer.from(picture!.split(',')[1]!, 'base64')).metadata();
      expect([width, height]).toEqual([28, 28]);
      if (adversarial === null) continue;
      expect(adversarial.distance).toBeLessThanOrEqual(0.05);
      expect(adversarial.distance).toBeGreaterThan(0);
    }
  });

  it('gives commands that train and evaluate the same again', async () => {
    const { provenance } = await runOf(evaluated);
    const [trained, again] = provenance.commands.map(({ command }) => command.split(' ').slice(1));
    const out = join(place, 'again');
    const words = (command: readonly string[]) => command.map((word) => (word === 'runs/again' ? out : word));
    expect(await cert(...words(trained!))).toMatchObject({ status: 0 });
    expect(await cert(...words(again!))).toMatchObject({ status: 0 });
    const lines = async (run: string) =>
      (await readFile(join(run, 'eval', 'last-0.05.jsonl'), 'utf8')).split('\n').slice(1);
    expect((await lines(out)).sort()).toEqual((await lines(evaluated)).sort());
  });
});

describe('certified radii', () => {
  it('are kept in the run: a second report computes none, a larger one only the new ones', async () => {
    const run = await copyOf(plain, 'radii');
    const { radii } = await runOf(run, '--limit', '3');
    const folder = join(run, 'radii');
    const [name] = await readdir(folder);
    const file = join(folder, name!);
    const { mtimeMs } = await stat(file);
    expect((await runOf(run, '--limit', '3')).radii).toEqual(radii);
    expect((await stat(file)).mtimeMs).toBe(mtimeMs);
    // A radius that only the file knows.
    const kept = JSON.parse(await readFile(file, 'utf8'));
    const marked = kept.inputs.findIndex(({ correct }: { correct: boolean }) => correct);
    expect(marked).toBeGreaterThanOrEqual(0);
    Object.assign(kept.inputs[marked], { radius: 0.5, verifiedBy: 'ibp', unverified: 0.75 });
    await writeFile(file, JSON.stringify(kept));
    const more = (await runOf(run, '--limit', '5')).radii!;
    expect([more.inputs.length, more.inputs[marked]!.radius]).toEqual([5, 0.5]);
    for (const damaged of [
      '{',
      JSON.stringify({ ...kept, checkpoint: 'other' }),
      JSON.stringify({ ...kept, version: '0.0.9' }),
      JSON.stringify({ ...kept, inputs: [{}] }),
    ]) {
      await writeFile(file, damaged);
      expect((await runOf(run, '--limit', '3')).radii).toEqual(radii);
    }
  });

  it('are kept when the command is stopped', async () => {
    const run = await copyOf(plain, 'stopped-radii');
    await runOf(run, '--limit', '3');
    const lines: string[] = [];
    const terminal = { out: (line: string) => void lines.push(line), err: () => {}, screen: null };
    const stop = new AbortController();
    stop.abort(new Error('stopped'));
    expect(await main(['report', run, '--limit', '6'], terminal, stop.signal)).toBe(130);
    expect(lines).toEqual(['Stopped. Radii so far are kept: run the same command again to continue.']);
    const [name] = await readdir(join(run, 'radii'));
    expect(JSON.parse(await readFile(join(run, 'radii', name!), 'utf8')).inputs).toHaveLength(3);
  });

  it('agree with cert predict', async () => {
    const { radii } = await runOf(plain);
    for (const { index, radius, correct } of radii!.inputs) {
      if (!correct) continue;
      const { out } = await cert('predict', plain, '--index', String(index), '--json');
      expect(JSON.parse(out).radius.radius).toBe(radius);
    }
  });

  it('are left out with --limit 0, and the report says so', async () => {
    const run = await runOf(plain, '--limit', '0');
    expect([run.radii, lacks(run).at(-1)]).toEqual([null, ['No certified radii', `cert report ${plain}`]]);
  });
});

describe('what is missing', () => {
  it('an evaluation: the numbers are those of training, and the command is named', async () => {
    const run = await runOf(plain);
    expect(run.verdict).toMatchObject({ source: 'summary', arithmetic: 'nearest' });
    expect(lacks(run)).toEqual([['No evaluation image by image', `cert eval ${plain}`]]);
    const page = await readFile(join(plain, 'report.html'), 'utf8');
    expect(page).toContain(`<code>cert eval ${plain}</code>`);
    expect(page).not.toContain('it is proved');
  });

  it('an evaluation that is not finished is not counted', async () => {
    const run = await copyOf(evaluated, 'half');
    const file = join(run, 'eval', 'last-0.05.jsonl');
    const lines = (await readFile(file, 'utf8')).split('\n');
    await writeFile(file, `${lines.slice(0, 5).join('\n')}\n`);
    expect((await runOf(run)).verdict!.source).toBe('summary');
    await rm(join(run, 'eval', 'last-0.05.json'));
    const { verdict, missing } = await runOf(run);
    expect(verdict!.source).toBe('summary');
    expect(missing[0]!.what).toMatch(/has 4 images and is not finished/);
    // One more line that claims what it does not show.
    const claim = {
      index: 199,
      label: 1,
      prediction: 1,
      margin: 1,
      lower: { ibp: -1 },
      levels: {},
      verifiedBy: 'ibp',
      attack: null,
    };
    await appendFile(file, `${JSON.stringify(claim)}\n`);
    expect((await runOf(run)).notes).toEqual([`${file} has 1 damaged lines.`]);
  });

  it('an evaluation of other weights is not counted', async () => {
    const run = await copyOf(evaluated, 'other');
    await rm(join(run, 'eval'), { recursive: true });
    await cp(join(evaluated, 'eval'), join(run, 'eval'), { recursive: true });
    const file = join(run, 'eval', 'last-0.05.jsonl');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(/"checkpoint":"\w{4}/, '"checkpoint":"0000'));
    const { verdict, notes } = await runOf(run);
    expect([verdict!.source, notes]).toEqual([
      'summary',
      [`${file} is an evaluation of another checkpoint and was left out.`],
    ]);
  });

  it('an evaluation of another version is said to be one, and stands behind one of this version', async () => {
    const run = await copyOf(evaluated, 'version');
    const [own, old] = ['last-0.05', 'earlier'].map((name) => join(run, 'eval', name)) as [string, string];
    const text = await readFile(`${own}.jsonl`, 'utf8');
    await writeFile(`${old}.jsonl`, text.replace(/,"version":"[^"]*"/, ''));
    await cp(`${own}.json`, `${old}.json`);
    const note = `${old}.jsonl was computed by an older version of cert, which did not record its number.`;
    const both = await runOf(run);
    expect(both.evaluations.map(({ file }) => file)).toEqual([`${own}.jsonl`, `${old}.jsonl`]);
    expect(both.notes).toEqual([expect.stringContaining(note)]);
    await rm(`${own}.jsonl`);
    const alone = await runOf(run);
    expect([alone.verdict!.source, alone.notes]).toEqual(['evaluation', [expect.stringContaining(note)]]);
  });

  it('an attack', async () => {
    const run = await copyOf(plain, 'no-attack');
    expect(await cert('eval', run, '--methods', 'ibp', '--attack-restarts', '0')).toMatchObject({ status: 0 });
    const { errors, missing, verdict } = await runOf(run);
    expect(errors.filter(({ source }) => source === 'evaluation').map(({ kind }) => kind)).toEqual([
      'standard',
      'verified',
    ]);
    expect(missing.map(({ command }) => command)).toEqual([`cert eval ${run} --out ${run}/eval/with-attack.jsonl`]);
    expect(verdict!.sentences.at(-1)).toContain('no attack was run');
    expect(await cert(...missing[0]!.command!.split(' ').slice(1), ...evaluate)).toMatchObject({ status: 0 });
    expect((await runOf(run)).missing).toEqual([]);
  });

  it('the end of a run that another process trains', async () => {
    const run = await copyOf(evaluated, 'in-training');
    await writeFile(join(run, 'run.lock'), JSON.stringify({ pid: process.ppid, host: hostname(), id: '1' }));
    const { state, missing, verdict } = await runOf(run);
    expect([state, verdict!.source]).toEqual(['in training', 'evaluation']);
    expect(missing).toEqual([
      { what: 'The run is still in training: this report is about its latest checkpoint.', command: null },
    ]);
  });

  it('training that was stopped, without metrics', async () => {
    const run = await copyOf(plain, 'stopped');
    await rm(runFiles(run).summary);
    const part = await runOf(run);
    expect([part.verdict, lacks(part)[0]]).toEqual([
      null,
      ['Training is not finished (epoch 12/12)', `cert train --resume ${run}`],
    ]);
    expect(part.errors.map(({ source, interval }) => [source, interval])).toEqual(Array(2).fill(['last epoch', null]));
    await rm(runFiles(run).metrics);
    expect(lacks(await runOf(run)).map(([what]) => what)).toContain('No training curves');
    expect(await readFile(join(run, 'report.html'), 'utf8')).toContain('No epoch is finished, so there are no curves.');
  });

  it('neurons, in runs of older versions, and lines that are damaged', async () => {
    const run = await copyOf(plain, 'older');
    const { metrics } = runFiles(run);
    const lines = (await readFile(metrics, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    await writeFile(metrics, `${lines.map(({ relu: _, ...line }) => JSON.stringify(line)).join('\n')}\ndamaged\n`);
    const older = await runOf(run);
    expect(lacks(older).map(([what]) => what)).toContain('No neurons');
    expect(older.notes).toEqual(['1 damaged lines of metrics.jsonl were left out.']);
  });

  it('test data that are not there', async () => {
    const data = join(place, 'shapes');
    for (const split of ['train', 'test']) {
      for (const [i, name] of ['dark', 'li<b>ght'].entries()) {
        await mkdir(join(data, split, name), { recursive: true });
        for (let k = 0; k < 4; k++) {
          const bytes = Uint8Array.from({ length: 64 * 3 }, (_, p) => 200 * i + ((7 * p + k) % 30));
          await sharp(bytes, { raw: { width: 8, height: 8, channels: 3 } })
            .png()
            .toFile(join(data, split, name, `${k}.png`));
        }
      }
    }
    const run = join(place, 'folder');
    const dataset = ['--dataset', 'image-folder', '--data', data, '--epsilon', '0.01'];
    expect(await cert('train', '--out', run, ...TINY, ...dataset)).toMatchObject({ status: 0 });
    const whole = await runOf(run);
    expect(whole.classNames).toEqual(['dark', 'li<b>ght']);
    const page = await readFile(join(run, 'report.html'), 'utf8');
    expect(page).toContain('li&lt;b&gt;ght');
    expect(page).not.toContain('li<b>ght');
    await rm(data, { recursive: true });
    const without = await runOf(run);
    expect([without.radii, without.gallery, without.verdict!.source]).toEqual([null, null, 'summary']);
    expect(without.missing.at(-1)!.what).toMatch(
      /^No radii, no gallery, because the test data could not be read\. .*shapes/,
    );
  });
});

describe('inputs that are no images', () => {
  const plugin = `
    const split = (count, from) => ({
      shape: [5], classes: 3, count, scale: 1,
      images: Float32Array.from({ length: 5 * count }, (_, i) => Math.sin(i * 7 + from) + (i % 5 === (Math.floor(i / 5) % 3) ? 2 : 0)),
      labels: Uint8Array.from({ length: count }, (_, i) => i % 3),
    });
    export default {
      name: 'rows',
      datasets: { rows: async () => ({ name: 'rows', train: split(60, 0), test: split(30, 1), range: null }) },
    };`;

  it('are a table of rows, and nothing is called an image or a pixel', async () => {
    const file = join(place, 'rows.mjs');
    await writeFile(file, plugin);
    const run = join(place, 'rows');
    const settings = ['--plugin', file, '--dataset', 'rows', '--model', 'mlp', '--epsilon', '0.9', '--device', 'tfjs'];
    const short = [
      '--epochs',
      '4',
      '--batch-size',
      '10',
      '--attack-restarts',
      '2',
      '--attack-steps',
      '10',
      '--learning-rate',
      '0.02',
    ];
    expect(await cert('train', '--out', run, ...settings, ...short)).toMatchObject({ status: 0 });
    const { gallery, words, missing, provenance } = await runOf(run, '--plugin', file, '--limit', '30');
    expect(
      [missing[0]!.command, provenance.commands[0]!.command].every((command) => command!.endsWith(' --trust')),
    ).toBe(true);
    expect(words).toEqual({ one: 'row', many: 'rows', value: 'feature' });
    const entries = gallery!.endings.flatMap((ending) => ending.entries);
    expect(entries.every(({ picture, values }) => picture === null && values!.length === 5)).toBe(true);
    const page = await readFile(join(run, 'report.html'), 'utf8');
    const shown = page
      .replaceAll(/<(script|style|meta)[^>]*>(?:.*?<\/\1>)?/gs, '')
      .replace(/<details><summary>Configuration.*?<\/details>/s, '');
    expect(shown.match(/.{30}(?:image|pixel).{20}/i)).toBeNull();
    expect(shown).toContain('<th scope="row" class="n">4</th>');
    const withExamples = entries.filter(({ adversarial }) => adversarial !== null);
    expect(withExamples.length).toBeGreaterThan(0);
    for (const { values, adversarial } of withExamples) {
      values!.forEach((value, i) => void expect(Math.abs(adversarial!.values![i]! - value)).toBeLessThanOrEqual(0.9));
    }
  });
});

describe('several runs', () => {
  it('stand side by side, with the settings that differ', async () => {
    const other = await copyOf(plain, 'second<run>');
    const out = join(place, 'several', 'both.html');
    const { runs, settings, file } = await dataOf(evaluated, other, '--out', out);
    expect([runs.map(({ name }) => name), settings, file]).toEqual([['evaluated', 'second<run>'], {}, out]);
    const page = await readFile(out, 'utf8');
    expect(page).toContain('Robustness report: 2 runs');
    expect(page).toContain('<h3 class="run">second&lt;run&gt;</h3>');
    expect(page).not.toContain('second<run>');
    expect(page).toContain('The runs have identical settings.');
  });
});

describe('--csv', () => {
  /** Reads RFC 4180. */
  function parsed(text: string): string[][] {
    const rows: string[][] = [];
    for (const line of text.split('\r\n').slice(0, -1)) {
      rows.push(
        [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g)].map(
          ([, quoted, bare]) => quoted?.replaceAll('""', '"') ?? bare ?? '',
        ),
      );
    }
    return rows;
  }

  it('has a row for each line, and a column for each field and share of neurons', async () => {
    const file = join(place, 'csv', 'metrics.csv');
    const { status, out } = await report(plain, '--csv', file);
    const [head = [], ...rows] = parsed(await readFile(file, 'utf8'));
    const lines = (await readFile(runFiles(plain).metrics, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect([status, out]).toEqual([0, `${lines.length} rows are in ${file}`]);
    expect(rows).toHaveLength(lines.length);
    lines.forEach(({ relu, ...fields }, i) => {
      const row = Object.fromEntries(head.map((name, k) => [name, rows[i]![k]]));
      for (const [name, value] of Object.entries(fields)) expect(row[name]).toBe(value === null ? '' : String(value));
      for (const [layer, shares] of Object.entries(relu?.layers ?? {})) {
        expect(Number(row[`relu.${layer}.unstable`])).toBe((shares as { unstable: number }).unstable);
      }
    });
  });

  it('quotes names, and has a column for the run where there are several', async () => {
    const odd = await copyOf(plain, 'a "b", c');
    const file = join(place, 'csv', 'both.csv');
    expect(await report(plain, odd, '--csv', file, '--json')).toMatchObject({ status: 0 });
    const text = await readFile(file, 'utf8');
    expect(text).toContain('"a ""b"", c",');
    const [head = [], ...rows] = parsed(text);
    expect(head[0]).toBe('run');
    expect([...new Set(rows.map(([name]) => name))]).toEqual(['plain', 'a "b", c']);
  });
});

describe('errors', () => {
  it.each([
    [['nowhere'], /^error: The folder .*nowhere does not exist\.\nCheck the path\./],
    [['plain/checkpoints'], /^error: .*checkpoints contains no run\.\nGive folders of runs/],
    [['plain/config.json'], /^error: .*config\.json is a file, not the folder of a run\.\n/],
  ])('%s', async (paths, err) => {
    const { status, err: told } = await report(...paths.map((path) => join(place, path)));
    expect([status, told]).toEqual([1, expect.stringMatching(err)]);
  });

  it('a damaged run, summary and number', async () => {
    const run = await copyOf(plain, 'broken');
    const { summary } = runFiles(run);
    const text = JSON.parse(await readFile(summary, 'utf8'));
    // Verified although misclassified.
    await writeFile(summary, JSON.stringify({ ...text, standardError: 0.5, verifiedError: 0.25 }));
    expect(await report(run)).toMatchObject({
      status: 1,
      err: `error: ${run} is damaged: ${summary} has errors that contradict each other.\nRestore the file, or leave the run out.`,
    });
    await writeFile(summary, JSON.stringify({ ...text, bound: 1 }));
    expect(await report(run)).toMatchObject({
      status: 1,
      err: `error: ${summary} is damaged.\nRestore the file, or evaluate the run again with cert eval.`,
    });
    await rm(runFiles(run).last);
    expect(await report(run)).toMatchObject({
      status: 1,
      err: expect.stringMatching(/broken is damaged: .*last\.safetensors is missing/),
    });
    expect(await cert('report', plain, '--limit', '1.5')).toMatchObject({
      status: 1,
      err: 'error: --limit is 1.5.\nGive a whole number of at least 0.',
    });
    const empty = await copyOf(plain, 'empty');
    await writeFile(runFiles(empty).metrics, '');
    expect(await report(empty, '--csv', join(place, 'none.csv'))).toMatchObject({
      status: 1,
      err: `error: ${empty} has no metrics: metrics.jsonl has no line yet.\nTrain for at least 50 steps or one epoch.`,
    });
  });
});
