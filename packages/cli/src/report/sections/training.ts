import { radius } from '../../show/quantities.js';
import type { Chart } from '../charts/chart.js';
import { lineChart, type Series, type Shade } from '../charts/line-chart.js';
import { neuronChart, STATE_COLORS } from '../charts/neuron-chart.js';
import { type Html, html } from '../html.js';
import { judgementOf } from '../judgement.js';
import type { ReportRun } from '../report-run.js';
import { counted } from '../text.js';
import type { Phase } from '../training.js';
import { type Drawn, figure } from './figure.js';

const percent = (fraction: number) => `${(100 * fraction).toFixed(2)} %`;
const short = (value: number) => String(Number(value.toPrecision(4)));

/** How the runs were trained: curves in shared axes, and the neurons of each. */
export function trainingSection(runs: readonly ReportRun[]): Drawn {
  const trained = runs.filter(({ training }) => training.epochs > 0);
  if (trained.length === 0) {
    const section = html`<section id="training" aria-labelledby="training-title"><h2 id="training-title">Training</h2><p>No epoch is finished, so there are no curves.</p></section>`;
    return { section, charts: [] };
  }
  const curves = curveCharts(trained);
  const neurons = trained.flatMap((run, i) =>
    run.training.neurons.length === 0
      ? []
      : [{ run, charts: run.training.neurons.map((layer, k) => neuronChart(`neurons-${i}-${k}`, layer, 'epoch')) }],
  );
  const section = html`<section id="training" aria-labelledby="training-title"><h2 id="training-title">Training</h2>
<p>${phaseText(trained)}</p>${phaseKey(trained)}
<div class="charts">${curves.map(figure)}</div>
${neurons.map(
  ({ run, charts }) => html`<h3>Neurons${trained.length > 1 ? ` of ${run.name}` : ''}</h3>
<p>Shares of ReLU neurons by their bounds over the ball of each epoch's radius, on ${counted(run.training.neuronInputs, `${run.training.monitored} ${run.words.one}`, `${run.training.monitored} ${run.words.many}`)}. Bounds become loose at unstable neurons.</p>
<p class="key">${['active', 'unstable', 'inactive'].map(
    (state, i) =>
      html`<span class="entry"><span class="swatch" style="--color:var(--series-${STATE_COLORS[i]!})" aria-hidden="true"></span>${state}</span> `,
  )}</p>
<div class="charts three">${charts.map(figure)}</div>`,
)}
</section>`;
  return { section, charts: [...curves, ...neurons.flatMap(({ charts }) => charts)] };
}

/** What the shades mean. */
function phaseKey(runs: readonly ReportRun[]): Html | null {
  const shades = samePhases(runs) ? (runs[0]?.training.phases ?? []) : [];
  if (shades.length === 0) return null;
  const names = { warmup: 'warmup before the ramp', ramp: 'ramp of the radius' };
  return html`<p class="key">${shades.map(
    ({ name }) =>
      html`<span class="entry"><span class="swatch" style="--color:var(--shade-${name})" aria-hidden="true"></span>${names[name]}</span> `,
  )}</p>`;
}

function phaseText(runs: readonly ReportRun[]): string {
  const [first] = runs;
  const phases = first?.training.phases ?? [];
  const ramp = phases.find(({ name }) => name === 'ramp');
  if (first === undefined || ramp === undefined || !samePhases(runs)) return 'All curves are over finished epochs.';
  const warm = phases.some(({ name }) => name === 'warmup');
  return `The ramp, in which the radius rises from 0 to ${radius(first.config.epsilon)}, lasts from epoch ${ramp.from + 1} to epoch ${ramp.to}${warm ? '; regularizers are on during the warmup, until the end of the ramp' : ''}. Errors of an epoch are measured at the radius of that epoch.`;
}

/** What is shaded of the epochs that are done: the ramp, and the warmup before it. */
function shadesOf(phases: readonly Phase[], last: number): readonly Shade[] {
  const ramp = phases.find(({ name }) => name === 'ramp');
  const shades = phases.map(({ name, from, to }) => ({
    ...{ from, to: Math.min(last, name === 'warmup' ? (ramp?.from ?? to) : to) },
    color: `var(--shade-${name})`,
  }));
  return shades.filter(({ from, to }) => to > from);
}

const samePhases = (runs: readonly ReportRun[]) =>
  new Set(runs.map(({ training }) => JSON.stringify(training.phases))).size === 1;

/** Rates that training keeps for a while, to label them; where there are more, the axis has round ones. */
function ratesOf(runs: readonly ReportRun[]): { readonly values?: readonly number[] } {
  const values = new Set(
    runs.flatMap(({ training }) => training.learningRate.map(([, rate]) => Number(rate.toPrecision(6)))),
  );
  return values.size <= 5 ? { values: [...values] } : {};
}

function curveCharts(runs: readonly ReportRun[]): readonly Chart[] {
  const [first] = runs;
  if (first === undefined) return [];
  const single = runs.length === 1;
  const { many } = first.words;
  const last = Math.max(...runs.map(({ training }) => training.epochs));
  const shared = {
    ...{ group: 'epoch', x: { title: 'epoch', name: 'epoch', format: 'd', domain: [0, Math.max(1, last)] as const } },
    shades: samePhases(runs) ? shadesOf(first.training.phases, last) : [],
  };
  const inShort = { textOfX: short };
  const of = (pick: (run: ReportRun) => Series['points'] | undefined): readonly Series[] =>
    runs.flatMap((run) => {
      const points = pick(run) ?? [];
      return points.length === 0 ? [] : [{ name: run.name, points }];
    });
  const curve = (name: string, kind: 'losses' | 'errors' | 'absoluteErrors') => (run: ReportRun) =>
    run.training[kind].find((each) => each.name === name)?.points;
  const error = (name: 'verified' | 'standard') => (run: ReportRun) =>
    curve(`${run.training.monitored} ${name}`, 'errors')(run);
  const absoluteError = (name: 'verified' | 'standard') => (run: ReportRun) =>
    curve(`${run.training.monitored} ${name}`, 'absoluteErrors')(run);
  const monitored = [...new Set(runs.map(({ training }) => training.monitored))].sort().join(' or ');
  const errors = { title: 'error', format: '.0%' };
  const { regression } = first;
  const criterion = 'squared error, in squared standard deviations of the label';
  const absolute = { title: 'absolute error', format: '~g' };
  const tolerance = regression === null ? '' : ` An error is a prediction that is ${trainedWrong(runs)}.`;
  const charts = [
    lineChart({
      ...{ id: 'loss', title: 'Training loss', y: { title: 'loss', format: '~g' }, text: short, ...shared },
      caption: single
        ? `Mean loss over each epoch: the total, with regularizers, and its natural and robust ${regression === null ? 'cross-entropy' : criterion}.`
        : 'Mean total loss over each epoch, with regularizers.',
      series: single ? first.training.losses : of(curve('total', 'losses')),
    }),
    ...(single
      ? [
          lineChart({
            ...{ id: 'errors', title: 'Errors', y: errors, text: percent, ...shared, series: first.training.errors },
            caption: `Standard and verified error of the training batches and of the ${monitored} ${many}, by the bounds of the training.${tolerance}`,
          }),
          lineChart({
            ...{ id: 'absolute', title: 'Absolute errors', y: absolute, text: short, ...shared },
            series: first.training.absoluteErrors,
            caption: `Mean absolute error of the ${monitored} ${many}, and the mean of the largest error that the bounds of the training allow, at the radius of each epoch.`,
          }),
        ]
      : [
          lineChart({
            ...{ id: 'verified', title: 'Verified error', y: errors, text: percent, ...shared },
            ...{
              series: of(error('verified')),
              caption: `Verified error of the ${monitored} ${many} at the radius of each epoch.${tolerance}`,
            },
          }),
          lineChart({
            ...{ id: 'standard', title: 'Standard error', y: errors, text: percent, ...shared },
            ...{ series: of(error('standard')), caption: `Standard error of the ${monitored} ${many}.${tolerance}` },
          }),
          lineChart({
            ...{ id: 'absolute', title: 'Mean absolute error', y: absolute, text: short, ...shared },
            series: of(absoluteError('standard')),
            caption: `Mean absolute error of the ${monitored} ${many}, in the units of the label.`,
          }),
          lineChart({
            ...{ id: 'absolute-verified', title: 'Verified absolute error', y: absolute, text: short, ...shared },
            series: of(absoluteError('verified')),
            caption: `Mean of the largest error that the bounds of the training allow for the ${monitored} ${many}, at the radius of each epoch.`,
          }),
        ]),
    lineChart({
      ...{ id: 'epsilon', title: 'Radius', y: { title: 'epsilon', format: '~g' }, text: short, ...shared, ...inShort },
      ...{
        series: of(({ training }) => training.epsilon),
        caption: 'Radius epsilon of the perturbations in training.',
      },
    }),
    lineChart({
      ...{
        id: 'rate',
        title: 'Learning rate',
        y: { title: 'learning rate', format: '~g', log: true, ...ratesOf(runs) },
      },
      ...{ text: short, steps: 'step-before' },
      ...{ ...shared, ...inShort, series: of(({ training }) => training.learningRate) },
      caption: 'Learning rate, on a logarithmic scale.',
    }),
  ];
  return charts.filter(({ cursor }) => (cursor?.places.length ?? 0) > 0);
}

/** What counts as an error in the training of regressions, which may have different tolerances. */
function trainedWrong(runs: readonly ReportRun[]): string {
  const [wrong, ...others] = new Set(
    runs.map(({ regression }) => judgementOf({ regression: { delta: regression?.trainedDelta ?? null } }).wrong),
  );
  return others.length === 0 ? wrong! : 'off by the tolerance of the run or more';
}
