import type { ExampleWords } from '@cert/trainer/pipeline';
import { radiusInFull } from '../../show/quantities.js';
import { type Ending, type Gallery, type GalleryEntry, SHOWN_VALUES } from '../gallery.js';
import { type Html, html } from '../html.js';
import { judgementOf } from '../judgement.js';
import type { ReportRun } from '../report-run.js';
import { className, count, notBelow } from '../text.js';
import { perRun, type Subheading } from './headings.js';

const short = (value: number) => String(Number(value.toPrecision(3)));

/** Numbers of a regression: labels and predictions may be large and differ little. */
const precise = (value: number) => String(Number(value.toPrecision(6)));

/** What each ending is called, and what it means. */
const ENDINGS: {
  readonly [ending in Ending]: { readonly name: string; readonly about: (words: ExampleWords) => string };
} = {
  certified: {
    name: 'Certified',
    about: ({ one }) => `Proved: no perturbation up to epsilon changes the prediction of the ${one}, which is correct.`,
  },
  undecided: {
    name: 'Undecided',
    about: () => 'Classified correctly, but neither a proof nor an adversarial example was found.',
  },
  broken: {
    name: 'Broken',
    about: ({ one }) =>
      `Classified correctly, but a perturbation up to epsilon changes the prediction: the ${one}, the adversarial example, and their difference.`,
  },
  misclassified: { name: 'Misclassified', about: () => 'Misclassified without any perturbation.' },
};

/** The same for a regression. @param judgement of the run */
const OF_NUMBERS = ({ right, wrong }: ReturnType<typeof judgementOf>): typeof ENDINGS => ({
  certified: {
    name: 'Certified',
    about: () => `Proved: the prediction is ${right} after every perturbation up to epsilon.`,
  },
  undecided: {
    name: 'Undecided',
    about: () => `The prediction is ${right}, but neither a proof nor an adversarial example was found.`,
  },
  broken: {
    name: 'Broken',
    about: () => `The prediction is ${right}, but a perturbation up to epsilon makes it ${wrong}.`,
  },
  misclassified: { name: `${wrong[0]!.toUpperCase()}${wrong.slice(1)}`, about: () => 'Without any perturbation.' },
});

/** Inputs of each ending. */
export const gallerySection = (
  runs: readonly ReportRun[],
): Html => html`<section id="gallery" aria-labelledby="gallery-title">
<h2 id="gallery-title">Gallery</h2>
${perRun(runs, (run, sub) => (run.gallery === null ? html`<p>No ${run.words.many} to show.</p>` : galleryOf(run, run.gallery, sub)))}
</section>`;

const galleryOf = (
  run: ReportRun,
  { epsilon, evaluated, endings }: Gallery,
  sub: Subheading,
): Html => html`<p>The first test ${run.words.many} of each outcome at epsilon = ${radiusInFull(epsilon)}, in the order of the test split${
  evaluated
    ? ''
    : html`; undecided and broken are those among the ${run.words.many} with a computed radius, under the attack of the training`
}.${drawn(endings) ? ' In a difference, white or gray is no change, and full colour a change of epsilon.' : ''}</p>
${endings.map(({ ending, total, entries }) => {
  const { name, about } = (run.regression === null ? ENDINGS : OF_NUMBERS(judgementOf(run)))[ending];
  return html`${sub(html`<span class="swatch ${ending}" aria-hidden="true"></span>${name} (${entries.length === total ? count(total) : `${count(entries.length)} of ${count(total)}`})`)}
${entries.length === 0 ? html`<p>None.</p>` : html`<p>${about(run.words)}</p>`}
${entries.length === 0 ? null : drawn([{ entries }]) ? tiles(run, entries, ending) : valueTable(run, entries, ending)}`;
})}`;

const drawn = (endings: readonly { readonly entries: readonly GalleryEntry[] }[]): boolean =>
  endings.some(({ entries }) => entries.some(({ picture }) => picture !== null));

const tiles = ({ classNames, words }: ReportRun, entries: readonly GalleryEntry[], ending: Ending): Html =>
  html`<ul class="tiles">${entries.map((entry) => {
    const { index, label, prediction, picture, adversarial } = entry;
    const [is, taken] = [className(label, classNames), className(prediction, classNames)];
    return html`<li class="tile ${ending}"><div class="pictures">${
      picture === null
        ? null
        : html`<img src="${picture}" alt="Test ${words.one} ${index}, label ${is}, predicted ${taken}">`
    }${
      adversarial === null || adversarial.picture === null || adversarial.difference === null
        ? null
        : html`<img src="${adversarial.picture}" alt="Adversarial example of test ${words.one} ${index}, predicted ${className(adversarial.prediction, classNames)}"><img src="${adversarial.difference}" alt="Difference of test ${words.one} ${index} and its adversarial example, at most ${short(adversarial.distance)}">`
    }</div>
<dl class="tile-facts">${facts(entry, { classNames, regression: null }, ending).map(([name, value]) => html`<div class="fact"><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></li>`;
  })}</ul>`;

/** What is known of an input, for people. */
function facts(
  entry: GalleryEntry,
  { classNames: names, regression }: Pick<ReportRun, 'classNames' | 'regression'>,
  ending: Ending,
): readonly (readonly [string, string])[] {
  const { index, radius, verifiedBy, lower, adversarial } = entry;
  const { label, prediction, becomes } = judged(entry, names);
  return [
    ['index', String(index)],
    ['label', label],
    ['predicted', prediction],
    ...(verifiedBy === null || ending !== 'certified' ? [] : [['proved by', verifiedBy.toUpperCase()] as const]),
    ...(lower === null || ending === 'misclassified' ? [] : [boundFact(lower, regression)]),
    ...(radius === null || ending === 'misclassified' ? [] : [['certified radius', short(radius)] as const]),
    ...(adversarial === null
      ? ending === 'broken'
        ? [['adversarial example', 'not found again'] as const]
        : []
      : [
          ['becomes', becomes] as const,
          ['largest change', short(adversarial.distance)] as const,
          ['found by', adversarial.by] as const,
        ]),
  ];
}

/** Label and predictions of an input: classes, or numbers of a regression. */
function judged({ label, prediction, adversarial, output }: GalleryEntry, names: readonly string[] | null) {
  if (output === null) {
    const becomes = adversarial === null ? '' : className(adversarial.prediction, names);
    return { label: className(label, names), prediction: className(prediction, names), becomes };
  }
  const text = (value: number | null | undefined) => (value == null ? 'not a finite number' : precise(value));
  return { label: text(output.target), prediction: text(output.prediction), becomes: text(adversarial?.output) };
}

/** What a lower margin says: of a regression, whose margins are 1 - |f - y| / delta, how far the prediction is off at most. */
const boundFact = (lower: number, regression: ReportRun['regression']): readonly [string, string] =>
  regression?.delta == null
    ? ['margin at least', short(lower)]
    : ['off by at most', notBelow(regression.delta * (1 - lower))];

/** Inputs that are no images: their values. */
function valueTable(run: ReportRun, entries: readonly GalleryEntry[], ending: Ending): Html {
  const { inputShape, featureNames, words } = run;
  const size = inputShape.reduce((a, b) => a * b, 1);
  const shown = Math.min(size, SHOWN_VALUES);
  const columns = entries.flatMap((entry) => {
    const { index, values, adversarial } = entry;
    const own = { head: `${words.one} ${index}`, values: values ?? [], changed: null as readonly number[] | null };
    if (adversarial?.values == null) return [own];
    return [own, { head: `adversarial, ${index}`, values: adversarial.values, changed: values }];
  });
  const kind = featureNames === null ? 'n' : '';
  const factRows = entries.map((entry) => facts(entry, run, ending));
  const value = (number: number | undefined, before: number | undefined): Html => {
    const changed = number !== undefined && before !== undefined && number !== before;
    const text = number === undefined ? '' : short(number);
    return changed
      ? html`<td class="n changed">${text} <small>(${number - before > 0 ? '+' : ''}${short(number - before)})</small></td>`
      : html`<td class="n">${text}</td>`;
  };
  return html`<ul class="facts">${factRows.map((row) => html`<li>${row.map(([name, text]) => `${name} ${text}`).join(', ')}</li>`)}</ul>
<p class="about">${shown < size ? `The first ${shown} of ${size} values.` : 'All values.'}${columns.some(({ changed }) => changed !== null) ? ' In brackets, the change.' : ''}</p>
<div class="scroll" tabindex="0" role="region" aria-label="Values"><table>
<thead><tr><th scope="col" class="${kind}">${words.value}</th>${columns.map(({ head }) => html`<th scope="col" class="n">${head}</th>`)}</tr></thead>
<tbody>${Array.from({ length: shown }, (_, i) => html`<tr><th scope="row" class="${kind}">${featureNames?.[i] ?? i}</th>${columns.map(({ values, changed }) => value(values[i], changed?.[i]))}</tr>`)}</tbody>
</table></div>`;
}
