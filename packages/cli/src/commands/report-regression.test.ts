/** Reports of regressions. */
import { cp, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runFiles } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cert, train } from '../../test/cert.js';
import { regressionRun } from '../../test/regression.js';
import type { ReportData } from '../report/report-data.js';
import type { ReportRun } from '../report/report-run.js';

/** Test rows of the run. */
const ROWS = 12;

let place: string;
let plain: string;
let evaluated: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-report-regression-'));
  plain = await regressionRun(place, 'plain');
  evaluated = join(place, 'evaluated');
  await cp(plain, evaluated, { recursive: true });
  const methods = ['--methods', 'ibp,crown-ibp', '--attack-steps', '20', '--attack-restarts', '1'];
  expect(await cert('eval', evaluated, '--delta', '40', ...methods, '--device', 'tfjs')).toMatchObject({ status: 0 });
}, 60_000);
afterAll(() => rm(place, { recursive: true, force: true }));

const report = (...args: string[]) => cert('report', '--device', 'tfjs', ...args);

async function runOf(...args: string[]): Promise<ReportRun> {
  const { status, out, err } = await report('--json', ...args);
  expect(status, err).toBe(0);
  const { runs }: ReportData = JSON.parse(out);
  expect(runs).toHaveLength(1);
  return runs[0]!;
}

const summaryOf = async (run: string) => JSON.parse(await readFile(runFiles(run).summary, 'utf8'));

describe('the report of an evaluated regression', () => {
  it('says which fraction is within the tolerance, and the mean errors', async () => {
    const { status, out, err } = await report(evaluated, '--delta', '40');
    expect([status, err]).toEqual([0, '']);
    const summary = JSON.parse(await readFile(join(evaluated, 'eval', 'last-0.1-delta-40.json'), 'utf8'));
    const verified = ROWS - summary.methods['crown-ibp'].verifiedError.count;
    const which = verified === 0 ? 'none of' : `${((100 * verified) / ROWS).toFixed(2)} % of`;
    const text = out.replaceAll(/\s+/g, ' ');
    expect(text).toMatch(new RegExp(`^For ${which} the ${ROWS} test rows of csv`));
    expect(text).toContain('the prediction of "price" is off by less than 40 after every perturbation');
    const mean = Number(summary.absoluteError.toPrecision(6));
    expect(text).toContain(`The mean absolute error of "price" is ${mean}; under perturbations within this radius`);
    const page = await readFile(join(evaluated, 'report.html'), 'utf8');
    const visible = page
      .replaceAll(/<(script|style)[^>]*>.*?<\/\1>/gs, '')
      .replace(/<details><summary>Configuration.*?<\/details>/s, '')
      .replaceAll(/<[^>]*>/g, ' ');
    expect(visible.match(/.{30}(classified|\bimages?\b|pixel|confusion|NaN|undefined).{20}/i)).toBeNull();
  });

  it('counts each row once, at the tolerance, from the evaluation', async () => {
    const run = await runOf(evaluated, '--delta', '40');
    const { verified, undecided, broken, misclassified, images } = run.verdict!.outcomes;
    expect([images, verified + undecided! + broken! + misclassified]).toEqual([ROWS, ROWS]);
    expect(run.gallery!.endings.map(({ total }) => total)).toEqual([verified, undecided, broken, misclassified]);
    // The errors of the training are at another tolerance.
    expect(new Set(run.errors.map(({ source }) => source))).toEqual(new Set(['evaluation']));
    expect([run.confusion, run.missing]).toEqual([null, []]);
    expect(run.radii).toMatchObject({ delta: 40, inputs: { length: ROWS } });
  });

  it('has output intervals that contain the predictions, and agree with labels and outcomes', async () => {
    const { regression, radii, epsilon } = await runOf(evaluated, '--delta', '40', '--methods', 'ibp,crown-ibp');
    expect(new Set(regression!.values!.rows.map(({ ending }) => ending)).size).toBeGreaterThan(1);
    const { rows, methods, arithmetic } = regression!.values!;
    expect([rows.length, methods, arithmetic]).toEqual([ROWS, ['ibp', 'crown-ibp'], 'deployed']);
    const labels = new Set(Array.from({ length: 12 }, (_, i) => 1000 + 50 * i));
    rows.forEach(({ target, prediction, interval, ending }, i) => {
      expect(labels.has(target)).toBe(true);
      const [lower, upper] = interval!;
      expect(prediction).toBeGreaterThanOrEqual(lower);
      expect(prediction).toBeLessThanOrEqual(upper);
      const off = Math.max(upper - target, target - lower);
      // The same bounds decide the evaluation and the radii: what rounds differently is 1e-3 of the tolerance at most.
      if (Math.abs(off - 40) < 0.04) return;
      expect(ending === 'certified').toBe(off < 40);
      expect(radii!.inputs[i]!.radius >= epsilon).toBe(off < 40);
      expect(ending === 'misclassified').toBe(Math.abs(prediction! - target) >= 40);
    });
    const verified = regression!.absolute.find(({ source }) => source === 'report')!;
    const worst = rows.map(({ target, interval }) => Math.max(interval![1] - target, target - interval![0]));
    expect(verified.value).toBeCloseTo(worst.reduce((a, b) => a + b, 0) / ROWS, 3);
    expect(verified.value).toBeGreaterThan(regression!.absolute[0]!.value!);
  });

  it('shows rows that an attack broke with the number that is predicted there', async () => {
    // So narrow that every row with a small error is broken at a larger radius.
    const run = join(place, 'broken');
    await cp(plain, run, { recursive: true });
    const { regression } = await runOf(run, '--delta', '40', '--limit', '12');
    const off = regression!.values!.rows.map(({ target, prediction }) => Math.abs(prediction! - target));
    const delta = String(1.02 * off.toSorted((a, b) => a - b)[ROWS / 2]!);
    const attack = ['--methods', 'ibp', '--attack-steps', '20', '--attack-restarts', '1', '--device', 'tfjs'];
    expect(await cert('eval', run, '--delta', delta, ...attack)).toMatchObject({ status: 0 });
    const { gallery } = await runOf(run, '--delta', delta);
    const { entries } = gallery!.endings.find(({ ending }) => ending === 'broken')!;
    expect(entries.length).toBeGreaterThan(0);
    for (const { output, adversarial, values } of entries) {
      expect(Math.abs(output!.prediction! - output!.target)).toBeLessThan(Number(delta));
      expect(Math.abs(adversarial!.output! - output!.target)).toBeGreaterThan(Number(delta) * (1 - 1e-5));
      // The label is no feature.
      expect([values!.length, adversarial!.values!.length]).toEqual([3, 3]);
    }
  });

  it('gives a command that evaluates the same again', async () => {
    const { provenance } = await runOf(evaluated, '--delta', '40');
    const [, again] = provenance.commands;
    expect(again!.command).toContain(' --delta 40 ');
    const run = join(place, 'again');
    await cp(plain, run, { recursive: true });
    const words = again!.command.split(' ').slice(1);
    const evaluation = words.map((word) => (word === 'runs/again' ? run : word));
    expect(await cert(...evaluation, '--device', 'tfjs')).toMatchObject({ status: 0 });
    const lines = async (folder: string) =>
      (await readFile(join(folder, 'eval', 'last-0.1-delta-40.jsonl'), 'utf8')).split('\n').sort();
    expect(await lines(run)).toEqual(await lines(evaluated));
  });
});

describe('the tolerance', () => {
  it('is that of the run unless it is given: then the errors of the training count', async () => {
    const run = await runOf(plain);
    const summary = await summaryOf(plain);
    expect(run.regression).toMatchObject({ target: 'price', delta: summary.delta, trainedDelta: summary.delta });
    expect(run.regression!.deviation).toBe(summary.delta);
    expect(run.verdict).toMatchObject({ source: 'summary', outcomes: { images: ROWS } });
    const absolute = run.regression!.absolute.filter(({ source }) => source === 'training');
    expect(absolute.map(({ value }) => value)).toEqual([summary.absoluteError, summary.verifiedAbsoluteError]);
    expect(run.errors.map(({ fraction }) => fraction)).toEqual([
      ...[summary.standardError, summary.pgdError, summary.verifiedError].filter((error) => error !== null),
    ]);
    expect(run.training.absoluteErrors.map(({ name, points }) => [name, points.length])).toEqual([
      ['test verified', 8],
      ['test standard', 8],
    ]);
    expect(run.missing.map(({ command }) => command)).toEqual([`cert eval ${plain}`]);
  });

  it('decides which evaluations count, and stands in the commands that are missing', async () => {
    const run = await runOf(evaluated, '--delta', '90');
    expect(run.verdict).toBeNull();
    expect(run.notes).toEqual([
      `${join(evaluated, 'eval', 'last-0.1-delta-40.jsonl')} is an evaluation at another tolerance (--delta 40) and was left out.`,
    ]);
    expect(run.missing.map(({ command }) => command)).toEqual([`cert eval ${evaluated} --delta 90`]);
    const { out } = await report(evaluated, '--delta', '90');
    expect(out).toMatch(/^No evaluation of this run at the tolerance 90 is known\./);
  });

  it('makes radii grow', async () => {
    const radii = async (delta: string) =>
      (await runOf(plain, '--delta', delta, '--limit', '4')).radii!.inputs.map(({ radius }) => radius);
    const [narrow, wide] = [await radii('100'), await radii('400')];
    narrow.forEach((radius, i) => void expect(wide[i]!).toBeGreaterThan(radius));
  });

  it.each([
    ['0', '--delta is 0.\nGive a number > 0 in the units of the label.'],
    ['wide', '--delta is "wide".\nGive a number >= 0.'],
  ])('%s is refused', async (delta, text) => {
    expect(await report(plain, '--delta', delta)).toMatchObject({ status: 1, err: `error: ${text}` });
  });
});

describe('runs of both kinds', () => {
  it('are refused in one report, and a tolerance is refused for classes', async () => {
    const classes = join(place, 'classes');
    expect(await train(classes)).toMatchObject({ status: 0 });
    for (const runs of [
      [plain, classes],
      [classes, plain],
    ]) {
      expect(await report(...runs)).toMatchObject({
        status: 1,
        err: `error: ${plain} is a regression and ${classes} a classifier: their errors, radii and losses cannot be compared.\nWrite a report for the regressions and another one for the classifiers.`,
      });
    }
    expect(await report(classes, '--delta', '3')).toMatchObject({
      ...{ status: 1, err: expect.stringContaining('--delta is 3, but digits has classes.') },
    });
  });

  it('regressions stand side by side with their tolerances', async () => {
    const out = join(place, 'both.html');
    expect(await report(plain, evaluated, '--out', out)).toMatchObject({ status: 0 });
    const page = await readFile(out, 'utf8');
    expect(page).toContain('<th scope="row">tolerance</th>');
    expect(page).toContain(
      'Fractions at different tolerances, and absolute errors in different units, cannot be compared.',
    );
    expect(page.match(/id="figure-values-\d"/g)).toHaveLength(2);
  });
});

it('has no verdict without its data, but the mean errors of the training', async () => {
  const run = join(place, 'without');
  await cp(plain, run, { recursive: true });
  const table = join(place, 'prices.csv');
  await rename(table, `${table}.away`);
  try {
    const { verdict, radii, gallery, regression } = await runOf(run);
    expect([verdict, radii, gallery, regression!.values]).toEqual([null, null, null, null]);
    expect(regression!.absolute.map(({ source }) => source)).toEqual(['training', 'training']);
    expect(await report(run)).toMatchObject({ status: 0 });
  } finally {
    await rename(`${table}.away`, table);
  }
});
