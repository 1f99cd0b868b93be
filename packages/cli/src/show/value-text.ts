import { number } from '@cert/trainer/pipeline';
import type { ValuePrediction } from '../predict/predict-value.js';
import { formatTable } from './format-table.js';
import { painter } from './paint.js';
import { CLAIMS, type PredictionLook, perturbationText, roundedDown, roundedUp } from './prediction-text.js';
import { radius } from './quantities.js';
import { widthOf, wrapText } from './width.js';

/** How {@link valueText} names things. */
export interface ValueLook extends Omit<PredictionLook, 'classNames'> {
  /** Name of the number that is predicted. */
  readonly target: string;
}

/** The prediction of a regression for people: the number, and how far it provably moves at most. */
export function valueText(found: ValuePrediction, look: ValueLook): string {
  const { prediction, label, epsilon, delta, deviation, verifiedBy, radius: largest } = found;
  const { about, target, methods, arithmetic } = look;
  const paint = painter(look);
  const width = widthOf(look);
  if (prediction === null) return paint('bad', `${about}: no prediction, because the output is NaN or infinite.`);
  const judged = label === null ? '' : `, the label is ${number(label)}`;
  const by = verifiedBy
    ? paint('good', `verified by ${verifiedBy}`)
    : paint('warning', `not verified by ${methods.join(', ')}`);
  const rows = [
    [
      `deviation at epsilon ${radius(epsilon)}`,
      deviation === null ? 'not bounded' : `at most ${roundedUp(deviation)}; less than ${number(delta)} ${by}`,
    ],
    [
      `certified radius for ${number(delta)}`,
      largest === null || largest.radius === 0 ? '0' : `${roundedDown(largest.radius)}, by ${largest.verifiedBy}`,
    ],
  ];
  const note =
    largest === null || largest.radius === 0
      ? `${methods.join(', ')} verified at no radius above 0 that the prediction moves by less than ${number(delta)}. The true radius may still be larger than 0.`
      : `No perturbation ${perturbationText(look)} moves the prediction ${CLAIMS[arithmetic]} by ${number(delta)} or more.`;
  return [
    `${paint('heading', `${about}: ${target} ${number(prediction)}`)}${judged}`,
    '',
    formatTable(rows, { width, left: true }),
    '',
    ...wrapText(note, width),
  ].join('\n');
}
