import type { RuleTable } from '@cert/bounds';
import { CertError, type HostParams, type Model, type Perturbation, type Tensor, UNIT_BALL } from '@cert/core';
import { imagesOf, type Split } from '@cert/datasets';
import { type Device, disposeTree, putParams } from '@cert/jit';
import type { Attack } from '../attack/attack.js';
import { pgd } from '../attack/pgd.js';
import { certify } from '../images/certify.js';
import type { CertifyOptions, IndexedImage } from '../images/certify-options.js';
import type { Verifier } from '../verifier.js';
import { inputHash } from './input-hash.js';
import { type Kept, keptAttack, keptVerifier } from './kept.js';
import { type EvaluationSettings, perturbationSetting, type StoredResult } from './settings.js';
import { VERSION } from './version.js';

/** What {@link createEvaluator} evaluates with. */
export interface EvaluatorOptions {
  /** The compute device. */
  readonly device: Device;
  /** The graph. */
  readonly model: Model;
  /** Its parameters. */
  readonly params: HostParams;
  /** Its running statistics. */
  readonly stats: HostParams;
  /** The images. */
  readonly split: Split;
  /** The set around each image, whose radius `settings.epsilon` replaces; default: an l-infinity ball, clipped to [0, 1]. */
  readonly perturbation?: Perturbation;
  /** The plain forward pass; default: the rules of the built-in ops. */
  readonly natural?: RuleTable<Tensor>;
  /** What is computed: the first line of the file. */
  readonly settings: EvaluationSettings;
  /** The methods that the settings name, in the same order. */
  readonly verifiers: readonly Verifier[];
  /** The attacks that the settings name one by one, in the same order; default none, for PGD or no attack. */
  readonly attacks?: readonly Attack[] | undefined;
  /** Images in a batch of what is cheap and of the attack. */
  readonly batchSize: number;
}

/** Evaluates images of one split with one network, any images in any number of calls, one call at a time. */
export interface Evaluator {
  /** What `certify` gets for every image. */
  readonly setting: Pick<CertifyOptions, 'device' | 'model' | 'weights' | 'perturbation' | 'natural' | 'arithmetic'>;
  /**
   * Evaluates images. The result of an image does not depend on the images that it is evaluated with.
   *
   * @param indices of the images in the split
   * @returns the result of each image as its line has it, in the order in which images are settled
   * @throws CertError as `certify` does
   */
  evaluate(
    indices: Iterable<number>,
    options?: Pick<CertifyOptions, 'signal' | 'onTime' | 'onEvidence'>,
  ): AsyncGenerator<StoredResult>;
  /** Frees the weights and the compiled functions. */
  dispose(): Promise<void>;
}

/**
 * Prepares the evaluation of images. What is compiled for one call of `evaluate` serves the next ones.
 *
 * @throws CertError `bad-argument` if the settings do not match the given attacks
 */
export function createEvaluator(options: EvaluatorOptions): Evaluator {
  checkAttacks(options);
  const { device, model, split, settings } = options;
  const weights = { params: putParams(device, options.params), stats: putParams(device, options.stats) };
  const kept: Kept = [];
  const { attack } = settings;
  const attacks = attack === null || 'attacks' in attack ? options.attacks : [pgd(attack)];
  const setting = {
    ...{ device, model, weights, perturbation: setOf(options), natural: options.natural },
    arithmetic: settings.arithmetic,
  };
  const whole = {
    ...{ ...setting, complete: settings.complete, attack: null },
    verifiers: options.verifiers.map((verifier) => keptVerifier(verifier, kept)),
    attacks: attacks?.map((each) => keptAttack(each, kept)),
    // The same for every call and shard: float32 sums depend on it in their last digits.
    batchSize: Math.max(1, Math.min(options.batchSize, split.count)),
  };
  return {
    setting,
    async *evaluate(indices, own = {}) {
      for await (const result of certify({ ...whole, ...own, images: imagesAt(split, indices) })) {
        yield { ...result, input: inputHash(split, result.index) };
      }
    },
    async dispose() {
      disposeTree(weights);
      for (const each of kept.splice(0)) await each.dispose();
    },
  };
}

/** The settings of an evaluation as its file has them: with the perturbation set, where it is not the usual one, and this version. */
export function evaluationSettings({
  settings,
  perturbation = UNIT_BALL,
}: Pick<EvaluatorOptions, 'settings' | 'perturbation'>): EvaluationSettings {
  const set = perturbationSetting(perturbation);
  return { ...settings, ...(set !== undefined && { perturbation: set }), version: VERSION };
}

/** The set at the radius of the evaluation. */
export const setOf = ({
  perturbation = UNIT_BALL,
  settings: { epsilon },
}: Pick<EvaluatorOptions, 'settings' | 'perturbation'>): Perturbation => ({ ...perturbation, epsilon });

/** An image of a split. */
export function imageAt(split: Split, index: number): IndexedImage {
  const { images, labels } = imagesOf(split, [index]);
  return { index, label: labels[0]!, pixels: images };
}

function* imagesAt(split: Split, indices: Iterable<number>): Iterable<IndexedImage> {
  for (const index of indices) yield imageAt(split, index);
}

/** @throws CertError `bad-argument` when other attacks would be run than the settings say */
export function checkAttacks({
  settings: { attack },
  attacks = [],
}: Pick<EvaluatorOptions, 'settings' | 'attacks'>): void {
  const named = attack !== null && 'attacks' in attack ? attack.attacks : [];
  const given = attacks.map(({ name }) => name);
  if (JSON.stringify(named) === JSON.stringify(given)) return;
  throw new CertError(
    'bad-argument',
    `The settings of the evaluation name the attacks [${named.join(', ')}], but [${given.join(', ')}] were given.`,
    'Give settings.attack = { name, attacks: attacks.map(({ name }) => name), seed } with the attacks, in the same order.',
  );
}
