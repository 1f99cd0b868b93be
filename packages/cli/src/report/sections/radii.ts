import { radius, radiusInFull } from '../../show/quantities.js';
import type { Chart } from '../charts/chart.js';
import { histogram } from '../charts/histogram.js';
import { lineChart, type Series } from '../charts/line-chart.js';
import { proportion } from '../evaluations.js';
import { html } from '../html.js';
import { judgementOf } from '../judgement.js';
import type { Radii, ReportRun } from '../report-run.js';
import { count, counted } from '../text.js';
import { type Drawn, figure } from './figure.js';

const percent = (fraction: number) => `${(100 * fraction).toFixed(1)} %`;
const short = (value: number) => String(Number(value.toPrecision(3)));

/** Places on the horizontal axis, at most: each needs an interval. */
const PLACES = 160;

/** Certified accuracy over the radius, in shared axes, and how the radii of each run are distributed. */
export function radiiSection(runs: readonly ReportRun[]): Drawn {
  const known = runs.flatMap((run) => (run.radii === null ? [] : [{ run, radii: run.radii }]));
  const [first] = known;
  if (first === undefined) {
    const section = html`<section id="radii" aria-labelledby="radii-title"><h2 id="radii-title">Certified radii</h2><p>No radii were computed.</p></section>`;
    return { section, charts: [] };
  }
  const { words, regression } = first.run;
  const [share, proved, robust] =
    regression === null
      ? ['Certified accuracy', 'that is proved to be classified correctly', 'robust accuracy itself']
      : ['Certified share', `whose prediction is proved to be ${rightOf(known.map(({ run }) => run))}`, 'share itself'];
  const least = Math.min(...known.map(({ radii }) => radii.inputs.length));
  const epsilons = [...new Set(known.map(({ run }) => run.epsilon))];
  const end = Math.max(
    ...known.flatMap(({ run, radii }) => [1.05 * run.epsilon, ...radii.inputs.map((each) => each.radius)]),
  );
  const accuracy = lineChart({
    ...{ id: 'accuracy', title: `${share} over epsilon`, group: 'accuracy', steps: 'step-before' },
    caption: `Fraction of ${counted(least, `test ${words.one}`, `test ${words.many}`)} ${proved} up to each radius, with exact 95 % intervals. The ${robust} is at least as high.`,
    series: known.map(({ run, radii }) => accuracyOf(run.name, radii, run.epsilon)),
    x: { title: 'epsilon', name: 'epsilon', format: '~g', domain: [0, end || 1] },
    ...{ y: { title: share.toLowerCase(), format: '.0%', domain: [0, 1] }, text: percent },
    rules: epsilons.map((epsilon) => ({ x: epsilon, name: `epsilon ${radius(epsilon)}` })),
    textOfX: short,
  });
  const histograms = known.map(({ run, radii }, i) => histogramOf(run, radii, `radii-${i}`, known.length > 1));
  const charts = [accuracy, ...histograms];
  const section = html`<section id="radii" aria-labelledby="radii-title"><h2 id="radii-title">Certified radii</h2>
<p>${about(
    known.map(({ run }) => run),
    first.radii,
  )}</p>
${known.map(({ run, radii }) => html`<p>${known.length > 1 ? html`<b>${run.name}</b>: ` : null}${result(run, radii)}</p>`)}
<div class="charts">${charts.map(figure)}</div></section>`;
  return { section, charts };
}

/** What the radii are. */
const about = (runs: readonly ReportRun[], { inputs, methods, arithmetic, tolerance }: Radii): string => {
  const { words, regression } = runs[0]!;
  const proved = regression === null ? 'correct' : `to be ${rightOf(runs)}`;
  return `The certified radius is the largest radius for which the prediction was proved ${proved}, by ${methods.map((name) => name.toUpperCase()).join(' or ')} at the arithmetic level "${arithmetic}", found by bisection to ${100 * tolerance} %, on the first ${counted(inputs.length, `test ${words.one}`, `test ${words.many}`)}.`;
};

/** What is right about the predictions of runs, which may have different tolerances. */
const rightOf = (runs: readonly ReportRun[]): string => {
  const [right, ...others] = new Set(runs.map((run) => judgementOf(run).right));
  return others.length === 0 ? right! : 'off by less than the tolerance of each run';
};

/** What came out. */
function result(run: ReportRun, { inputs }: Radii): string {
  const { words, epsilon, regression } = run;
  const right =
    regression === null
      ? `correctly classified ${words.many}`
      : `${words.many} that are ${judgementOf(run).right} without perturbation`;
  const correct = inputs.filter((each) => each.correct);
  const radii = correct.map(({ radius }) => radius).sort((a, b) => b - a);
  // As many have at least this one.
  const median = radii[Math.ceil(radii.length / 2) - 1];
  const enough = radii.filter((each) => each >= epsilon).length;
  const half = median === undefined ? '' : ` Half of the ${right} have a radius of at least ${short(median)}.`;
  return `It is at least ${radiusInFull(epsilon)} for ${count(enough)} of ${counted(inputs.length, words.one, words.many)} (${percent(enough / inputs.length)}).${half}`;
}

/** The fraction with a radius of at least each place; a step ends where a radius does, so that no place claims too much. */
function accuracyOf(name: string, { inputs }: Radii, epsilon: number): Series {
  const radii = inputs.filter(({ correct }) => correct).map((each) => each.radius);
  const ends = [...new Set([...radii, epsilon])].filter((end) => end > 0).sort((a, b) => a - b);
  const every = Math.ceil(ends.length / PLACES);
  // The last one of all ends stays: beyond it nothing is certified.
  const places = [0, ...ends.filter((end, i) => end === epsilon || (ends.length - 1 - i) % every === 0)];
  const known = places.map((place) => {
    const { fraction, interval } = proportion(radii.filter((each) => each >= place).length, inputs.length);
    return { place, fraction, interval };
  });
  return {
    name,
    points: known.map(({ place, fraction }) => [place, fraction]),
    interval: known.map(({ place, interval }) => [place, interval[0], interval[1]]),
  };
}

function histogramOf(run: ReportRun, { inputs }: Radii, id: string, several: boolean): Chart {
  const { name, words, epsilon } = run;
  const judgement = judgementOf(run);
  const wrong = inputs.filter(({ correct }) => !correct).length;
  return histogram({
    ...{ id, title: `Certified radii${several ? ` of ${name}` : ''}` },
    caption: `How many ${words.many} have which certified radius; those below epsilon are not certified for it. ${
      wrong === 0
        ? `All ${words.many} are ${judgement.right} without perturbation.`
        : `${counted(wrong, words.one, words.many)} ${wrong === 1 ? 'is' : 'are'} ${judgement.wrong} without perturbation and not shown.`
    }`,
    values: inputs.filter(({ correct }) => correct).map((each) => each.radius),
    ...{
      xTitle: 'certified radius',
      yTitle: words.many,
      from: epsilon,
      fromName: `epsilon ${radius(epsilon)}`,
      text: short,
    },
  });
}
