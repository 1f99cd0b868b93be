/** The view of one digit network: verdict, certified radius, bounds, margins, attack. */
import { byId, element, partOf } from '../element.js';
import { radiusText, valueText } from '../numbers.js';
import { type AttackResult, attackAt, EFFORT, weakest } from './attack.js';
import { type IntervalRow, intervalChart } from './interval-chart.js';
import { type Analysis, METHODS, type MethodBounds, smallest } from './network.js';
import { showChange, showDigit } from './pictures.js';
import { type KnownRadii, radiusRuler, rulerText } from './radius-ruler.js';
import { type Verdict, verdictOf } from './verdict.js';

/** What a card shows. */
interface CardState {
  readonly pixels: Float32Array;
  /** The true class; null if nobody knows. */
  readonly label: number | null;
  readonly analysis: Analysis;
  /** By method; null while it is searched for. */
  readonly radii: readonly (number | null)[];
  readonly attacks: readonly AttackResult[];
}

/** A card on the page. */
export interface Card {
  /** Shows a state and returns the verdict; null empties the card. */
  show(state: CardState | null): Verdict | null;
}

/** Adds a card to the page. @param most the largest radius of the page */
export function createCard(parent: HTMLElement, title: string, about: string, most: number): Card {
  const copy = byId('card', HTMLTemplateElement).content.cloneNode(true);
  if (!(copy instanceof DocumentFragment)) throw new Error('The template of the card is empty.');
  const card = partOf(copy, 'title', HTMLElement).parentElement!;
  parent.append(copy);
  const part = (name: string) => partOf(card, name, HTMLElement);
  const canvas = (name: string) => partOf(card, name, HTMLCanvasElement);
  part('title').textContent = title;
  part('about').textContent = about;

  const show = (state: CardState): Verdict => {
    const { analysis, attacks, radii } = state;
    const known: KnownRadii = {
      certified: METHODS.map(({ name }, i) => ({ method: name, radius: radii[i] ?? null })),
      attacked: weakest(attacks),
    };
    const verdict = verdictOf(analysis, attacks, known.certified);
    part('verdict').dataset.kind = verdict.kind;
    part('mark').textContent = verdict.mark;
    part('heading').textContent = verdict.heading;
    part('text').textContent = verdict.text;
    part('prediction').textContent = predictionText(state);

    part('radius-text').textContent = rulerText(known);
    part('radius').innerHTML = radiusRuler(known, analysis.epsilon, most);
    showBounds(state);
    showAttack(state, verdict);
    return verdict;
  };

  function showBounds({ analysis, attacks }: CardState): void {
    const { logits, prediction } = analysis;
    if (prediction === null) {
      for (const name of ['logits', 'margins', 'numbers']) part(name).replaceChildren();
      return;
    }
    const adversarial = attackAt(attacks, analysis.epsilon)?.found?.logits;
    part('logits').innerHTML = intervalChart(logitRows(analysis, adversarial), {
      ...{ most: axisFor(logits), zero: false },
      description: `Bounds of the ten logits at radius ${radiusText(analysis.epsilon)}. The numbers are in the table below.`,
    });
    const margins = marginRows(analysis, prediction, adversarial);
    part('margins').innerHTML = intervalChart(margins, {
      ...{ most: axisFor(margins.map(({ value }) => value)), zero: true },
      description: `Lower bounds of the nine margins of class ${prediction}. The numbers are in the table below.`,
    });
    part('numbers').replaceChildren(...logits.map((_, j) => numbersRow(analysis, prediction, j)));
  }

  function showAttack({ pixels, analysis, attacks }: CardState, { kind }: Verdict): void {
    const result = attackAt(attacks, analysis.epsilon);
    part('attack').hidden = result === undefined;
    if (result === undefined) return;
    const { epsilon, found } = result;
    part('pair').hidden = found === null;
    const effort = `PGD (${EFFORT.restarts} runs of ${EFFORT.steps} steps)`;
    const proof = kind === 'verified' ? 'The bounds prove that there is none.' : 'This proves nothing.';
    part('attack-text').textContent =
      found === null
        ? `${effort} found no adversarial example at ε = ${radiusText(epsilon)}. ${proof}`
        : `${effort} found an adversarial example at ε = ${radiusText(epsilon)}: ${analysis.prediction} becomes ${found.prediction ?? 'no class'}.`;
    if (found === null) return;
    showDigit(canvas('adversarial'), found.pixels);
    showChange(canvas('change'), pixels, found.pixels);
    part('adversarial-text').textContent = `read as ${found.prediction ?? 'no class'}`;
  }

  return {
    show(state) {
      card.hidden = state === null;
      return state === null ? null : show(state);
    },
  };
}

function predictionText({ analysis: { logits, prediction, bounds }, label }: CardState): string {
  if (prediction === null) return '';
  const least = bounds.map(({ margins }) => smallest(margins)).filter((margin) => margin !== null);
  const best = least.length === 0 ? null : Math.max(...least);
  const truth = label === null ? '' : label === prediction ? ', which is right' : `, which is wrong: it is a ${label}`;
  return `Prediction: ${prediction}${truth}. Logit ${valueText(logits[prediction])}, smallest margin over the ball at least ${valueText(best)}.`;
}

const logitRows = (
  { logits, prediction, bounds }: Analysis,
  adversarial: readonly number[] | undefined,
): IntervalRow[] =>
  logits.map((value, j) => ({
    ...{ name: j === prediction ? `▸ ${j}` : String(j), strong: j === prediction, value },
    attacked: adversarial?.[j],
    intervals: bounds.map(({ lower, upper }) => ({ lower: lower[j]!, upper: upper[j]! })),
  }));

function marginRows(
  { logits, bounds }: Analysis,
  own: number,
  adversarial: readonly number[] | undefined,
): IntervalRow[] {
  return othersOf(logits, own).map((j, row) => {
    const value = logits[own]! - logits[j]!;
    return {
      ...{ name: `${own} − ${j}`, strong: false, value },
      attacked: adversarial === undefined ? undefined : adversarial[own]! - adversarial[j]!,
      intervals: bounds.map(({ margins }) => ({ lower: margins[row]!, upper: value })),
      note: noteOf(bounds.map(({ margins }) => margins[row]!)),
    };
  });
}

/** What the lower bounds of a margin say, by all methods together. */
function noteOf(margins: readonly number[]): string {
  const finite = margins.filter(Number.isFinite);
  if (finite.length === 0) return '? none';
  return Math.max(...finite) > 0 ? '✓ > 0' : '? ≤ 0';
}

const othersOf = (logits: readonly number[], own: number) => logits.flatMap((_, j) => (j === own ? [] : [j]));

/** A round number somewhat larger than all values: the axis stays while the radius moves. */
function axisFor(values: readonly number[]): number {
  const most = 1.5 * Math.max(1, ...values.map(Math.abs));
  const power = 10 ** Math.floor(Math.log10(most));
  return power * ([1, 1.5, 2, 3, 4, 5, 6, 8].find((factor) => factor * power >= most) ?? 10);
}

function numbersRow({ logits, bounds }: Analysis, own: number, j: number): HTMLTableRowElement {
  const row = othersOf(logits, own).indexOf(j);
  const interval = ({ lower, upper }: MethodBounds) => `${valueText(lower[j])} to ${valueText(upper[j])}`;
  const margin = ({ margins }: MethodBounds) => (row < 0 ? '' : valueText(margins[row]));
  const cells = [valueText(logits[j]), ...bounds.map(interval), ...bounds.map(margin)];
  return element('tr', {}, element('th', { scope: 'row' }, String(j)), ...cells.map((text) => element('td', {}, text)));
}
