import type { RuleTable } from '@cert/bounds';
import type { Model, Perturbation, Tensor } from '@cert/core';
import type { Device, DeviceArray, OnDevice } from '@cert/jit';
import type { Weights } from '../verifier.js';

/**
 * An attack: searches the perturbation set of an image for an adversarial example. A plain value, for `certify({ attacks })`. Claims are
 * not trusted: a point counts only if the natural pass, run again on the point clipped into the set, misclassifies it.
 */
export interface Attack {
  /** Name in results. */
  readonly name: string;
  /** Independent runs per image, from different starts or towards different classes. An image is done after the first success. */
  readonly runs: (model: Model) => number;
  /** Points per run, >= 1. */
  readonly points: number;
  /** Prepares the attack for a model on a device; the caller disposes the result. Nothing is computed before the first step. */
  on(setting: AttackSetting): Attacker;
}

/** Setting of an attack. */
export interface AttackSetting {
  /** The compute device. */
  readonly device: Device;
  /** The graph. */
  readonly model: Model;
  /** Parameters and running statistics on the device; the caller keeps ownership. */
  readonly weights: OnDevice<Weights>;
  /** The set of perturbed images around each image. */
  readonly perturbation: Perturbation;
  /** The plain forward pass; default: the rules of the built-in ops. */
  readonly natural?: RuleTable<Tensor> | undefined;
  /** Number of runs at the same time: points moved per step. */
  readonly places: number;
}

/** An image under attack. */
export interface AttackImage {
  /** Index of the image in the test set, from 0. Random draws depend on the index and the seed of the attack, not on the batch. */
  readonly index: number;
  /** Row-major [...inputShape], in the data range. */
  readonly pixels: Float32Array;
  /** Label, from 0. */
  readonly label: number;
}

/** An attack prepared for a model on a device: a batch of points, one per run. */
export interface Attacker {
  /** Starts a run in a place and ends the previous run there. */
  begin(place: number, image: AttackImage, run: number): void;
  /**
   * Moves every run to its next point.
   *
   * @returns the margin at each point: logit of the label minus the largest other logit, -infinity if a logit is not finite, +infinity for
   * a point outside the set. Values of places without a run are undefined.
   */
  step(): Promise<readonly number[]>;
  /** The points [places, ...inputShape] of the last step. The attacker owns them, until the next step. */
  visited(): DeviceArray;
  /** Frees arrays and compiled functions. */
  dispose(): Promise<void>;
}
