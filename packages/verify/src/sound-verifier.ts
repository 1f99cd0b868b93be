import { type SoundLevel, soundBox, soundIbp } from '@cert/bounds';
import { type BoundMethod, type HostParams, type Model, sizeOf, UNIT_BALL } from '@cert/core';
import { type Device, type DeviceArray, disposeTree, type OnDevice, readTree, turn } from '@cert/jit';
import type { BoxEvidence } from './certificate.js';
import { boxAround } from './float64/enclosure.js';
import { crownIbpMargins, ibpMargins, type MarginProblem, otherClasses } from './float64/margins.js';
import type { Network64 } from './float64/network.js';
import { encloseTightly, treeMargins } from './float64/tree.js';
import { smallestBound } from './margins.js';
import { isPositive } from './verdict.js';
import {
  boundVerifier,
  type LevelMargins,
  type Prover,
  type SoundProver,
  type SoundSetting,
  type Verifier,
  type Weights,
} from './verifier.js';

/** How a verifier proves at the levels `real` and `deployed`. */
export interface SoundSteps {
  /** Bounds on the device that account for rounding, for all images; default none. */
  readonly screen?: (level: SoundLevel) => BoundMethod;
  /** Bounds in float64 on the host, for images that the screen does not verify and the verifier itself does. */
  readonly margins: (problem: MarginProblem) => readonly number[];
  /** What a checker needs to prove the same; default nothing, and then there are no certificates. */
  readonly evidence?: (model: Model) => BoxEvidence;
}

/** The steps of interval bounds: float32 with rounding, then float64. */
export const soundIbpSteps: SoundSteps = {
  screen: (level) => soundIbp({ level }),
  margins: ibpMargins,
  evidence: () => ({ kind: 'ibp' }),
};

/** The step of CROWN-IBP: float64 alone, with interval bounds at the nodes in between and the adaptive lower slopes. */
export const soundCrownIbpSteps: SoundSteps = {
  margins: (problem) => crownIbpMargins(problem),
  evidence: () => ({ kind: 'linear', intermediate: 'ibp' }),
};

/** Products that bounds of hidden neurons in plain JavaScript may take: some 10 seconds an image. */
const MOST_PRODUCTS = 1e10;

/** Whether a backward pass for each hidden neuron is too much for plain JavaScript. */
function isTooLarge({ nodes }: Model): boolean {
  const shapes = new Map(nodes.map(({ name, shape }) => [name, sizeOf(shape)]));
  const neurons = nodes.reduce((sum, { op, inputs }) => sum + (op === 'relu' ? (shapes.get(inputs[0]!) ?? 0) : 0), 0);
  const products = nodes.reduce((sum, node) => {
    if (node.op !== 'conv2d' && node.op !== 'dense') return sum;
    return sum + (sizeOf(node.params.kernel) * sizeOf(node.shape)) / node.shape.at(-1)!;
  }, 0);
  return 2 * neurons * products > MOST_PRODUCTS;
}

/**
 * The step of CROWN: float64 alone, with bounds of hidden neurons by a backward pass of each. Networks for which that takes too long in plain
 * JavaScript have interval bounds there, as in {@link soundCrownIbpSteps}.
 */
export const soundCrownSteps: SoundSteps = {
  margins(problem) {
    if (isTooLarge(problem.network.model)) return crownIbpMargins(problem);
    const leaves = otherClasses(problem).map((other) => ({ other, splits: [], slopes: {} }));
    return treeMargins(problem, encloseTightly(problem), leaves);
  },
  evidence: (model) => ({ kind: 'linear', intermediate: isTooLarge(model) ? 'ibp' : 'crown' }),
};

/**
 * Returns a verifier that can also prove at the levels `real` and `deployed`. Proofs at `nearest` are unchanged.
 *
 * @param steps for models of the built-in ops; on other models nothing is proved at these levels
 */
export const soundVerifier = (verifier: Verifier, steps: SoundSteps): Verifier => ({
  ...verifier,
  ...(steps.evidence && { evidence: steps.evidence }),
  soundOn: (setting) => soundProver(verifier, steps, setting),
});

/** Images of one call of the verifier on those that the screen left open: an eighth of a batch. */
const SHARE = 8;

function soundProver(verifier: Verifier, { screen, margins }: SoundSteps, setting: SoundSetting): SoundProver {
  const { device, model, perturbation = UNIT_BALL, level } = setting;
  const nearest = verifier.on(setting);
  // A GPU, and a library whose environment selects its arithmetic, may use Winograd transforms or round otherwise: then the host computes all.
  const screened = screen !== undefined && device.roundsToNearest === true;
  const first = screened ? boundVerifier(screen(level), undefined, soundBox).on(setting) : undefined;
  const rows = model.classes - 1;
  const size = sizeOf(model.inputShape);
  const onHost = hostWeights();

  /** Lower margins at a level, in float64. */
  const exactly = async (weights: OnDevice<Weights>, image: HostImage, at: SoundLevel): Promise<number | null> => {
    const network: Network64 = { model, ...(await onHost(weights)) };
    const box = boxAround(image.pixels, perturbation, model.inputShape, image.epsilon);
    const lower = margins({ network, box, label: image.label, level: at });
    await turn();
    return usable(smallestBound(lower, 0, rows));
  };

  return {
    async lowerMargins(weights, batch, hyper, count) {
      const results: LevelMargins[] = Array.from({ length: count }, () => ({}));
      let open = results.map((_, i) => i);
      if (first !== undefined) {
        const lower = await first.lowerMargins(weights, batch, hyper);
        results.forEach((_, i) => {
          results[i] = { [level]: usable(smallestBound(lower, i, rows)), step: 'float32' };
        });
        open = open.filter((i) => !isPositive(results[i]![level]));
      }
      if (open.length === 0) return results;
      const images = (await batch.images.data()) as Float32Array;
      const labels = (await batch.labels.data()) as Int32Array;
      const epsilon = (await (hyper.epsilon as DeviceArray).data())[0]!;
      const group = first === undefined ? labels.length : Math.ceil(labels.length / SHARE);
      for (let from = 0; from < open.length; from += group) {
        const chosen = open.slice(from, from + group);
        const lower = await nearestOf(nearest, { weights, batch, hyper, chosen, group, images, labels, device });
        for (const [k, i] of chosen.entries()) {
          const plain = usable(smallestBound(lower, k, rows));
          results[i] = { ...results[i], nearest: plain };
          if (!isPositive(plain)) continue;
          const image = { pixels: images.subarray(i * size, (i + 1) * size), label: labels[i]!, epsilon };
          results[i] = { ...results[i], [level]: await exactly(weights, image, level), step: 'float64' };
          if (level === 'real' || isPositive(results[i]!.deployed)) continue;
          results[i] = { ...results[i], real: await exactly(weights, image, 'real') };
        }
      }
      return results;
    },
    async dispose() {
      await nearest.dispose();
      await first?.dispose();
    },
  };
}

interface HostImage {
  readonly pixels: Float32Array;
  readonly label: number;
  readonly epsilon: number;
}

/** Bounds of at least 2^126 are as good as none. */
export const usable = (bound: number): number | null => (Math.abs(bound) < 2 ** 126 ? bound : null);

/** What the verifier itself says of some images of a batch: of all at once, or of `group` at a time, the last one repeated. */
async function nearestOf(
  prover: Prover,
  {
    weights,
    batch,
    hyper,
    chosen,
    group,
    images,
    labels,
    device,
  }: {
    readonly weights: Parameters<Prover['lowerMargins']>[0];
    readonly batch: Parameters<Prover['lowerMargins']>[1];
    readonly hyper: Parameters<Prover['lowerMargins']>[2];
    readonly chosen: readonly number[];
    readonly group: number;
    readonly images: Float32Array;
    readonly labels: Int32Array;
    readonly device: Device;
  },
) {
  const size = images.length / labels.length;
  const places = Array.from({ length: group }, (_, k) => chosen[Math.min(k, chosen.length - 1)]!);
  const pixels = new Float32Array(group * size);
  for (const [k, i] of places.entries()) pixels.set(images.subarray(i * size, (i + 1) * size), k * size);
  const part = {
    images: device.put(pixels, [group, ...batch.images.shape.slice(1)]),
    labels: device.put(
      Int32Array.from(places, (i) => labels[i]!),
      [group],
    ),
  };
  try {
    return await prover.lowerMargins(weights, part, hyper);
  } finally {
    disposeTree(part);
  }
}

/** Copies weights to the host once, and again when they are others. */
export function hostWeights(): (
  weights: OnDevice<Weights>,
) => Promise<{ readonly params: HostParams; readonly stats: HostParams }> {
  let known: { readonly of: OnDevice<Weights>; readonly copy: Awaited<ReturnType<typeof copyOf>> } | undefined;
  return async (weights) => {
    if (known?.of !== weights) known = { of: weights, copy: await copyOf(weights) };
    return known.copy;
  };
}

async function copyOf({ params, stats }: OnDevice<Weights>) {
  const tree = async (arrays: OnDevice<Weights>['params']): Promise<HostParams> => {
    const values = (await readTree(arrays)) as { readonly [node: string]: { readonly [name: string]: Float32Array } };
    return Object.fromEntries(
      Object.entries(values).map(([node, own]) => [
        node,
        Object.fromEntries(
          Object.entries(own).map(([name, data]) => [name, { shape: arrays[node]![name]!.shape, data }]),
        ),
      ]),
    );
  };
  return { params: await tree(params), stats: await tree(stats) };
}
