import { type Confusion, commonMistakes } from '../confusion.js';
import { type Html, html } from '../html.js';
import type { ReportRun } from '../report-run.js';
import { className, count, counted } from '../text.js';
import { perRun } from './headings.js';

/** Classes of a matrix that is shown whole, at most. */
const MATRIX = 20;

/** Mistakes that are listed where there are more classes. */
const LISTED = 20;

/** What the section looks at. */
type Shown = Pick<ReportRun, 'name' | 'words' | 'classNames' | 'confusion'>;

/** The clean predictions by label. */
export const confusionSection = (
  runs: readonly Shown[],
): Html => html`<section id="confusion" aria-labelledby="confusion-title">
<h2 id="confusion-title">Confusion matrix</h2>
${perRun(runs, (run) => (run.confusion === null ? html`<p>No predictions are known.</p>` : confusionOf(run, run.confusion)))}
</section>`;

function confusionOf({ words, classNames }: Shown, confusion: Confusion): Html {
  const { images, classes, notFinite } = confusion;
  const unknown =
    notFinite === 0
      ? null
      : html`<p>${counted(notFinite, words.one, words.many)} had a logit that is not finite, and count as misclassified.</p>`;
  const about = `Predictions for ${counted(images, `test ${words.one}`, `test ${words.many}`)} without perturbation.`;
  return html`${classes <= MATRIX ? matrix(confusion, classNames, about) : mistakes(confusion, classNames, about)}${unknown}`;
}

function matrix({ counts }: Confusion, names: readonly string[] | null, about: string): Html {
  const cell = (row: readonly number[], label: number, prediction: number) => {
    const n = row[prediction]!;
    const total = row.reduce((a, b) => a + b, 0);
    const share = total === 0 ? 0 : n / total;
    // Mistakes are few: their colours are stronger.
    const strength = label === prediction ? 60 * share : n === 0 ? 0 : Math.min(85, 12 + 300 * share);
    const kind = label === prediction ? 'right' : 'wrong';
    return html`<td class="n ${kind}" style="--strength:${strength.toFixed(0)}%">${n === 0 ? '' : count(n)}</td>`;
  };
  return html`<p class="about">${about} Rows: label; columns: prediction.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix"><table class="matrix">
<thead><tr><th scope="col">label</th>${counts.map((_, i) => html`<th scope="col" class="n">${className(i, names)}</th>`)}<th scope="col" class="n wide-only">error</th></tr></thead>
<tbody>${counts.map((row, label) => {
    const total = row.reduce((a, b) => a + b, 0);
    const error = total === 0 ? '' : `${((100 * (total - row[label]!)) / total).toFixed(1)} %`;
    return html`<tr><th scope="row">${className(label, names)}</th>${row.map((_, prediction) => cell(row, label, prediction))}<td class="n wide-only">${error}</td></tr>`;
  })}</tbody></table></div>`;
}

function mistakes(confusion: Confusion, names: readonly string[] | null, about: string): Html {
  const listed = commonMistakes(confusion, LISTED);
  if (listed.length === 0) return html`<p>${about} All are correct.</p>`;
  return html`<p class="about">${about} The ${listed.length} most frequent mistakes, of ${confusion.classes} classes.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Most frequent mistakes"><table>
<thead><tr><th scope="col">label</th><th scope="col">prediction</th><th scope="col" class="n">how often</th></tr></thead>
<tbody>${listed.map(
    ({ label, prediction, count: n }) =>
      html`<tr><th scope="row">${className(label, names)}</th><td>${className(prediction, names)}</td><td class="n">${count(n)}</td></tr>`,
  )}</tbody></table></div>`;
}
