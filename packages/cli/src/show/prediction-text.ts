import type { Arithmetic } from '@cert/bounds';
import type { ExampleWords } from '@cert/trainer/pipeline';
import type { Prediction } from '../predict/predict.js';
import { className } from './class-name.js';
import { formatTable } from './format-table.js';
import { painter } from './paint.js';
import { radius, radiusInFull } from './quantities.js';
import { type Look, tableFormat } from './table.js';
import { widthOf, wrapText } from './width.js';

/** What a proof at each arithmetic is about. */
export const CLAIMS: { readonly [level in Arithmetic]: string } = {
  deployed: 'of every float32 execution of the network (arithmetic deployed)',
  real: 'of the network over the real numbers (arithmetic real)',
  nearest: 'up to the rounding of float32 bounds (arithmetic nearest)',
};

/** How {@link predictionText} names things. */
export interface PredictionLook extends Look {
  readonly about: string;
  readonly classNames: readonly string[] | undefined;
  readonly methods: readonly string[];
  readonly arithmetic: Arithmetic;
  /** What examples are called. */
  readonly words: ExampleWords;
  /** What a radius means: of each feature, times a scale for each, in the set of the run, or a Euclidean length. */
  readonly reach: 'each' | 'scaled' | 'set' | 'l2';
}

/** A prediction for people: the class, the largest logits, and what is certified. */
export function predictionText(found: Prediction, look: PredictionLook): string {
  const paint = painter(look);
  const width = widthOf(look);
  const nameOf = (label: number) => className(label, look.classNames);
  const { prediction, label, certified } = found;
  if (prediction === null || certified === null) {
    return paint('bad', `${look.about}: no prediction, because a logit is NaN or infinite.`);
  }
  const correct = paint(prediction === label ? 'good' : 'bad', prediction === label ? 'correct' : 'wrong');
  const title = `${look.about}: ${nameOf(prediction)}`;
  const judged = label === null ? '' : `, ${correct}${prediction === label ? '' : `, the label is ${nameOf(label)}`}`;
  const top = formatTable(
    [
      ['class', 'logit', 'softmax'],
      ...found.top.map((each) => [
        each.name === null ? String(each.class) : nameOf(each.class),
        each.logit.toFixed(3),
        `${(100 * each.softmax).toFixed(2)} %`,
      ]),
    ],
    tableFormat(look),
  );
  return [
    `${paint('heading', title)}${judged}`,
    '',
    top,
    '',
    formatTable(certificateRows(found, nameOf(certified), look), { width, left: true }).replace(
      /verified by|not verified/,
      (text) => paint(text === 'not verified' ? 'warning' : 'good', text),
    ),
    '',
    ...wrapText(noteOf(found, nameOf(certified), look), width),
  ].join('\n');
}

function certificateRows(
  { epsilon, bound, radius: found, prediction, certified }: Prediction,
  name: string,
  { methods, reach }: PredictionLook,
): string[][] {
  const other = prediction === certified ? [] : [['certified class', name]];
  const lower = bound?.lower ?? null;
  const margin = lower === null ? 'none' : `at least ${roundedDown(lower)}`;
  const verdict = bound?.verifiedBy ? `verified by ${bound.verifiedBy}` : `not verified by ${methods.join(', ')}`;
  const { radius: largest, verifiedBy } = found ?? { radius: 0, verifiedBy: null };
  return [
    ...other,
    [`margin at epsilon ${radius(epsilon)}`, `${margin}, ${verdict}`],
    [
      'certified radius',
      largest === 0 ? '0' : `${reach === 'each' ? radiusText(largest) : roundedDown(largest)}, by ${verifiedBy}`,
    ],
  ];
}

/** A claim must not grow by rounding. */
export const roundedDown = (x: number): string => rounded(x, Math.floor);

/** An upper bound must not shrink by rounding. */
export const roundedUp = (x: number): string => rounded(x, Math.ceil);

function rounded(x: number, round: (x: number) => number): string {
  const scale = 10 ** (3 - Math.floor(Math.log10(Math.abs(x) || 1)));
  return String(Number((round(x * scale) / scale).toPrecision(4)));
}

/** What perturbations a radius is about, in words. */
export const perturbationText = ({ words, reach }: Pick<PredictionLook, 'words' | 'reach'>): string =>
  ({
    each: `of at most the certified radius in each ${words.value}`,
    scaled: `of each ${words.value} by at most the certified radius times its scale`,
    set: 'in the perturbation set of the run, at the certified radius,',
    l2: 'of a Euclidean length of at most the certified radius',
  })[reach];

/** A radius, and the same in units of 1/255. */
function radiusText(found: number): string {
  const whole = radiusInFull(found);
  return whole.includes('/') ? whole : `${roundedDown(found)} (${roundedDown(255 * found)}/255)`;
}

function noteOf(
  { radius: found, prediction, certified }: Prediction,
  name: string,
  { arithmetic, methods, words, reach }: PredictionLook,
): string {
  const claim = CLAIMS[arithmetic];
  if (certified !== prediction)
    return `The network does not classify the ${words.one} as ${name}, so there is nothing to certify.`;
  if (found === null || found.radius === 0) {
    return `${methods.join(', ')} verified ${name} at no radius above 0. The true radius may still be larger than 0.`;
  }
  const beyond =
    found.unverified === null ? 'The ball contains every input in the data range.' : 'The true radius may be larger.';
  return `No perturbation ${perturbationText({ words, reach })} changes the prediction ${claim}. ${beyond}`;
}
