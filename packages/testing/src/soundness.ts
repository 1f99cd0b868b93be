import { type IntervalTensor, type Model, type Rng, sizeOf, type Tensor, tf } from '@cert/core';
import { type Forward, failure, guarded } from './conformance.js';
import { evaluate, type Values } from './host.js';
import { type BoundCall, forwardTensors, gatherSpec, type HostBox, hostBounds } from './host-bounds.js';

/** How far a value may lie outside its bounds: float32 rounding over a few layers. */
const slack = (magnitude: number): number => 2e-6 + 1e-5 * magnitude;

/** Points of a box: `owners[i]` is the image whose box the i-th point lies in. */
interface Points {
  readonly values: Float32Array;
  readonly owners: readonly number[];
}

interface HostInput {
  readonly lower: Float32Array;
  readonly upper: Float32Array;
  readonly size: number;
  readonly batch: number;
}

/** @throws CertError `unsound` when a value at a random point of the box lies outside its bounds */
export async function checkBySampling(call: BoundCall, forward: Forward, where: string, rng: Rng): Promise<void> {
  const bounds = await hostBounds(call, where);
  checkOrder(call, bounds, where);
  const input = await hostInput(call.box);
  await checkPoints(call, forward, bounds, samplePoints(input, rng), `${where}, random points`);
}

/**
 * Pushes elements of every node, and the margins, up and down along the sign of their gradient.
 *
 * @throws CertError `unsound` when a value on the way lies outside its bounds
 */
export async function checkByAttack(call: BoundCall, forward: Forward, where: string, rng: Rng): Promise<void> {
  const bounds = await hostBounds(call, where);
  const input = await hostInput(call.box);
  for (const [node, box] of bounds) {
    const perImage = sizeOf(box.lower.shape.slice(1));
    const targets = rng.permutation(input.batch * perImage).slice(0, 24);
    const owners = [...targets, ...targets].map((t) => Math.floor(t / perImage));
    // Row i wants element `targets[i]` up in the first half and down in the second.
    const wanted = new Float32Array(owners.length * perImage);
    owners.forEach((_, i) => {
      wanted[i * perImage + (targets[i % targets.length]! % perImage)] = i < targets.length ? 1 : -1;
    });
    let points: Points = { owners, values: centers(input, owners) };
    for (let step = 0; step < 3; step++) {
      const gradient = await gradientAt(call, forward, node, points, wanted);
      points = { owners, values: corners(input, owners, gradient, rng) };
      await checkPoints(call, forward, bounds, points, `${where}, attack on "${node}"`);
    }
  }
}

/** @throws CertError `unsound` where lower > upper or either is NaN */
export function checkOrder({ method }: BoundCall, bounds: Map<string, HostBox>, where: string): void {
  for (const [node, { lower, upper }] of bounds) {
    lower.data.forEach((l, i) => {
      const u = upper.data[i]!;
      if (l <= u + slack(Math.abs(l))) return;
      throw failure(
        'unsound',
        method.name,
        `${where}, node "${node}", ${place(lower, i)}`,
        `lower is ${l} and upper ${u}.`,
        'A rule must return lower <= upper and no NaN; check the rule that produced this interval.',
      );
    });
  }
}

async function checkPoints(
  call: BoundCall,
  forward: Forward,
  bounds: Map<string, HostBox>,
  points: Points,
  where: string,
): Promise<void> {
  const { method, model } = call;
  const values = await evaluate(() => {
    const images = tf.tensor(points.values, [points.owners.length, ...model.inputShape]);
    const { spec, ...rest } = call;
    return forwardTensors(forward, spec ? { ...rest, spec: gatherSpec(spec, points.owners) } : rest, images);
  });
  for (const [node, { lower, upper }] of bounds) {
    const value = values[node]!;
    const perImage = sizeOf(lower.shape.slice(1));
    value.data.forEach((v, i) => {
      const at = points.owners[Math.floor(i / perImage)]! * perImage + (i % perImage);
      const [l, u] = [lower.data[at]!, upper.data[at]!];
      const allowed = slack(Math.max(Math.abs(v), Math.abs(l), Math.abs(u)));
      if (v >= l - allowed && v <= u + allowed) return;
      throw failure(
        'unsound',
        method.name,
        `${where}, node "${node}", ${place(lower, at)}`,
        `the value ${v} lies outside the bounds [${l}, ${u}], by ${(v < l ? l - v : v - u).toPrecision(3)}, at the point ${pointOf(points, Math.floor(i / perImage))}.`,
        adviceFor(model, node),
      );
    });
  }
}

/** The rules to look at when a bound of a node is wrong and those of the nodes before it are right. */
function adviceFor(model: Model, node: string): string {
  const op = model.nodes.find(({ name }) => name === node)?.op;
  if (op !== undefined) return `Check the rule for "${op}".`;
  const ops = [...new Set(model.nodes.map((one) => one.op))];
  return `Check the rule of the last node, how the specification is applied, and, for a backward method, the rules for ${ops.join(', ')}.`;
}

/** Numbers of a point that a message shows at most. */
const SHOWN = 50;

/** A point of the box in figures. */
function pointOf({ values, owners }: Points, row: number): string {
  const size = values.length / owners.length;
  const own = [...values.subarray(row * size, (row + 1) * size)].map((x) => Number(x.toPrecision(4)));
  return `[${own.slice(0, SHOWN).join(', ')}${own.length > SHOWN ? ', ...' : ''}]`;
}

/** Uniform points, corners, faces, and the two extreme corners of every image's box. */
function samplePoints(input: HostInput, rng: Rng): Points {
  const kinds: (() => number)[] = [() => rng.uniform(), () => rng.int(2), () => [0, 1, rng.uniform()][rng.int(3)]!];
  const draws = [() => 0, () => 1, () => 0.5, ...Array.from({ length: 24 }, (_, i) => kinds[i % kinds.length]!)];
  const owners = Array.from({ length: input.batch * draws.length }, (_, i) => Math.floor(i / draws.length));
  return {
    owners,
    values: fill(input, owners, (l, u, i) => {
      const t = draws[Math.floor(i / input.size) % draws.length]!();
      return t === 1 ? u : l + t * (u - l);
    }),
  };
}

const centers = (input: HostInput, owners: readonly number[]) => fill(input, owners, (l, u) => (l + u) / 2);

/** The corner that a gradient points to; a random one where it is 0. */
const corners = (input: HostInput, owners: readonly number[], gradient: Float32Array, rng: Rng) =>
  fill(input, owners, (l, u, i) => ((gradient[i] || rng.uniform() - 0.5) > 0 ? u : l));

function fill(
  { lower, upper, size }: HostInput,
  owners: readonly number[],
  value: (lower: number, upper: number, i: number) => number,
): Float32Array {
  return Float32Array.from({ length: owners.length * size }, (_, i) => {
    const at = owners[Math.floor(i / size)]! * size + (i % size);
    return value(lower[at]!, upper[at]!, i);
  });
}

async function gradientAt(
  call: BoundCall,
  forward: Forward,
  node: string,
  points: Points,
  wanted: Float32Array,
): Promise<Float32Array> {
  const { spec, ...rest } = call;
  const { gradient } = await evaluate(() => {
    const rows = spec ? { ...rest, spec: gatherSpec(spec, points.owners) } : rest;
    const objective = (images: Tensor) => {
      const value = forwardTensors(forward, rows, images)[node]!;
      return tf.sum(tf.mul(value, tf.tensor(wanted, value.shape)));
    };
    const images = tf.tensor(points.values, [points.owners.length, ...call.model.inputShape]);
    return { gradient: guarded('forward', `the gradient of node "${node}"`, () => tf.grad(objective)(images)) };
  });
  return gradient.data;
}

async function hostInput(box: IntervalTensor): Promise<HostInput> {
  const { lower, upper } = await evaluate(() => ({ lower: box.lower, upper: box.upper }));
  const batch = lower.shape[0]!;
  return { lower: lower.data, upper: upper.data, batch, size: sizeOf(lower.shape.slice(1)) };
}

/** Where an element is, for people: which image, and the index within it. */
export function place({ shape }: Values, i: number): string {
  const perImage = sizeOf(shape.slice(1));
  const index: number[] = [];
  let rest = i % perImage;
  for (const n of shape.slice(1).toReversed()) {
    index.unshift(rest % n);
    rest = Math.floor(rest / n);
  }
  return `image ${Math.floor(i / perImage)}, element [${index}]`;
}
