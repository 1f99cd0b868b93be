import { number } from '@cert/trainer/pipeline';
import type { CertifiedRadius } from '@cert/verify';
import type { Prediction } from '../predict/predict.js';
import type { ValuePrediction } from '../predict/predict-value.js';
import { className } from './class-name.js';
import { formatTable } from './format-table.js';
import { CLAIMS, type PredictionLook, perturbationText, roundedDown, roundedUp } from './prediction-text.js';
import { radius } from './quantities.js';
import { tableFormat } from './table.js';
import type { ValueLook } from './value-text.js';
import { widthOf, wrapText } from './width.js';

const largest = (found: CertifiedRadius | null): string => (found?.radius ? roundedDown(found.radius) : '0');

/** Predictions of classes as a table, a line per row, numbered from 0. */
export function predictionsTable(
  found: readonly Prediction[],
  { classNames, ...look }: Omit<PredictionLook, 'about'>,
): string {
  const rows = found.map(({ prediction, certified, top, bound, radius: reached }, i) => [
    String(i),
    prediction === null ? 'not finite' : className(prediction, classNames),
    top[0] === undefined ? '' : `${(100 * top[0].softmax).toFixed(2)} %`,
    ...(found.some((each) => each.certified !== each.prediction)
      ? [certified === null ? '' : className(certified, classNames)]
      : []),
    bound?.lower == null ? 'none' : roundedDown(bound.lower),
    bound?.verifiedBy ?? 'not verified',
    largest(reached),
  ]);
  const other = found.some(({ certified, prediction }) => certified !== prediction) ? ['certified class'] : [];
  const margin = `margin at ${radius(found[0]?.epsilon ?? 0)}`;
  const head = ['row', 'prediction', 'softmax', ...other, margin, 'verified by', 'certified radius'];
  const claim = `changes the prediction ${CLAIMS[look.arithmetic]}`;
  return [formatTable([head, ...rows], tableFormat(look)), '', ...noteOf(found, claim, look)].join('\n');
}

/** Predictions of numbers as a table, a line per row, numbered from 0. */
export function valuesTable(found: readonly ValuePrediction[], { target, ...look }: Omit<ValueLook, 'about'>): string {
  const { epsilon = 0, delta = 0 } = found[0] ?? {};
  const rows = found.map(({ prediction, deviation, verifiedBy, radius: reached }, i) => [
    String(i),
    prediction === null ? 'not finite' : number(prediction),
    deviation === null ? 'not bounded' : roundedUp(deviation),
    verifiedBy ?? 'not verified',
    largest(reached),
  ]);
  const head = ['row', target, `moves at ${radius(epsilon)} by at most`, `< ${number(delta)} by`, 'certified radius'];
  const claim = `moves the prediction ${CLAIMS[look.arithmetic]} by ${number(delta)} or more`;
  return [formatTable([head, ...rows], tableFormat(look)), '', ...noteOf(found, claim, look)].join('\n');
}

/** What a radius means, in lines. Nothing is proved about a row whose radius is 0, not even at the row itself. */
function noteOf(
  found: readonly { readonly radius: CertifiedRadius | null }[],
  claim: string,
  look: Omit<PredictionLook, 'about' | 'classNames'>,
): string[] {
  const { one } = look.words;
  const some = found.some(({ radius: reached }) => reached !== null && reached.radius > 0);
  const text = some
    ? `For each ${one} with a radius above 0, no perturbation ${perturbationText(look)} ${claim}.`
    : `No ${one} has a certified radius above 0.`;
  return wrapText(text, widthOf(look));
}
