import { crownMargins, ibp, type LinearRelaxationOptions, linearRelaxation, marginSpec } from '@cert/bounds';
import { type Batch, type Bounds, type Hyper, perturbationBox, tf, UNIT_BALL } from '@cert/core';
import { disposeTree, type OnDevice } from '@cert/jit';
import { createRootBounds } from '../complete/relus/root-bounds.js';
import { networkOf, type Sides } from '../complete/weights.js';
import { finiteMargins } from '../finite-margins.js';
import type { Prover, Verifier, VerifierSetting, Weights } from '../verifier.js';

/** Options of {@link crownVerifier}. */
export interface CrownVerifierOptions extends Pick<LinearRelaxationOptions, 'forward' | 'backward'> {
  /** Maximum images per batch; default 32. */
  readonly images?: number;
}

/** Images that are bounded at once, if their bounds fit into memory. */
const IMAGES = 32;

/**
 * CROWN, each bound the tighter one of CROWN's and the forward method's, driven from the host: only neurons that the forward method leaves
 * unstable get a backward pass of their own, and only through their receptive field. The others are linear on the whole box, and the forward
 * bounds say so; in a network trained for certification most are. The coefficients of one call take 8 MiB at the largest node.
 *
 * @returns a verifier named `crown`, run after the attack
 */
export const crownVerifier = ({
  forward = ibp,
  backward = linearRelaxation,
  images,
}: CrownVerifierOptions = {}): Verifier => ({
  name: 'crown',
  cost: { rows: ({ classes }) => classes - 1, images: images ?? IMAGES, afterAttack: true },
  on: (setting) => prover(setting, { forward, backward }),
});

type Parts = Required<Pick<CrownVerifierOptions, 'forward' | 'backward'>>;

function prover({ device, model, perturbation = UNIT_BALL }: VerifierSetting, { forward, backward }: Parts): Prover {
  const start = device.jit((weights: Weights, { images }: Batch, { epsilon }: Hyper) => {
    const network = networkOf(model, weights);
    const box = perturbationBox(perturbation, images, epsilon!);
    // NaN for an image with a bound at any node that is not finite.
    const finite = tf.sum(tf.mul(finiteMargins(network, forward.bound({ network, box })), 0), 1);
    return { box, finite };
  });
  const roots = createRootBounds({ device, model, forward, backward });
  const finish = device.jit((weights: Weights, { labels }: Batch, box: Sides, at: Bounds['at']) => {
    const problem = { network: networkOf(model, weights), box, spec: marginSpec(labels, model.classes) };
    return { lower: crownMargins(problem, { ...at, input: box }, { backward }) };
  });
  return {
    async lowerMargins(weights, batch, hyper) {
      const { box, finite } = await start(weights, batch, hyper);
      try {
        const boxes = await countWithoutRepeats(batch);
        const root = await roots.bound(weights, box, { boxes });
        const out = await finish(weights, batch, box, root.device);
        const lower = Float32Array.from(await out.lower.data());
        disposeTree([out, root.device]);
        const zeros = await finite.data();
        const rows = lower.length / zeros.length;
        // A repeated image has the margins of the last one that is none.
        lower.forEach((_, i) => {
          if (i >= boxes * rows) lower[i] = lower[(boxes - 1) * rows + (i % rows)]!;
        });
        return lower.map((margin, i) => margin + zeros[Math.floor(i / rows)]!);
      } finally {
        disposeTree([box, finite]);
      }
    },
    async dispose() {
      for (const { dispose } of [start, roots, finish]) await dispose();
    },
  };
}

/** How many images of a batch there are up to the last one that differs from the one before: a batch that is not full is filled up with its last image. */
async function countWithoutRepeats({ images, labels }: OnDevice<Batch>): Promise<number> {
  const [pixels, classes] = [await images.data(), await labels.data()];
  const size = pixels.length / classes.length;
  const repeats = (image: number) =>
    classes[image] === classes[image - 1] &&
    pixels.subarray(image * size, (image + 1) * size).every((x, i) => x === pixels[(image - 1) * size + i]);
  let count = classes.length;
  while (count > 1 && repeats(count - 1)) count--;
  return count;
}
