/**
 * Runtimes take what follows a convolution into its sums: ONNX Runtime a residual sum into the accumulators, others a constant into the bias. Nothing
 * certifies what only an execution node by node would compute.
 */
import { ibp, marginSpec, runningNorm, soundBall, soundIbp } from '@cert/bounds';
import { checkCertificate } from '@cert/check';
import {
  add,
  affine,
  conv2d,
  dense,
  flatten,
  graph,
  type HostParams,
  linf,
  type Model,
  relu,
  tf,
  toTensors,
} from '@cert/core';
import { toOnnx } from '@cert/interchange';
import { openOnnxModel } from '@cert/jit/node';
import { encodeCheckpoint } from '@cert/models';
import { certificateText, certifiedNetwork, createCertificate, soundCrownSteps, soundIbpSteps } from '@cert/verify';
import { expect, it } from 'vitest';

const [CHANNELS, TERMS, LARGE] = [16, 65_536, 2 ** 24];
const filled = (count: number, value: number) => new Float32Array(count).fill(value);

/** sum + 2^24, where the sum of 65,536 products is 512; class 0 has what is left of it behind 2^24, class 1 has 256. */
function network(what: 'a residual sum' | 'a constant'): { readonly model: Model; readonly params: HostParams } {
  const g = graph([1, 1, CHANNELS]);
  const hidden = g.add(conv2d(TERMS, { kernel: 1, padding: 0 }), ['input'], 'hidden');
  const sum = g.add(conv2d(CHANNELS, { kernel: 1, padding: 0 }), [hidden], 'sum');
  if (what === 'a constant') g.add(affine(Array(CHANNELS).fill(1), Array(CHANNELS).fill(LARGE)), [sum]);
  else g.add(add(), [sum, g.add(relu(), [g.add(conv2d(CHANNELS, { kernel: 1, padding: 0 }), ['input'], 'large')])]);
  g.add(flatten());
  g.add(dense(2), undefined, 'logits');
  const convolution = (from: number, to: number, value: number, bias: number) => ({
    kernel: { shape: [1, 1, from, to], data: filled(from * to, value) },
    bias: { shape: [to], data: filled(to, bias) },
  });
  const params: HostParams = {
    // The input is 1.
    hidden: convolution(CHANNELS, TERMS, 1 / CHANNELS, 0),
    // A bias of its own, so that the constant stays a node.
    sum: convolution(TERMS, CHANNELS, 1 / 128, what === 'a constant' ? 0.5 : 0),
    ...(what === 'a residual sum' && { large: convolution(CHANNELS, CHANNELS, LARGE / CHANNELS, 0) }),
    logits: {
      kernel: { shape: [CHANNELS, 2], data: Float32Array.from({ length: 2 * CHANNELS }, (_, i) => (i === 0 ? 1 : 0)) },
      bias: { shape: [2], data: Float32Array.of(-LARGE, 256) },
    },
  };
  return { model: g.build(), params };
}

/** The margin that ONNX Runtime computes. */
async function marginInRuntime(model: Model, params: HostParams, pixels: Float32Array): Promise<number> {
  const runtime = await openOnnxModel(toOnnx({ model, params, stats: {} }), [1, CHANNELS, 1, 1]);
  const logits = await runtime.run(pixels);
  await runtime.dispose();
  return logits[0]! - logits[1]!;
}

/** That of an execution which folds the constant into the bias, and begins its sums with the bias. */
function marginFromBias(): number {
  let sum = Math.fround(0.5 + LARGE);
  for (let i = 0; i < TERMS; i++) sum = Math.fround(sum + 1 / 128);
  return sum - LARGE - 256;
}

it.each(['a residual sum', 'a constant'] as const)(
  '%s is lost in the sums of a convolution, and no level deployed says otherwise',
  async (what) => {
    const { model, params } = network(what);
    const pixels = filled(CHANNELS, 1);
    const executed = what === 'a residual sum' ? await marginInRuntime(model, params, pixels) : marginFromBias();
    // Otherwise the sum is not lost here, and the test shows nothing.
    expect(executed).toBe(-256);

    const margin = (method: typeof ibp | ReturnType<typeof soundIbp>) =>
      tf.tidy(() => {
        const net = { model, params: toTensors(params), norm: runningNorm({}) };
        const box = soundBall(tf.tensor(pixels, [1, 1, 1, CHANNELS]), 0, null);
        return method
          .bound({ network: net, box, spec: marginSpec(tf.tensor1d([0], 'int32'), 2) })
          .output.lower.dataSync()[0]!;
      });
    expect(margin(ibp)).toBeGreaterThan(0);
    expect(margin(soundIbp({ level: 'deployed' }))).toBeLessThanOrEqual(executed);
    const ends = Float64Array.from(pixels);
    const problem = {
      network: { model, params, stats: {} },
      box: { lower: ends, upper: ends },
      label: 0,
      level: 'deployed',
    } as const;
    for (const steps of [soundIbpSteps, soundCrownSteps]) {
      expect(steps.margins(problem)[0]).toBeLessThanOrEqual(executed);
    }
    const bytes = encodeCheckpoint({ model, params, stats: {} });
    const certificate = createCertificate({
      ...{ network: certifiedNetwork(bytes, 'network'), level: 'deployed', method: 'ibp', margin: 1, pixels, label: 0 },
      ...{
        perturbation: linf({ epsilon: 0, range: null }),
        evidence: { kind: 'ibp' },
        shape: model.inputShape,
        classes: 2,
      },
    });
    const { holds, reason } = await checkCertificate(certificateText(certificate), async () => bytes);
    expect([holds, reason]).toEqual([false, expect.stringMatching(/the margin is not proved/)]);
  },
);
