import { type Html, html } from '../html.js';
import { judgementOf } from '../judgement.js';
import type { ReportRun } from '../report-run.js';
import { count } from '../text.js';
import { noVerdict } from '../verdict.js';
import { perRun, type Subheading } from './headings.js';

/** The verdict of each run: sentences, and a bar of how its inputs ended. */
export const verdictSection = (
  runs: readonly ReportRun[],
): Html => html`<section id="verdict" aria-labelledby="verdict-title">
<h2 id="verdict-title">Verdict</h2>
${perRun(runs, verdictOf)}
</section>`;

const verdictOf = (run: ReportRun, sub: Subheading): Html => html`<div class="verdict">
${run.verdict === null ? html`<p class="lead">${noVerdict(run)}</p>` : sentences(run.verdict)}
${run.verdict === null ? null : bar(run.verdict, judgementOf(run).wrong)}
${missing(run, sub)}
</div>`;

function sentences({ sentences, source }: NonNullable<ReportRun['verdict']>): Html {
  const [first = '', ...rest] = sentences;
  return html`<p class="lead">${first}</p>
<p>${rest.join(' ')}</p>
${
  source === 'evaluation'
    ? null
    : html`<p>These numbers are from the evaluation at the end of training, which uses the bounds and the attack of the training.</p>`
}`;
}

/** Parts of the bar, with the class of their colour; what is wrong without perturbation is called as in the sentences. */
const PARTS = [
  ['verified', 'verified', 'certified'],
  ['undecided', 'undecided', 'undecided'],
  ['broken', 'broken by an attack', 'broken'],
  ['misclassified', '', 'misclassified'],
] as const;

function bar({ outcomes, arithmetic }: NonNullable<ReportRun['verdict']>, wrong: string): Html {
  const { images } = outcomes;
  const known = PARTS.flatMap(([field, name, color]) => {
    const n = outcomes[field];
    if (n === null) return [];
    const names = { verified: `${name} (${arithmetic})`, misclassified: `${wrong} without perturbation` };
    return [{ n, name: field === 'verified' || field === 'misclassified' ? names[field] : name, color }];
  });
  const rest = images - known.reduce((sum, { n }) => sum + n, 0);
  const parts = rest > 0 ? [...known, { n: rest, name: 'not proved, not attacked', color: 'undecided' }] : known;
  const percent = (n: number) => `${((100 * n) / images).toFixed(2)} %`;
  const about = parts.map(({ n, name }) => `${percent(n)} ${name}`).join(', ');
  return html`<div class="outcomes">
<div class="bar" role="img" aria-label="${about}">${parts
    .filter(({ n }) => n > 0)
    .map(({ n, color }) => html`<span class="part ${color}" style="flex-grow:${n}"></span>`)}</div>
<ul class="key">${parts.map(
    ({ n, name, color }) =>
      html`<li><span class="swatch ${color}" aria-hidden="true"></span>${name}: <b>${count(n)}</b> (${percent(n)})</li>`,
  )}</ul>
</div>`;
}

function missing({ missing, notes }: ReportRun, sub: Subheading): Html | null {
  if (missing.length + notes.length === 0) return null;
  return html`<aside class="missing" aria-label="What this report lacks">
${missing.length === 0 ? null : sub('What this report lacks')}
<ul>${missing.map(({ what, command }) => html`<li>${what}${command === null ? null : html` Add it with: <code>${command}</code>`}</li>`)}
${notes.map((note) => html`<li>${note}</li>`)}</ul>
</aside>`;
}
