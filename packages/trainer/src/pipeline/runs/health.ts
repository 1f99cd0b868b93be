import type { Split } from '@cert/datasets';
import type { Evaluation } from '@cert/verify';
import { averageStartOf } from '../config/averaging.js';
import { PRESETS } from '../config/preset.js';
import { radiusText } from '../config/radius.js';
import type { RunConfig } from '../config/run-config.js';
import { exampleWords } from '../words.js';
import { percent } from './describe.js';
import type { Experiment } from './experiment.js';

/** A ramp of fewer steps is too short on any dataset. */
const FEWEST_STEPS = 100;

/** A ramp of a smaller share of the preset's epochs is too short. */
const SMALLEST_SHARE = 1 / 10;

type Settings = Pick<
  RunConfig,
  | 'preset'
  | 'epsilon'
  | 'epochs'
  | 'rampStart'
  | 'rampLength'
  | 'limit'
  | 'classWeights'
  | 'dataset'
  | 'patience'
  | 'average'
  | 'averageStart'
  | 'emaDecay'
>;
type Training = Pick<Experiment, 'plan' | 'stepsPerEpoch'>;

const count = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`;

/** Whether the last epochs train on bounds over the ball, so that the radius matters. */
const isCertified = ({ plan }: Training) => plan.objective(1).bounded;

/** What is too short about the ramp, for people; `undefined` for a ramp that is long enough, or none. */
function shortRamp(config: Settings, training: Training): string | undefined {
  const { preset, rampLength } = config;
  const epsilon = training.plan.targetEpsilon;
  const steps = rampLength * training.stepsPerEpoch;
  if (rampLength === 0 || epsilon === 0 || !isCertified(training)) return undefined;
  const known = PRESETS[preset];
  const usual = known === undefined ? 0 : known.settings(known.epochs).rampLength;
  if (steps >= FEWEST_STEPS && rampLength >= SMALLEST_SHARE * usual) return undefined;
  const beside = usual > rampLength ? `; the preset ${preset} uses ${count(usual, 'epoch')}` : '';
  return `the radius grows to ${radiusText(epsilon)} within ${count(steps, 'step')} (${count(rampLength, 'epoch')})${beside}`;
}

/** What helps where a ramp is too short. */
function longerRamp({ preset, limit, epochs }: Settings): string {
  const usual = PRESETS[preset]?.epochs ?? 0;
  return [
    ...(limit === null ? [] : ['raise --limit']),
    `raise --epochs${usual > epochs ? ` (the preset uses ${usual})` : ''}`,
    'lower --epsilon',
  ].join(', or ');
}

/**
 * That early stopping may end training before the average of the weights begins, for people; `undefined` where it cannot. The first epoch that
 * can be the best one is the first at the full radius.
 */
function lateAverage(config: Settings, { plan, stepsPerEpoch }: Training): string | undefined {
  const { patience, average, epochs } = config;
  if (patience === null || average === 'none') return undefined;
  const [start, each] = [averageStartOf(config), Array.from({ length: epochs }, (_, i) => i + 1)];
  const full = each.find((epoch) => plan.epsilon(epoch * stepsPerEpoch - 1) >= plan.targetEpsilon);
  if (full === undefined || full + patience >= start) return undefined;
  return `Training may stop before the average of the weights begins: --patience ${patience} can end it after epoch ${full + patience}, and the average begins in epoch ${start}. Raise --patience, or lower --average-start.`;
}

/** What a schedule will not do, before the first step. For people: each with what to do about it. */
export function scheduleWarnings(config: Settings, training: Training): readonly string[] {
  const { epsilon, epochs, rampStart, rampLength } = config;
  const { plan, stepsPerEpoch } = training;
  const short = shortRamp(config, training);
  const late = lateAverage(config, training);
  const reached = plan.epsilon(epochs * stepsPerEpoch - 1) >= plan.targetEpsilon;
  return [
    ...(short === undefined
      ? []
      : [
          `The ramp is short: ${short}. The bounds may explode, or the network may predict a single class. To avoid this, ${longerRamp(config)}.`,
        ]),
    ...(reached || !isCertified(training)
      ? []
      : [
          `The radius ${radiusText(epsilon)} is reached only after the last step: the ramp begins in epoch ${rampStart} and lasts ${count(rampLength, 'epoch')} of ${epochs}. No epoch can become the best one. Raise --epochs, or lower --ramp-length.`,
        ]),
    ...(late === undefined ? [] : [late]),
  ];
}

/** Standard deviations that an error rate may be below that of guessing and still count as guessing. */
const DEVIATIONS = 3;

/** Largest share of the error of guessing that they may make up: on a few examples, even no error at all is within three deviations. */
const LARGEST_SHARE = 0.5;

/**
 * What is wrong with a network that has learned nothing: it errs as often as a guess of the most frequent class (which class weights may
 * cause on purpose), or, where bounds were trained, no image is verified. For people: with the likely reason and what to try. `undefined`
 * for a network that has learned something.
 */
export function verdict(
  config: Settings,
  training: Training,
  { standardError, verifiedError, images }: Pick<Evaluation, 'standardError' | 'verifiedError' | 'images'>,
  { labels, classes, shape }: Pick<Split, 'labels' | 'classes' | 'shape'>,
): string | undefined {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label]!++;
  const guessing = 1 - Math.max(...counts) / labels.length;
  const deviation = Math.sqrt((guessing * (1 - guessing)) / images);
  const guesses =
    config.classWeights === 'none' &&
    guessing > 0 &&
    standardError >= guessing - Math.min(DEVIATIONS * deviation, LARGEST_SHARE * guessing);
  if (!guesses && !(verifiedError === 1 && isCertified(training))) return undefined;
  const problem = guesses
    ? `The network is no better than guessing: its standard error is ${percent(standardError)}, and always predicting the most frequent class gives ${percent(guessing)}.`
    : `No test ${exampleWords(config.dataset, shape).one} is verified.`;
  const short = shortRamp(config, training);
  const [reason, cure] =
    short !== undefined
      ? [short, longerRamp(config)]
      : isCertified(training)
        ? [
            'the radius is too large for this network, or the radius grows too fast',
            'lower --epsilon, raise --epochs, or lower --learning-rate; cert diagnose relu shows where bounds are loose',
          ]
        : ['too few steps or too high a learning rate', 'raise --epochs or --limit, or lower --learning-rate'];
  return `${problem} Likely reason: ${reason}. Try this: ${cure}.`;
}
