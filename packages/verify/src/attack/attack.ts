import type { RuleTable } from '@cert/bounds';
import type { DataRange, Model, Tensor } from '@cert/core';
import type { Device, DeviceArray, OnDevice } from '@cert/jit';
import type { Weights } from '../verifier.js';

/**
 * An attack: searches the ball of an image for a misclassified point. A plain value; `certify({ attacks })` takes any. What it claims is not
 * trusted: a point counts once the natural pass, run again on the point clipped into the ball, misclassifies it.
 */
export interface Attack {
  /** The name that results give it. */
  readonly name: string;
  /** Independent runs for each image: from different starts, or towards different classes. An image is left after its first success. */
  readonly runs: (model: Model) => number;
  /** Points that a run visits, >= 1. */
  readonly points: number;
  /** Prepares it for a model on a device; the result is the caller's to dispose. Nothing is computed before its first step. */
  on(setting: AttackSetting): Attacker;
}

/** What is attacked, and where. */
export interface AttackSetting {
  /** The compute device. */
  readonly device: Device;
  /** The graph. */
  readonly model: Model;
  /** Its parameters and running statistics on that device; they stay the caller's. */
  readonly weights: OnDevice<Weights>;
  /** The radius, in the units of the images. */
  readonly epsilon: number;
  /** The range that perturbed images are clipped to; default [0, 1]. */
  readonly range?: DataRange | null | undefined;
  /** The plain forward pass; default that of the built-in ops. */
  readonly natural?: RuleTable<Tensor> | undefined;
  /** Points that move in one step: runs that take place at the same time. */
  readonly places: number;
}

/** An image under attack. */
export interface AttackImage {
  /** Where the image stands in the test set, from 0. Random draws depend on this and on the seed of the attack, not on the batch. */
  readonly index: number;
  /** Row-major [...inputShape], in the data range. */
  readonly pixels: Float32Array;
  /** Its class, from 0. */
  readonly label: number;
}

/** An attack that is prepared for a model on a device: a batch of points, each of a run of its own. */
export interface Attacker {
  /** Starts a run in a place; the run that was there ends. */
  begin(place: number, image: AttackImage, run: number): void;
  /**
   * Visits the next point of every run.
   *
   * @returns the margin at the point of each place: logit of the label minus the largest other one, -infinity where a logit is not finite,
   * +infinity for a point outside the ball. Places without a run have any value.
   */
  step(): Promise<readonly number[]>;
  /** The points [places, ...inputShape] that the last step visited. They stay the attacker's, until its next step. */
  visited(): DeviceArray;
  /** Frees arrays and compiled functions. */
  dispose(): Promise<void>;
}
