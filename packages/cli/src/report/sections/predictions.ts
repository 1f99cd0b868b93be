import { radiusInFull } from '../../show/quantities.js';
import { valueChart } from '../charts/value-chart.js';
import type { Ending } from '../gallery.js';
import { type Html, html } from '../html.js';
import { judgementOf } from '../judgement.js';
import type { RegressionPart, Values } from '../regression.js';
import type { ReportRun } from '../report-run.js';
import { counted, notBelow } from '../text.js';
import { type Drawn, figure } from './figure.js';
import { perRun } from './headings.js';

/** The predictions of regressions over their labels, each with its interval. */
export function predictionsSection(runs: readonly ReportRun[]): Drawn {
  const several = runs.length > 1;
  const drawn = runs.map((run, i) => {
    const { regression } = run;
    const { values } = regression ?? { values: null };
    if (regression === null || values === null) return { run, chart: null };
    return { run, chart: chartOf(run, regression, values, `values-${i}`, several) };
  });
  const section = html`<section id="predictions" aria-labelledby="predictions-title">
<h2 id="predictions-title">Predictions</h2>
${perRun(
  drawn.map(({ run, chart }) => ({ name: run.name, run, chart })),
  ({ run, chart }) =>
    chart === null ? html`<p>No predictions were computed.</p>` : html`${key(endingNames(run))}${figure(chart)}`,
)}
</section>`;
  return { section, charts: drawn.flatMap(({ chart }) => (chart === null ? [] : [chart])) };
}

const endingNames = (run: ReportRun): { readonly [ending in Ending]: string } => ({
  ...{ certified: 'certified', undecided: 'undecided', broken: 'broken' },
  misclassified: judgementOf(run).wrong,
});

const key = (names: ReturnType<typeof endingNames>): Html =>
  html`<p class="key">${Object.entries(names).map(
    ([ending, name]) =>
      html`<span class="entry"><span class="swatch ${ending}" aria-hidden="true"></span>${name}</span> `,
  )}</p>`;

function chartOf(run: ReportRun, { target, delta }: RegressionPart, values: Values, id: string, several: boolean) {
  const { words, epsilon, gallery } = run;
  const methods = values.methods.map((name) => name.toUpperCase()).join(' and ');
  const unknown = values.rows.filter(({ prediction }) => prediction === null).length;
  const missing =
    unknown === 0 ? '' : ` ${counted(unknown, words.one, words.many)} without a finite prediction cannot be shown.`;
  const outcome = gallery?.evaluated
    ? 'Colours are outcomes of the evaluation, which may have proved more than these bounds.'
    : 'Undecided is also what no attack was run on.';
  return valueChart({
    ...{ id, values: values.rows, target, row: words.one, delta: delta ?? 0, endings: endingNames(run) },
    title: `Predicted ${target} over the label${several ? `, ${run.name}` : ''}`,
    caption: `Predictions of ${counted(values.rows.length, `test ${words.one}`, `test ${words.many}`)}. Each bar is where the prediction provably stays within epsilon = ${radiusInFull(epsilon)}, by ${methods} at the arithmetic level "${values.arithmetic}". ${delta === null ? '' : `The band is the tolerance, ${notBelow(delta)} to both sides of the label. `}${outcome}${missing}`,
  });
}
