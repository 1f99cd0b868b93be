import { sizeOf } from '@cert/core';
import { Builder } from '../../graph/builder.js';
import { type Graph, sameShape, type Value } from '../../graph/ir.js';
import { type Rule, readers } from '../../graph/rewrite.js';
import { OPERANDS } from '../../onnx/emitter.js';
import { SMALL } from './limits.js';

/**
 * Joins equal chains of ops on many small tensors into one chain on all of them, laid end to end: an optimizer's update of each parameter
 * is some fifteen ops, and a GPU starts each op by itself. Chains are followed back from the graph's outputs as long as the ops are the same.
 */
export function joinElementwise(graph: Graph): Graph {
  for (const group of groupsOf(graph)) {
    const better = joined(graph, group);
    if (better !== undefined) return joinElementwise(better);
  }
  return graph;
}

/** (x * s) * t to x * (s * t), for scalars s and t: the same form for tensors of any size. */
export const scalarsTogether: Rule = (build, value) => {
  if (value.op !== 'binary' || value.attrs.f !== 'mul' || value.dtype !== 'float32') return undefined;
  const outer = scaled(value);
  const inner = outer && scaled(outer.x);
  return inner && build.binary('mul', inner.x, build.binary('mul', inner.by, outer.by));
};

function scaled(value: Value): { readonly x: Value; readonly by: Value } | undefined {
  if (value.op !== 'binary' || value.attrs.f !== 'mul') return undefined;
  const [a, b] = value.inputs as [Value, Value];
  if (sizeOf(a.shape) === 1) return sizeOf(b.shape) === 1 ? undefined : { x: b, by: a };
  return sizeOf(b.shape) === 1 ? { x: a, by: b } : undefined;
}

const keyOf = (members: readonly Value[]): string => members.map(({ id }) => id).join();

/** Members of a group: what two steps of cutting give back. */
const MOST = OPERANDS ** 2;

/** Values that end in the same ops, compared more or less deep; those that save most ops first. */
function groupsOf(graph: Graph): Value[][] {
  const count = readers(graph);
  const roots = [...new Set(graph.outputs)].filter(
    (value) => isElementwise(value) && sizeOf(value.shape) > 1 && sizeOf(value.shape) <= SMALL,
  );
  const form = forms();
  const groups = new Map(
    DEPTHS.flatMap((depth) => alikeAt(roots, (value) => form(value, depth))).map((x) => [keyOf(x), x]),
  );
  return [...groups.values()]
    .map((group) => ({ group, saves: saved(group, jointsOf(group), count) }))
    .filter(({ saves }) => saves > 0)
    .sort((a, b) => b.saves - a.saves)
    .map(({ group }) => group);
}

/** How many ops deep ends are compared. */
const DEPTHS = [3, 4, 5, 6, 7, 8];

function alikeAt(roots: readonly Value[], form: (value: Value) => number): Value[][] {
  const groups = new Map<number, Value[]>();
  for (const value of roots) groups.set(form(value), [...(groups.get(form(value)) ?? []), value]);
  const chunks = [...groups.values()].flatMap((all) =>
    Array.from({ length: Math.ceil(all.length / MOST) }, (_, i) => all.slice(i * MOST, (i + 1) * MOST)),
  );
  return chunks.filter(({ length }) => length > 2);
}

const isElementwise = ({ op }: Value): boolean => op === 'unary' || op === 'binary' || op === 'where' || op === 'cast';

/** A number for the ops that a value ends in, so many deep, and the scalars that they take: the same for the same ops. */
function forms(): (value: Value, depth: number) => number {
  const numbers = new Map<string, number>();
  const known = new Map<string, number>();
  const form = (value: Value, depth: number): number => {
    const key = `${value.id} ${depth}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const text =
      sizeOf(value.shape) === 1
        ? value.op === 'const'
          ? 'number'
          : `scalar ${value.id}`
        : depth === 0 || !isElementwise(value)
          ? value.dtype
          : `${value.op} ${JSON.stringify(value.attrs)} ${value.dtype} ${value.inputs.map((x) => form(x, depth - 1))}`;
    const number = numbers.get(text) ?? numbers.size;
    numbers.set(text, number);
    known.set(key, number);
    return number;
  };
  return form;
}

/** Values that one op computes, or, without `operands`, that are only laid end to end. */
interface Joint {
  readonly members: readonly Value[];
  /** What the op reads: others joined, a scalar that all members share, or a constant number for each member. */
  readonly operands?: readonly (Joint | Value | Numbers)[];
}

/** A constant number for each member. */
interface Numbers {
  readonly numbers: readonly Value[];
}

const isJoint = (x: Joint | Value | Numbers): x is Joint => 'members' in x;
const isNumbers = (x: Joint | Value | Numbers): x is Numbers => 'numbers' in x;

/** The values that end in `members`, joined as far back as their ops are the same. All joints, operands first. */
function jointsOf(members: readonly Value[]): Joint[] {
  const known = new Map<string, Joint>();
  const join = (values: readonly Value[]): Joint => {
    const key = values.map(({ id }) => id).join();
    const before = known.get(key);
    if (before !== undefined) return before;
    const operands = values[0]!.inputs.map((_, i) => values.map(({ inputs }) => inputs[i]!));
    const joint = alike(values, operands)
      ? {
          members: values,
          operands: operands.map((xs) => (isShared(xs) ? xs[0]! : areNumbers(xs) ? { numbers: xs } : join(xs))),
        }
      : { members: values };
    known.set(key, joint);
    return joint;
  };
  join(members);
  return [...known.values()];
}

/**
 * Whether one op can compute all values: the same function, of tensors of their shapes and of scalars that they share. Not every provider
 * lays booleans end to end.
 */
function alike(values: readonly Value[], operands: readonly (readonly Value[])[]): boolean {
  const [first] = values as [Value];
  const same = (x: Value) =>
    x.op === first.op && x.dtype === first.dtype && JSON.stringify(x.attrs) === JSON.stringify(first.attrs);
  return (
    isElementwise(first) &&
    values.every((x) => same(x) && sizeOf(x.shape) > 1) &&
    operands.every(
      (xs) =>
        isShared(xs) ||
        (areNumbers(xs) && values.reduce((sum, { shape }) => sum + sizeOf(shape), 0) <= MOST_NUMBERS) ||
        xs.every((x, k) => sameShape(x.shape, values[k]!.shape) && x.dtype === xs[0]!.dtype && x.dtype !== 'bool'),
    )
  );
}

/** A scalar of all members. */
const isShared = (xs: readonly Value[]): boolean => sizeOf(xs[0]!.shape) === 1 && xs.every((x) => x === xs[0]);

const areNumbers = (xs: readonly Value[]): boolean =>
  xs.every((x) => x.op === 'const' && sizeOf(x.shape) === 1 && x.dtype === 'float32');

/** As constants in the model. */
const MOST_NUMBERS = 2 ** 14;

/** How many ops fewer the graph has with a group joined. */
function saved(group: readonly Value[], joints: readonly Joint[], count: ReadonlyMap<Value, number>): number {
  const computed = joints.filter(({ operands }) => operands !== undefined);
  const inside = new Map<Value, number>();
  for (const { members } of computed) {
    for (const x of members.flatMap(({ inputs }) => inputs)) inside.set(x, (inside.get(x) ?? 0) + 1);
  }
  const isRead = ({ members }: Joint) => members.some((member) => count.get(member) !== (inside.get(member) ?? 0));
  // Each tensor that is laid end to end or cut costs so many ops.
  const moves = joints.length - computed.length + computed.filter(isRead).length;
  return computed.length * (group.length - 1) - moves * Math.ceil((group.length + 1) / OPERANDS);
}

/** The graph with a group joined; undefined where a member needs another. */
function joined(graph: Graph, group: readonly Value[]): Graph | undefined {
  const joints = jointsOf(group);
  const of = new Map<Value, readonly [Joint, number]>();
  for (const joint of joints.filter(({ operands }) => operands !== undefined)) {
    for (const [i, member] of joint.members.entries()) {
      // One value in two places: nothing is gained by computing it twice.
      if (of.has(member)) return undefined;
      of.set(member, [joint, i]);
    }
  }
  const order = schedule(graph, of);
  return order && rebuild(graph, order, of);
}

type Place = ReadonlyMap<Value, readonly [Joint, number]>;

/** Values and joints, operands first; undefined if there is a circle. */
function schedule(graph: Graph, of: Place): (Joint | Value)[] | undefined {
  const node = (value: Value): Joint | Value => of.get(value)?.[0] ?? value;
  const needs = (x: Joint | Value): readonly (Joint | Value)[] => {
    if (!isJoint(x)) return x.inputs.map(node);
    if (x.operands === undefined) return x.members.map(node);
    return x.operands.flatMap((operand): readonly (Joint | Value)[] =>
      isNumbers(operand) ? operand.numbers : [isJoint(operand) ? operand : node(operand)],
    );
  };
  const state = new Map<Joint | Value, 'open' | 'done'>();
  const order: (Joint | Value)[] = [];
  for (const root of [...graph.inputs, ...graph.outputs].map(node)) {
    if (state.has(root)) continue;
    state.set(root, 'open');
    // An explicit stack: graphs are deeper than the call stack allows.
    const stack: [Joint | Value, readonly (Joint | Value)[], number][] = [[root, needs(root), 0]];
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const next = top[1][top[2]++];
      if (next === undefined) {
        state.set(top[0], 'done');
        order.push(top[0]);
        stack.pop();
      } else if (state.get(next) === 'open') return undefined;
      else if (!state.has(next)) {
        state.set(next, 'open');
        stack.push([next, needs(next), 0]);
      }
    }
  }
  return order;
}

function rebuild(graph: Graph, order: readonly (Joint | Value)[], of: Place): Graph {
  const build = new Builder();
  const now = new Map<Joint | Value, Value>();
  const given = (value: Value): Value => {
    const place = of.get(value);
    if (place === undefined) return now.get(value)!;
    const [joint, i] = place;
    return build.reshape(part(build, now.get(joint)!, joint.members, i), value.shape);
  };
  for (const x of order) {
    if (!isJoint(x)) {
      build.site = x.site;
      now.set(x, build.again(x, x.inputs.map(given)));
      continue;
    }
    const [first] = x.members as [Value];
    build.site = first.site;
    if (x.operands === undefined) {
      const flat = x.members.map((member) => build.reshape(given(member), [sizeOf(member.shape)]));
      now.set(x, build.concat(flat, 0));
      continue;
    }
    const sizes = x.members.map(({ shape }) => sizeOf(shape));
    const total = sizes.reduce((a, b) => a + b, 0);
    const operands = x.operands.map((operand) => {
      if (!isNumbers(operand)) return isJoint(operand) ? now.get(operand)! : build.reshape(given(operand), []);
      const numbers = operand.numbers.flatMap(({ data }, i) => Array<number>(sizes[i]!).fill(data![0]!));
      return build.const(Float32Array.from(numbers), [total], 'float32');
    });
    now.set(x, build.make(first.op, operands, first.attrs, [total], first.dtype));
  }
  return { inputs: graph.inputs.map(given), outputs: graph.outputs.map(given) };
}

/** The numbers of member i, cut out in two steps where there are many: one op can cut a tensor into {@link OPERANDS}. */
function part(build: Builder, whole: Value, members: readonly Value[], i: number): Value {
  const sizes = members.map(({ shape }) => sizeOf(shape));
  const before = (k: number) => sizes.slice(0, k).reduce((a, b) => a + b, 0);
  const from = i - (i % OPERANDS);
  const cut = build.slice(whole, [before(from)], [before(Math.min(from + OPERANDS, sizes.length))]);
  return build.slice(cut, [before(i) - before(from)], [before(i + 1) - before(from)]);
}
