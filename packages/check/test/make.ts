/** Networks, their files and certificates for tests; written from the description of the formats. */
import { createHash } from 'node:crypto';

export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A node as a test writes it; declared shapes of tensors are those of the tensors. */
export interface NodeSpec {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly attrs: { readonly [name: string]: unknown };
  readonly shape: readonly number[];
  readonly params: { readonly [name: string]: Tensor };
  readonly stats: { readonly [name: string]: Tensor };
}

export interface NetSpec {
  readonly inputShape: readonly number[];
  readonly classes: number;
  readonly nodes: readonly NodeSpec[];
}

export type Random = () => number;

/** mulberry32. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

export const tensor = (shape: readonly number[], fill: (i: number) => number): Tensor => ({
  shape,
  data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => fill(i)),
});

/** A chain or a graph, node by node. */
export class NetBuilder {
  readonly nodes: NodeSpec[] = [];
  #shapes = new Map<string, readonly number[]>();

  constructor(
    readonly inputShape: readonly number[],
    readonly number: () => number,
  ) {
    this.#shapes.set('input', inputShape);
  }

  get last(): string {
    return this.nodes.at(-1)?.name ?? 'input';
  }

  shape(name = this.last): readonly number[] {
    return this.#shapes.get(name)!;
  }

  add(op: string, shape: readonly number[], rest: Partial<NodeSpec> = {}): this {
    const name = rest.name ?? `${op}${this.nodes.length}`;
    this.nodes.push({ inputs: [this.last], attrs: {}, params: {}, stats: {}, ...rest, name, op, shape });
    this.#shapes.set(name, shape);
    return this;
  }

  dense(units: number, weight = this.number, bias = this.number): this {
    const kernel = tensor([this.shape()[0]!, units], weight);
    return this.add('dense', [units], { params: { kernel, bias: tensor([units], bias) } });
  }

  conv(filters: number, { kernel = 3, stride = 1, padding = 1, groups = 1, input = this.last } = {}): this {
    const [h, w, c] = this.shape(input) as [number, number, number];
    const side = (n: number) => Math.floor((n + 2 * padding - kernel) / stride) + 1;
    return this.add('conv2d', [side(h), side(w), filters], {
      inputs: [input],
      attrs: { stride, padding, groups },
      params: {
        kernel: tensor([kernel, kernel, c / groups, filters], this.number),
        bias: tensor([filters], this.number),
      },
    });
  }

  batchNorm(
    epsilon = 1e-5,
    {
      variance = (): number => this.number() ** 2 + 0.1,
      mean = this.number,
      gamma = this.number,
      beta = this.number,
    } = {},
  ): this {
    const shape = [this.shape().at(-1)!];
    return this.add('batchNorm', this.shape(), {
      attrs: { momentum: 0.1, epsilon },
      params: { gamma: tensor(shape, gamma), beta: tensor(shape, beta) },
      stats: { mean: tensor(shape, mean), variance: tensor(shape, variance) },
    });
  }

  affine(): this {
    const list = () => Array.from({ length: this.shape().at(-1)! }, this.number);
    return this.add('affine', this.shape(), { attrs: { scale: list(), shift: list() } });
  }

  relu(): this {
    return this.add('relu', this.shape());
  }

  flatten(): this {
    return this.add('flatten', [sizeOf(this.shape())]);
  }

  sum(a: string, b: string): this {
    return this.add('add', this.shape(a), { inputs: [a, b] });
  }

  avgPool(size: number): this {
    const [h, w, c] = this.shape() as [number, number, number];
    return this.add('avgPool', [Math.floor(h / size), Math.floor(w / size), c], { attrs: { size } });
  }

  globalAvgPool(): this {
    return this.add('globalAvgPool', [this.shape()[2]!]);
  }

  build(): NetSpec {
    return { inputShape: this.inputShape, classes: this.shape()[0]!, nodes: this.nodes };
  }
}

const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const bytesOf = (data: Float32Array) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

const shapesOf = (tensors: { readonly [name: string]: Tensor }) =>
  Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape]));

function tensorsOf(net: NetSpec): [string, Tensor][] {
  return net.nodes.flatMap(({ name, params, stats }) =>
    Object.entries({ params, stats }).flatMap(([kind, tensors]) =>
      Object.entries(tensors).map(([key, value]): [string, Tensor] => [`${kind}.${name}.${key}`, value]),
    ),
  );
}

/** A checkpoint file. */
export function networkFile(net: NetSpec): Uint8Array<ArrayBuffer> {
  const nodes = net.nodes.map((node) => ({ ...node, params: shapesOf(node.params), stats: shapesOf(node.stats) }));
  const strings = { format: 'cert-checkpoint-2', model: JSON.stringify({ ...net, nodes }), metadata: 'null' };
  let end = 0;
  const entries = tensorsOf(net).map(([name, { shape, data }]) => {
    end += data.byteLength;
    return [name, { dtype: 'F32', shape, data_offsets: [end - data.byteLength, end] }] as const;
  });
  const header = new TextEncoder().encode(JSON.stringify({ __metadata__: strings, ...Object.fromEntries(entries) }));
  const bytes = new Uint8Array(8 + header.length + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  let at = 8 + header.length;
  for (const [, { data }] of tensorsOf(net)) {
    bytes.set(bytesOf(data), at);
    at += data.byteLength;
  }
  return bytes;
}

export interface Claim {
  readonly net: NetSpec;
  readonly file?: Uint8Array;
  readonly input: Float32Array;
  readonly epsilon?: string;
  readonly range?: readonly [string, string] | null;
  readonly label: number;
  readonly level?: 'real' | 'deployed';
  /** Slopes in [0, 1] for all neurons of some ReLUs; of none: the usual ones. */
  readonly slopes?: { readonly [name: string]: Float32Array };
}

const ASSUMPTIONS = {
  real: [],
  deployed: ['round-to-nearest', 'one-rounding-per-operation', 'no-overflow', 'convolution-as-sums'],
};

/** A certificate as data, to be changed by a test. */
export function certificate({
  net,
  file = networkFile(net),
  input,
  epsilon = '0.1',
  range = null,
  label,
  level = 'real',
  slopes,
}: Claim) {
  const base64 = (data: Float32Array) => Buffer.from(bytesOf(data)).toString('base64');
  const bytes = Object.values(slopes ?? {}).flatMap((own) => Array.from(own, (slope) => 255 * slope));
  const leaf = { row: 0, slopes: Buffer.from(bytes).toString('base64'), multipliers: [] };
  const neurons = Object.fromEntries(Object.entries(slopes ?? {}).map(([relu, own]) => [relu, [...own.keys()]]));
  const cases = new Array(net.classes - 1).fill(leaf);
  const evidence =
    bytes.length === 0
      ? { kind: 'linear', intermediate: 'ibp' }
      : { kind: 'tree', intermediate: 'ibp', neurons, cases };
  return {
    format: 'cert-certificate-3',
    network: {
      path: 'network.safetensors',
      format: 'cert-safetensors',
      sha256: hash(file),
      tensors: Object.fromEntries(tensorsOf(net).map(([name, { data }]) => [name, hash(bytesOf(data))])),
    },
    input: { shape: net.inputShape, data: base64(input), sha256: hash(bytesOf(input)) },
    perturbation: { kind: 'linf', epsilon, range },
    property: { kind: 'label', label, classes: net.classes },
    level,
    assumptions: ASSUMPTIONS[level],
    evidence: [slopes === undefined ? { kind: 'ibp' } : evidence],
    about: { index: 17, dataset: 'digits', method: 'ibp' },
  };
}

/** The text of a certificate with its seal. */
export const sealed = (data: object): string =>
  JSON.stringify({ ...data, sha256: hash(new TextEncoder().encode(JSON.stringify(data))) });
