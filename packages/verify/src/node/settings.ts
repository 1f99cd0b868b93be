/** What determines the results of an evaluation, and which results it can have. */
import type { Arithmetic } from '@cert/bounds';
import { describeValue, type L2Perturbation, type LinfPerturbation, type Perturbation, UNIT_BALL } from '@cert/core';
import { ARITHMETICS, type ImageResult, isBroken, isImageResult } from '../images/result.js';
import { CATEGORY_ATTACK } from '../images/variants.js';
import type { Shard } from './shard.js';

/** An attack by projected gradient descent. */
export interface PgdSettings {
  /** Steps of one run. */
  readonly steps: number;
  /** Runs from different random points of the ball. */
  readonly restarts: number;
  /** Of the random starts. */
  readonly seed: number;
}

/** Attacks that are run one after the other. */
export interface AttackSequence {
  /** What they are called together, `autoattack` for example. */
  readonly name: string;
  /** The names of the attacks, in the order in which they are run. */
  readonly attacks: readonly string[];
  /** Of all their random draws. */
  readonly seed: number;
}

/** Settings that determine the results of an evaluation: the first line of its file. Plain data. */
export interface EvaluationSettings {
  /** SHA-256 of the checkpoint file. */
  readonly checkpoint: string;
  /** Whose test images are evaluated. */
  readonly dataset: string;
  /** The radius, in the units of the images. */
  readonly epsilon: number;
  /** The perturbation set without its radius; missing for the l-infinity ball in [0, 1]. */
  readonly perturbation?: Omit<LinfPerturbation, 'epsilon'> | Omit<L2Perturbation, 'epsilon'>;
  /**
   * For a regression: the tolerance, in the units of the label. The inputs are rows followed by their labels, and the class 0 is a prediction
   * within the tolerance (`withTolerance` of `@cert/core`).
   */
  readonly delta?: number;
  /** The methods in the order in which they were tried. */
  readonly methods: readonly string[];
  /** What the lower margins hold for; default nearest. */
  readonly arithmetic?: Arithmetic;
  /** The attack; null for none. */
  readonly attack: PgdSettings | AttackSequence | null;
  /** Whether every method is run on every image, and the attack on every image that is classified correctly. */
  readonly complete: boolean;
  /** Seconds for each image, of methods that search; missing where there is none. */
  readonly timeout?: number;
  /** Version of `@cert/verify` that computed the results, set by what evaluates; missing in files of older versions. */
  readonly version?: string;
  /** The part of the images that is evaluated, the number of all images, and a hash of all images and labels; missing for all. */
  readonly shard?: Shard & { readonly images: number; readonly data: string };
}

/** Returns a perturbation set as {@link EvaluationSettings} have it; undefined for the usual one, the l-infinity ball in [0, 1]. */
export function perturbationSetting(perturbation: Perturbation): EvaluationSettings['perturbation'] {
  const { epsilon: _, ...set } = perturbation;
  const { epsilon: __, ...usual } = UNIT_BALL;
  return JSON.stringify(set) === JSON.stringify(usual) ? undefined : set;
}

const isText = (value: unknown): value is string => typeof value === 'string';

/** Whether the values of a first line have the types of settings. */
export function isSettings(value: {
  readonly [name: string]: unknown;
}): value is { readonly [name: string]: unknown } & EvaluationSettings {
  const { checkpoint, dataset, epsilon, delta, methods, arithmetic = 'nearest', attack, complete, shard } = value;
  return (
    [checkpoint, dataset, value.version ?? ''].every(isText) &&
    typeof epsilon === 'number' &&
    epsilon >= 0 &&
    Number.isFinite(epsilon) &&
    (delta === undefined || (typeof delta === 'number' && delta > 0 && Number.isFinite(delta))) &&
    Array.isArray(methods) &&
    methods.every(isText) &&
    ARITHMETICS.some((level) => level === arithmetic) &&
    typeof complete === 'boolean' &&
    isAttackOf(attack) &&
    isShardOf(shard)
  );
}

/** Whether a value is the shard of settings. */
function isShardOf(shard: unknown): boolean {
  if (shard === undefined) return true;
  const { index, of, images, data } = (shard ?? {}) as { readonly [name: string]: unknown };
  const [own = 0, parts = 0, all = 0] = [index, of, images].map((n) =>
    Number.isSafeInteger(n) ? (n as number) : undefined,
  );
  return own >= 1 && own <= parts && all >= 1 && isText(data);
}

/** Whether a value is the attack of settings. */
function isAttackOf(attack: unknown): attack is EvaluationSettings['attack'] {
  if (attack === null) return true;
  const { attacks, seed, steps, restarts } = (attack ?? {}) as { readonly [name: string]: unknown };
  const numbers = attacks === undefined ? [steps, restarts, seed] : [seed];
  return numbers.every(Number.isFinite) && (attacks === undefined || (Array.isArray(attacks) && attacks.every(isText)));
}

/** The first setting in which the header of a file differs from others, in words; undefined for none. */
export function differingSetting(settings: EvaluationSettings, found: object): string | undefined {
  // Files from before there was a choice.
  const whole = (one: object): { readonly [name: string]: unknown } => ({ arithmetic: 'nearest', ...one });
  const [asked, begun] = [whole(settings), whole(found)];
  for (const name of new Set([...Object.keys(asked), ...Object.keys(begun)])) {
    const [now, before] = [asked[name], begun[name]];
    if (JSON.stringify(before) === JSON.stringify(now)) continue;
    if (name === 'version') return `${versionText(before)}, not ${versionText(now)}`;
    return name === 'checkpoint'
      ? 'another checkpoint: training has continued since, or the file belongs to another run'
      : `${name} ${describeValue(before)}, not ${now === undefined ? 'the default' : JSON.stringify(now)}`;
  }
  return undefined;
}

/** A version in a first line, for people. */
export const versionText = (version: unknown): string =>
  version === undefined ? 'an older version of cert, which did not record its number' : `cert ${version}`;

/** A result as a line holds it. */
export type StoredResult = ImageResult & {
  /** Hash of the input's values (`inputHash`); missing in files of older versions. */
  readonly input?: string;
};

/** Whether a value is the result of an image that an evaluation with these settings can have given, its parts without contradiction. */
export const isResultOf = (value: unknown, settings: EvaluationSettings): value is StoredResult =>
  isImageResult(value, settings.methods, settings.arithmetic) && fitsSettings(value, settings) && hasInput(value);

const hasInput = (result: ImageResult & { readonly input?: unknown }): result is StoredResult =>
  result.input === undefined || (typeof result.input === 'string' && /^[0-9a-f]{16}$/.test(result.input));

/** Whether a result can come from an evaluation with these settings: nothing was run that they leave out, and all that is always run. */
function fitsSettings(image: ImageResult, settings: EvaluationSettings): boolean {
  const { attack, lower } = image;
  const { perturbation } = settings;
  const changes =
    perturbation?.kind === 'linf' && Array.isArray(perturbation.categories) && perturbation.categories.length > 0;
  const finders = [...settings.methods, ...(changes ? [CATEGORY_ATTACK] : [])];
  const found = attack?.by !== undefined && finders.includes(attack.by);
  return (
    (settings.attack !== null || attack === null || found) &&
    (attack?.by === undefined || found || namesOf(settings.attack).includes(attack.by)) &&
    // A search is left out where a misclassified point is known.
    (!settings.complete || isBroken(image) || settings.methods.every((method) => Object.hasOwn(lower, method)))
  );
}

/** The names of the attacks that are run. */
const namesOf = (attack: EvaluationSettings['attack']): readonly string[] => {
  if (attack === null) return [];
  return 'attacks' in attack ? attack.attacks : ['pgd'];
};
