import { sizeOf } from '@cert/core';
import type { Builder } from '../graph/builder.js';
import type { Graph, Value, ValueOf } from '../graph/ir.js';
import { type Rule, readers, rewrite, schedule } from '../graph/rewrite.js';

/** A right factor of fewer numbers is packed in no time. */
const LARGE = 65_536;

/**
 * Products of different matrices with one large matrix become one product: stacked, and cut apart again. What a product costs with
 * few rows is reading the large matrix.
 */
export function mergeProducts(graph: Graph): Graph {
  let now = graph;
  for (let pair = findPair(now); pair !== undefined; pair = findPair(now)) now = merge(now, pair);
  return now;
}

type Product = ValueOf<'matmul'>;

const isProduct = (x: Value): x is Product => x.op === 'matmul' && x.shape.length === 2;

/** Two products with one right factor, neither of which needs the other. */
function findPair(graph: Graph): readonly [Product, Product] | undefined {
  const products = new Map<string, Product[]>();
  for (const value of schedule(graph)) {
    if (!isProduct(value) || value.attrs.transA) continue;
    const [a, b] = value.inputs as [Value, Value];
    if (a.shape.length !== 2 || sizeOf(b.shape) < LARGE || sizeOf(a.shape) * 4 > sizeOf(b.shape)) continue;
    const key = `${b.id} ${value.attrs.transB}`;
    const others = products.get(key) ?? [];
    const other = others.find((one) => !needs(value, one) && !needs(one, value));
    if (other !== undefined) return [other, value];
    products.set(key, [...others, value]);
  }
  return undefined;
}

function needs(value: Value, other: Value): boolean {
  const seen = new Set<Value>([value]);
  for (const x of seen) {
    if (x === other) return true;
    for (const operand of x.inputs) seen.add(operand);
  }
  return false;
}

function merge(graph: Graph, [first, second]: readonly [Product, Product]): Graph {
  const rows = first.shape[0]!;
  // Whatever both need comes before either: scheduled as outputs in front of the others.
  const early: readonly Value[] = [...first.inputs, ...second.inputs];
  const ordered = { inputs: graph.inputs, outputs: [...early, ...graph.outputs] };
  const left = new Map<Value, Value>();
  const rebuilt = rewrite(ordered, (build, value, original) => {
    if (early.includes(original)) left.set(original, value);
    if (original !== first && original !== second) return undefined;
    const stack = [first, second].map(({ inputs }) => left.get(inputs[0]!)!);
    const both = build.matmul(build.concat(stack, 0), value.inputs[1]!, false, first.attrs.transB);
    const begin = original === first ? 0 : rows;
    return build.slice(both, [begin, 0], [begin + value.shape[0]!, value.shape[1]!]);
  });
  return { inputs: rebuilt.inputs, outputs: rebuilt.outputs.slice(early.length) };
}

/**
 * a' b + c' d becomes one product of stacked matrices, also where another term stands between: the result, which is larger than its
 * factors, is then written once.
 */
export function sumOfProducts(graph: Graph): Rule {
  const count = readers(graph);
  return (build, value, original) => {
    if (value.op !== 'binary' || value.attrs.f !== 'add' || value.shape.length !== 2) return undefined;
    for (const i of [0, 1]) {
      const [product, other] = [value.inputs[i]!, value.inputs[1 - i]!];
      const before = original.inputs[1 - i]!;
      if (!isOuter(product) || count.get(original.inputs[i]!) !== 1 || count.get(before) !== 1) continue;
      if (isOuter(other)) return stacked(build, product, other);
      if (other.op !== 'binary' || other.attrs.f !== 'add' || before.op !== 'binary') continue;
      for (const j of [0, 1]) {
        const inner = other.inputs[j]!;
        if (!isOuter(inner) || count.get(before.inputs[j]!) !== 1) continue;
        return build.binary('add', other.inputs[1 - j]!, stacked(build, product, inner));
      }
    }
    return undefined;
  };
}

/** A product a' b that is larger than its factors. */
const isOuter = (x: Value): x is Product =>
  isProduct(x) &&
  x.attrs.transA &&
  !x.attrs.transB &&
  x.inputs.every(({ shape }) => sizeOf(shape) * 4 <= sizeOf(x.shape));

function stacked(build: Builder, x: Product, y: Product): Value {
  const [a, b] = [0, 1].map((i) => build.concat([x.inputs[i]!, y.inputs[i]!], 0));
  return build.matmul(a!, b!, true);
}
