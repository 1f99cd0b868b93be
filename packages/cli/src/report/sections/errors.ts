import { number } from '@cert/trainer/pipeline';
import { radius, radiusInFull } from '../../show/quantities.js';
import { type AbsoluteError, valueText } from '../absolute-errors.js';
import type { ErrorRow } from '../error-rows.js';
import { type Html, html } from '../html.js';
import { judgementOf } from '../judgement.js';
import type { ReportRun } from '../report-run.js';
import { count, notBelow } from '../text.js';
import { perRun } from './headings.js';

const percent = (fraction: number) => `${(100 * fraction).toFixed(2)} %`;

/** Where errors are from, for people. */
const SOURCES: { readonly [source in AbsoluteError['source']]: string } = {
  evaluation: 'cert eval',
  report: 'this report',
  training: 'end of training',
  'last epoch': 'last epoch',
  'last epoch (validation)': 'last epoch, on validation inputs',
};

/** A table of all errors; of several runs, first side by side. */
export const errorsSection = (
  runs: readonly ReportRun[],
): Html => html`<section id="errors" aria-labelledby="errors-title">
<h2 id="errors-title">Errors</h2>
${runs.length > 1 ? sideBySide(runs) : null}
${perRun(runs, (run) => html`${errorTable(run)}${absoluteTable(run)}${otherEvaluations(run)}`)}
</section>`;

function errorTable(run: ReportRun): Html {
  const { errors, epsilon, words, regression } = run;
  if (errors.length === 0)
    return html`<p>No errors${regression?.delta == null ? '' : ` at the tolerance ${notBelow(regression.delta)}`} are known yet.</p>`;
  // A scale that all intervals of the table fit on.
  const most = Math.max(...errors.map(({ fraction, interval }) => interval?.[1] ?? fraction));
  const end = Math.min(1, Math.max(0.01, 1.1 * most));
  const what =
    regression === null
      ? 'Errors'
      : `Fractions of test ${words.many} whose prediction of "${regression.target}" is ${judgementOf(run).wrong},`;
  return html`<p class="about">${what} at epsilon = ${radiusInFull(epsilon)} with exact 95 % confidence intervals (Clopper-Pearson). Lower is better.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Errors"><table class="errors">
<thead><tr><th scope="col">error</th><th scope="col">from</th><th scope="col" class="n">value</th><th scope="col" class="n">95 % interval</th><th scope="col" class="n wide-only">${words.many}</th><th scope="col" class="wide-only">0 to ${percent(end)}</th></tr></thead>
<tbody>${errors.map(
    (row) =>
      html`<tr><th scope="row" class="error-name">${row.name}</th><td class="source">${SOURCES[row.source]}</td><td class="n">${percent(row.fraction)}</td><td class="n">${intervalText(row)}</td><td class="n wide-only">${row.count === null || row.images === null ? '' : `${count(row.count)} of ${count(row.images)}`}</td><td class="wide-only">${whisker(row, end)}</td></tr>`,
  )}</tbody></table></div>`;
}

/** Absolute errors of a regression, in the units of its label. */
function absoluteTable({ regression, words, epsilon }: ReportRun): Html | null {
  if (regression === null || regression.absolute.length === 0) return null;
  const { absolute, target, deviation } = regression;
  const spread =
    deviation === null
      ? ''
      : ` For comparison: "${target}" has a standard deviation of ${number(deviation)} in the training ${words.many}.`;
  return html`<p class="about">Absolute errors of "${target}", in its units. The verified absolute error is the mean of the largest error that bounds allow within epsilon = ${radiusInFull(epsilon)}.${spread}</p>
<div class="scroll" tabindex="0" role="region" aria-label="Absolute errors"><table>
<thead><tr><th scope="col">error</th><th scope="col">from</th><th scope="col" class="n">value</th><th scope="col" class="n">${words.many}</th></tr></thead>
<tbody>${absolute.map(
    (row) =>
      html`<tr><th scope="row" class="error-name">${row.name}</th><td class="source">${SOURCES[row.source]}</td><td class="n">${valueText(row)}</td><td class="n">${row.rows === null ? '' : count(row.rows)}</td></tr>`,
  )}</tbody></table></div>`;
}

const intervalText = ({ interval }: Pick<ErrorRow, 'interval'>): string =>
  interval === null ? 'not known' : `${(100 * interval[0]).toFixed(2)} to ${percent(interval[1])}`;

/** A point and its interval on a scale from 0. */
function whisker({ kind, fraction, interval }: ErrorRow, end: number): Html {
  const at = (value: number) => `${((100 * value) / end).toFixed(2)}%`;
  const [low, high] = interval ?? [fraction, fraction];
  return html`<span class="whisker ${kind}" aria-hidden="true"><i style="left:${at(low)};width:${at(high - low)}"></i><b style="left:${at(fraction)}"></b></span>`;
}

/** Evaluations beside the one that is reported first. */
function otherEvaluations({ evaluations, words, regression }: ReportRun): Html | null {
  if (evaluations.length < 2) return null;
  return html`<details><summary>${evaluations.length - 1} more evaluation${evaluations.length > 2 ? 's' : ''} of this checkpoint</summary>
<div class="scroll" tabindex="0" role="region" aria-label="More evaluations"><table>
<thead><tr><th scope="col">epsilon</th><th scope="col">arithmetic</th><th scope="col">methods</th><th scope="col" class="n">${words.many}</th><th scope="col" class="n">${regression === null ? 'proved correct' : 'proved within the tolerance'}</th><th scope="col" class="n">95 % interval</th></tr></thead>
<tbody>${evaluations
    .slice(1)
    .map(
      ({ settings, arithmetic, counts, verified }) =>
        html`<tr><th scope="row">${radius(settings.epsilon)}</th><td>${arithmetic}</td><td>${settings.methods.join(', ')}</td><td class="n">${count(counts.images)}</td><td class="n">${percent(verified.fraction)}</td><td class="n">${intervalText(verified)}</td></tr>`,
    )}</tbody></table></div></details>`;
}

const KINDS = [
  ['standard', 'standard error'],
  ['attack', 'error under attack'],
  ['verified', 'verified error'],
] as const;

/** For each kind of error the strongest statement of each run: the last row of its first source. */
function sideBySide(runs: readonly ReportRun[]): Html {
  const cell = ({ errors }: ReportRun, kind: ErrorRow['kind']) => {
    const [first] = errors;
    const row = errors.findLast((each) => each.kind === kind && each.source === first?.source);
    if (row === undefined) return html`<td class="n">not known</td>`;
    return html`<td class="n">${percent(row.fraction)}<br><small>${intervalText(row)}<br>${SOURCES[row.source]}</small></td>`;
  };
  const regressions = runs.flatMap(({ regression }) => (regression === null ? [] : [regression]));
  return html`<p class="about">Errors of all runs, with exact 95 % intervals.${regressions.length === 0 ? '' : ' An error is a prediction that is off by the tolerance or more. Fractions at different tolerances, and absolute errors in different units, cannot be compared.'}</p>
<div class="scroll" tabindex="0" role="region" aria-label="Errors of all runs"><table class="compare">
<thead><tr><th scope="col">error</th>${runs.map(({ name }) => html`<th scope="col" class="n">${name}</th>`)}</tr></thead>
<tbody>${KINDS.map(([kind, name]) => html`<tr><th scope="row">${name}</th>${runs.map((run) => cell(run, kind))}</tr>`)}
${regressions.length === 0 ? null : regressionRows(regressions)}<tr><th scope="row">epsilon</th>${runs.map(({ epsilon }) => html`<td class="n">${radius(epsilon)}</td>`)}</tr>
<tr><th scope="row">state</th>${runs.map(({ state }) => html`<td class="n">${state}</td>`)}</tr></tbody></table></div>`;
}

/** What regressions are compared by beside fractions of wrong predictions. */
function regressionRows(regressions: readonly NonNullable<ReportRun['regression']>[]): Html {
  const cell = (absolute: readonly AbsoluteError[], kind: AbsoluteError['kind']) => {
    const row = absolute.find((each) => each.kind === kind);
    if (row === undefined) return html`<td class="n">not known</td>`;
    return html`<td class="n">${valueText(row)}<br><small>${SOURCES[row.source]}</small></td>`;
  };
  const absolute = [
    ['mean absolute error', 'standard'],
    ['verified absolute error', 'verified'],
  ] as const;
  return html`${absolute.map(([name, kind]) => html`<tr><th scope="row">${name}</th>${regressions.map((each) => cell(each.absolute, kind))}</tr>`)}
<tr><th scope="row">prediction of</th>${regressions.map(({ target }) => html`<td class="n">${target}</td>`)}</tr>
<tr><th scope="row">tolerance</th>${regressions.map(({ delta }) => html`<td class="n">${delta === null ? 'not known' : notBelow(delta)}</td>`)}</tr>`;
}
