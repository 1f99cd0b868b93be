import { crownMargins, ibp, type LinearRelaxationOptions, linearRelaxation, marginSpec } from '@cert/bounds';
import { type Batch, type Bounds, type Hyper, linfBall, tf } from '@cert/core';
import { disposeTree } from '@cert/jit';
import { createRootBounds } from '../complete/root-bounds.js';
import { networkOf, type Sides } from '../complete/weights.js';
import { finiteMargins } from '../finite-margins.js';
import type { Prover, Verifier, VerifierSetting, Weights } from '../verifier.js';

/** Options of {@link crownVerifier}. */
export interface CrownVerifierOptions extends Pick<LinearRelaxationOptions, 'forward' | 'backward'> {
  /** The most images that it takes at once; default 32. */
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

function prover({ device, model, range }: VerifierSetting, { forward, backward }: Parts): Prover {
  const start = device.jit((weights: Weights, { images }: Batch, { epsilon }: Hyper) => {
    const network = networkOf(model, weights);
    const box = linfBall(images, epsilon!, range);
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
        const root = await roots.bound(weights, box);
        const out = await finish(weights, batch, box, root.device);
        const lower = Float32Array.from(await out.lower.data());
        disposeTree([out, root.device]);
        const zeros = await finite.data();
        const rows = lower.length / zeros.length;
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
