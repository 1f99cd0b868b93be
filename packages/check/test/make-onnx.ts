/** ONNX files for tests, written from the description of the format; fields have the numbers of onnx.proto. */
import { createHash } from 'node:crypto';
import { type Claim, certificate, type NetSpec, type Tensor } from './make.ts';

type Bytes = Uint8Array<ArrayBuffer>;
type Value = number | string | Bytes | { readonly float: number } | readonly Field[];
type Field = readonly [number: number, value: Value];

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>): Bytes =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** A message of fields: whole numbers, texts, bytes, float32 numbers, messages. */
export function encode(fields: readonly Field[]): Bytes {
  const bytes: number[] = [];
  for (const [number, value] of fields) {
    if (typeof value === 'number') bytes.push(...varint(8 * number), ...varint(value));
    else if (typeof value === 'object' && 'float' in value) {
      bytes.push(...varint(8 * number + 5), ...bytesOf(Float32Array.of(value.float)));
    } else {
      const text = typeof value === 'string' ? new TextEncoder().encode(value) : undefined;
      const content = text ?? (value instanceof Uint8Array ? value : encode(value as readonly Field[]));
      bytes.push(...varint(8 * number + 2), ...varint(content.length));
      for (const byte of content) bytes.push(byte);
    }
  }
  return Uint8Array.from(bytes);
}

/** Numbers in a shape: float32 or int64. */
export interface Numbers {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>;
}

export const floats = (shape: readonly number[], ...data: readonly number[]): Numbers => ({
  shape,
  data: Float32Array.from(data),
});

const tensorFields = (name: string, { shape, data }: Numbers): Field[] => [
  ...shape.map((n): Field => [1, n]),
  [2, data instanceof Float32Array ? 1 : 7],
  [8, name],
  [9, bytesOf(data)],
];

/** What an attribute is: whole numbers, text, a float32 number or a tensor. */
type Attribute = number | string | readonly number[] | { readonly float: number } | Numbers;

function attributeFields(name: string, value: Attribute): Field[] {
  const fields = (type: number, ...content: Field[]): Field[] => [[1, name], ...content, [20, type]];
  if (typeof value === 'number') return fields(2, [3, value]);
  if (typeof value === 'string') return fields(3, [4, value]);
  if ('float' in value) return fields(1, [2, value]);
  if ('data' in value) return fields(4, [5, tensorFields('', value)]);
  return fields(7, ...value.map((n): Field => [8, n]));
}

/** A node as a test writes it; its output is its name. */
export interface OnnxNode {
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly attributes?: { readonly [name: string]: Attribute };
  /** More fields of the message. */
  readonly more?: readonly Field[];
}

export interface OnnxNet {
  /** With the first dimension. */
  readonly inputShape: readonly number[];
  readonly tensors: { readonly [name: string]: Numbers };
  readonly nodes: readonly OnnxNode[];
  readonly opset?: number;
  /** More fields of the graph. */
  readonly more?: readonly Field[];
  /** More fields of the model. */
  readonly last?: readonly Field[];
}

const valueInfo = (name: string, shape: readonly number[]): Field[] => [
  [1, name],
  [
    2,
    [
      [
        1,
        [
          [1, 1],
          [2, shape.map((n): Field => [1, n === 0 ? [[2, 'N']] : [[1, n]]])],
        ],
      ],
    ],
  ],
];

/** An ONNX file; the input is `input`, the output that of the last node. */
export function onnxFile({ inputShape, tensors, nodes, opset = 17, more = [], last = [] }: OnnxNet): Bytes {
  const graph: Field[] = [
    ...nodes.map(
      ({ op, name, inputs, attributes = {}, more = [] }): Field => [
        1,
        [
          ...inputs.map((input): Field => [1, input]),
          [2, name],
          [4, op],
          ...Object.entries(attributes).map(([key, value]): Field => [5, attributeFields(key, value)]),
          ...more,
        ],
      ],
    ),
    [2, 'graph'],
    ...Object.entries(tensors).map(([name, tensor]): Field => [5, tensorFields(name, tensor)]),
    [11, valueInfo('input', inputShape)],
    [12, valueInfo(nodes.at(-1)!.name, [1, 2])],
    ...more,
  ];
  return encode([
    [1, 8],
    [2, 'a test'],
    [7, graph],
    [
      8,
      [
        [1, ''],
        [2, opset],
      ],
    ],
    ...last,
  ]);
}

/** The same network with channels in front of pixels. Constants of `affine` are rounded to float32. */
export function toOnnx({ inputShape, nodes }: NetSpec): OnnxNet {
  const channelsFirst = (shape: readonly number[]) => [
    1,
    ...(shape.length === 3 ? [shape[2]!, shape[0]!, shape[1]!] : shape),
  ];
  const tensors: { [name: string]: Numbers } = {};
  const made: OnnxNode[] = [];
  const shapes = new Map([['input', inputShape]]);
  /** Of vectors that were images: the place with channels last of each place with channels first. */
  const orders = new Map<string, number[]>();
  for (const { name, op, inputs, attrs, shape, params, stats } of nodes) {
    const keep = (key: string, tensor: Numbers) => {
      tensors[`${name}.${key}`] = tensor;
      return `${name}.${key}`;
    };
    const from = shapes.get(inputs[0]!)!;
    const put = (op: string, more: string[] = [], attributes: OnnxNode['attributes'] = {}) =>
      made.push({ op, name, inputs: [inputs[0]!, ...more], attributes });
    const number = (key: string) => Number(attrs[key]);
    if (op === 'conv2d') {
      const [rows, columns, channels, filters] = params.kernel!.shape as [number, number, number, number];
      const places = rows * columns;
      const data = params.kernel!.data.map((_, i) => {
        const [filter, channel, place] = [
          Math.floor(i / places / channels),
          Math.floor(i / places) % channels,
          i % places,
        ];
        return params.kernel!.data[(place * channels + channel) * filters + filter]!;
      });
      const [stride, padding] = [number('stride'), number('padding')];
      put(
        'Conv',
        [
          keep('weight', { shape: [filters, channels, rows, columns], data: Float32Array.from(data) }),
          keep('bias', numbersOf(params.bias!)),
        ],
        {
          ...{ group: number('groups'), kernel_shape: [rows, columns], strides: [stride, stride] },
          pads: [padding, padding, padding, padding],
        },
      );
    } else if (op === 'dense') {
      const [rows, units] = params.kernel!.shape as [number, number];
      const order = orders.get(inputs[0]!) ?? Array.from({ length: rows }, (_, i) => i);
      const data = Float32Array.from(
        params.kernel!.data,
        (_, i) => params.kernel!.data[order[i % rows]! * units + Math.floor(i / rows)]!,
      );
      put('Gemm', [keep('weight', { shape: [units, rows], data }), keep('bias', numbersOf(params.bias!))], {
        transB: 1,
      });
    } else if (op === 'batchNorm') {
      const all = { ...params, ...stats };
      const numbers = ['gamma', 'beta', 'mean', 'variance'].map((key) => keep(key, numbersOf(all[key]!)));
      put('BatchNormalization', numbers, { epsilon: { float: number('epsilon') }, momentum: { float: 0.9 } });
    } else if (op === 'affine') {
      const lists = attrs as { scale: number[]; shift: number[] };
      const channels = from.length === 3 ? [1, from[2]!, 1, 1] : [from[0]!];
      const scaled = `${name}.scaled`;
      made.push({ op: 'Mul', name: scaled, inputs: [inputs[0]!, keep('scale', floats(channels, ...lists.scale))] });
      made.push({ op: 'Add', name, inputs: [keep('shift', floats(channels, ...lists.shift)), scaled] });
    } else if (op === 'relu') put('Relu');
    else if (op === 'add') put('Add', [inputs[1]!]);
    else if (op === 'avgPool')
      put('AveragePool', [], {
        kernel_shape: [number('size'), number('size')],
        strides: [number('size'), number('size')],
      });
    else if (op === 'globalAvgPool') {
      made.push({ op: 'GlobalAveragePool', name: `${name}.image`, inputs });
      made.push({ op: 'Flatten', name, inputs: [`${name}.image`] });
    } else {
      const [h, w, c] = from as [number, number, number];
      orders.set(
        name,
        Array.from({ length: h * w * c }, (_, i) => (i % (h * w)) * c + Math.floor(i / (h * w))),
      );
      put('Flatten');
    }
    shapes.set(name, shape);
  }
  return { inputShape: channelsFirst(inputShape), tensors, nodes: made };
}

const numbersOf = ({ shape, data }: Tensor): Numbers => ({ shape, data: Float32Array.from(data) });

/** The image with channels in front of pixels. */
export function channelsFirst(x: Float32Array, [h, w, c]: readonly number[]): Float32Array {
  const pixels = h! * (w ?? 1);
  return c === undefined ? x : x.map((_, i) => x[(i % pixels) * c + Math.floor(i / pixels)]!);
}

const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A certificate of an ONNX file, to be changed by a test. */
export function onnxCertificate(
  net: OnnxNet,
  claim: Omit<Claim, 'net' | 'file'> & { readonly file?: Uint8Array; readonly classes?: number },
) {
  const { file = onnxFile(net), classes = 2 } = claim;
  const shape = net.inputShape.slice(1);
  const data = certificate({ ...claim, net: { inputShape: shape, classes, nodes: [] }, file });
  const tensors = Object.entries(net.tensors).map(([name, tensor]) => [name, hash(bytesOf(tensor.data))]);
  return { ...data, network: { ...data.network, format: 'onnx', tensors: Object.fromEntries(tensors) } };
}
