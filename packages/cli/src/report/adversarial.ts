import { type Model, type Perturbation, perturbationEnds } from '@cert/core';
import type { Device, OnDevice } from '@cert/jit';
import type { Catalog } from '@cert/trainer/pipeline';
import type { Attack, PointCertifier, Weights } from '@cert/verify';
import { classify } from './certified-radii.js';

/** An input to attack. */
export interface AttackedInput {
  readonly index: number;
  readonly label: number;
  readonly pixels: Float32Array;
}

/** A point of the ball that the network misclassifies. */
export interface AdversarialExample {
  readonly values: Float32Array;
  /** What the network takes it for; null if a logit is not finite. */
  readonly prediction: number | null;
  /** The largest change of one value. */
  readonly distance: number;
  /** Name of the attack. */
  readonly by: string;
}

/** What {@link findAdversarial} attacks. */
export interface AdversarialSetting {
  readonly device: Device;
  readonly model: Model;
  readonly weights: OnDevice<Weights>;
  readonly natural: Catalog['rules']['natural'];
  /** What may change, at the radius of the report. */
  readonly perturbation: Perturbation;
  readonly attacks: readonly Attack[];
  /** Classifies the points that an attack claims. */
  readonly certifier: PointCertifier;
  readonly signal: AbortSignal;
}

/**
 * Attacks inputs until each is broken or the attacks end. A point counts if the network misclassifies it once it is clipped into the ball
 * and the range.
 *
 * @returns adversarial examples by the index of their input
 */
export async function findAdversarial(
  inputs: readonly AttackedInput[],
  setting: AdversarialSetting,
): Promise<ReadonlyMap<number, AdversarialExample>> {
  const found = new Map<number, AdversarialExample>();
  for (const attack of setting.attacks) {
    const open = inputs.filter(({ index }) => !found.has(index));
    if (open.length > 0) await runAttack(attack, open, setting, found);
  }
  return found;
}

async function runAttack(
  attack: Attack,
  inputs: readonly AttackedInput[],
  { certifier, signal, attacks: _, ...setting }: AdversarialSetting,
  found: Map<number, AdversarialExample>,
): Promise<void> {
  const attacker = attack.on({ ...setting, places: inputs.length });
  try {
    const runs = attack.runs(setting.model);
    for (let run = 0; run < runs && found.size < inputs.length; run++) {
      inputs.forEach((input, place) => void attacker.begin(place, input, run));
      for (let visit = 0; visit < attack.points; visit++) {
        signal.throwIfAborted();
        const margins = await attacker.step();
        const broken = inputs.flatMap((input, place) => (margins[place]! > 0 || found.has(input.index) ? [] : [place]));
        if (broken.length === 0) continue;
        const points = await attacker.visited().data();
        for (const place of broken) {
          const input = inputs[place]!;
          const size = input.pixels.length;
          const claimed = Array.from({ length: size }, (_, i) => Number(points[place * size + i]));
          const values = clipped(claimed, input.pixels, setting);
          if (values === undefined) continue;
          const { prediction, correct } = classify(await certifier.logits(values), input.label);
          if (!correct)
            found.set(input.index, { values, prediction, distance: distance(values, input.pixels), by: attack.name });
        }
        if (inputs.every(({ index }) => found.has(index))) return;
      }
    }
  } finally {
    await attacker.dispose();
  }
}

/** The next point of the perturbation set; in its box exactly, whatever is rounded. Undefined for a point outside a Euclidean ball. */
function clipped(
  point: readonly number[],
  center: Float32Array,
  { perturbation, model }: Pick<AdversarialSetting, 'perturbation' | 'model'>,
): Float32Array | undefined {
  const { lower, upper } = perturbationEnds(perturbation, center, model.inputShape);
  const values = Float32Array.from(center, (from, i) => {
    const [low, high] = [lower[i]!, upper[i]!];
    const inside = Math.min(Math.max(point[i]!, low), high);
    let value = Math.fround(inside);
    // A step of float32 at most, where rounding left the box.
    for (let part = 2 ** -24; (value < low || value > high) && part < 1; part *= 2) {
      value = Math.fround(from + (inside - from) * (1 - part));
    }
    return value;
  });
  const distance = Math.hypot(...values.map((value, i) => value - center[i]!));
  return perturbation.kind === 'l2' && distance > perturbation.epsilon ? undefined : values;
}

const distance = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
