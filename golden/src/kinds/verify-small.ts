import { crown, crownIbp, ibp, marginSpec } from '@cert/bounds';
import { type HostParams, linfBall, type Params, type Property, type Tensor } from '@cert/core';
import type { Device } from '@cert/jit';
import { createDecider, type Decision } from '@cert/verify';
import type { Comparison, Tolerance } from '../compare.js';
import { compileOn, dataRange, put, putParams, putScalar } from '../device-call.js';
import { Field, type Numbers } from '../field.js';
import type { Kind } from '../kind.js';
import { type Net, type NumberTree, readNet } from '../net.js';

/** Bounds in float32. */
const BOUND: Tolerance = { relative: 1e-4, absolute: 1e-5 };
/** How close to the exact minimum a proof and a witness must come. */
const EXACT = 1e-3;

/** Complete verification: `verify_small`. Bounds of three methods, and whether branch and bound finds the exact minimum from both sides. */
export const completeVerification: Kind = {
  on: 'devices',
  async compare({ file }, device, to) {
    for (const one of file.get('cases').list()) await compareCase(one, device, to);
  },
};

async function compareCase(one: Field, device: Device, to: Comparison): Promise<void> {
  const [name, images] = [one.get('name').text(), one.get('images').list()];
  // The files give an input without its batch axis.
  const tensorOf = (image: Field): Numbers => {
    const x = image.get('x');
    if (!Array.isArray(x.value)) {
      const { shape, data } = x.tensor();
      return { shape: [1, ...shape], data };
    }
    const data = x.numbers();
    return { shape: [1, data.length], data };
  };
  const [first] = images;
  if (first === undefined) return;
  const net = readNet(one.get('net'), new Field(tensorOf(first), `${first.path}.x`));
  const bounds = boundsOf(device, net, one);
  const network = { model: net.model, params: host(net.params), stats: host(net.stats) };
  const decider = createDecider({ device, network });
  try {
    for (const [i, image] of images.entries()) {
      const where = `${name}[${i}]`;
      const x = net.activation('input', tensorOf(image));
      const [epsilon, label] = [image.get('eps').number(), image.get('label').number()];
      const margins = await bounds(x, label, epsilon);
      for (const method of ['ibp', 'crown_ibp', 'crown'] as const) {
        const data = image.get(method).numbers();
        to.add(method, margins[method], { shape: [data.length], data }, BOUND, where);
      }
      // Branch and bound takes minutes an image in plain JavaScript and on software adapters.
      if (device.name !== 'cpu') continue;
      await compareExact(image, where, to, (excess) =>
        decider.decide(robustness(x, label, epsilon, one, net.model.classes, excess), { timeout: 60 }),
      );
    }
  } finally {
    await decider.dispose();
  }
}

/** Proves that the margin is above the exact minimum less a little, and finds a point where it is not above the minimum and a little more. */
async function compareExact(
  image: Field,
  where: string,
  to: Comparison,
  decideAt: (excess: number) => Promise<Decision>,
): Promise<void> {
  const exact = Math.min(...image.get('exact').numbers());
  const status = image.get('status').text();
  const slack = EXACT * Math.max(1, Math.abs(exact));
  const verdicts: { readonly [verdict in Decision['verdict']]: number } = { verified: 1, unknown: 0, falsified: -1 };
  const below = await decideAt(exact - slack);
  to.add('branch and bound proves more than the exact minimum - 1e-3', verdicts[below.verdict], 1, BOUND, where);
  const above = await decideAt(exact + slack);
  to.add('a witness at the exact minimum + 1e-3', verdicts[above.verdict], -1, BOUND, where);
  const decision = await decideAt(0);
  const expected = status === 'verified' ? 1 : -1;
  // A minimum this close to 0 is for neither side to tell in float32.
  if (Math.abs(exact) > 1e-5) to.add('status', verdicts[decision.verdict], expected, BOUND, where);
}

/** That no margin is at most `excess`. */
function robustness(x: Numbers, label: number, epsilon: number, one: Field, classes: number, excess: number): Property {
  const [min, max] = [one.get('data_min').number(), one.get('data_max').number()];
  const lower = Float64Array.from(x.data, (value) => Math.max(value - epsilon, min));
  const upper = Float64Array.from(x.data, (value) => Math.min(value + epsilon, max));
  const others = Array.from({ length: classes }, (_, j) => j).filter((j) => j !== label);
  const cases = others.map((other) => {
    const coefficients = new Float64Array(classes);
    coefficients[label] = 1;
    coefficients[other] = -1;
    return { lower, upper, outputs: [{ coefficients, bound: excess }] };
  });
  return { inputs: x.data.length, outputs: classes, cases };
}

/** Lower margins by three methods. */
function boundsOf(device: Device, { model, params }: Net, one: Field) {
  const range = dataRange(one);
  const evaluate = compileOn(device, (own: Params, x: Tensor, labels: Tensor, epsilon: Tensor) => {
    const problem = {
      network: { model, params: own },
      box: linfBall(x, epsilon, range),
      spec: marginSpec(labels, model.classes),
    };
    return {
      ibp: ibp.bound(problem).output.lower,
      crown_ibp: crownIbp.bound(problem).output.lower,
      crown: crown().bound(problem).output.lower,
    };
  });
  const own = putParams(device, params);
  return (x: Numbers, label: number, epsilon: number) =>
    evaluate(own, put(device, x), device.put(Int32Array.of(label), [1]), putScalar(device, epsilon));
}

const host = (tree: NumberTree): HostParams =>
  Object.fromEntries(
    Object.entries(tree).map(([node, own]) => [
      node,
      Object.fromEntries(
        Object.entries(own).map(([name, { shape, data }]) => [name, { shape, data: Float32Array.from(data) }]),
      ),
    ]),
  );
