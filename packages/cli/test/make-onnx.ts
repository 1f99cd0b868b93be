/** Small ONNX files for tests, encoded by hand: fields have the numbers of onnx.proto. */

/** Whole numbers, texts, bytes, or the fields of a message. */
type Value = number | string | Uint8Array | readonly Field[];
type Field = readonly [number: number, value: Value];

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}

function encode(fields: readonly Field[]): Uint8Array {
  const bytes = fields.flatMap(([number, value]) => {
    if (typeof value === 'number') return [...varint(8 * number), ...varint(value)];
    const text = typeof value === 'string' ? new TextEncoder().encode(value) : value;
    const content = text instanceof Uint8Array ? text : encode(text);
    return [...varint(8 * number + 2), ...varint(content.length), ...content];
  });
  return Uint8Array.from(bytes);
}

/** A node; it computes the value of its name. Attributes are lists of whole numbers. */
interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly name: string;
  readonly attributes?: { readonly [name: string]: readonly number[] };
}

/** A graph from `x` to the value of the last node. */
export interface Graph {
  readonly input: readonly number[];
  readonly nodes: readonly Node[];
  readonly constants: {
    readonly [name: string]: { readonly shape: readonly number[]; readonly data: readonly number[] };
  };
}

const FLOAT = 1;
const INTS = 7;

const valueInfo = (name: string, shape: readonly number[] | undefined): Field[] => [
  [1, name],
  [2, [[1, [[1, FLOAT], ...(shape === undefined ? [] : ([[2, shape.map((n): Field => [1, [[1, n]]])]] as const))]]]],
];

/** The bytes of an ONNX file. */
export function makeOnnx({ input, nodes, constants }: Graph): Uint8Array {
  const node = ({ op, inputs, name, attributes = {} }: Node): Field[] => [
    ...inputs.map((each): Field => [1, each]),
    ...([
      [2, name],
      [3, `node_${name}`],
      [4, op],
    ] as const),
    ...Object.entries(attributes).map(
      ([key, values]): Field => [5, [[1, key], ...values.map((value): Field => [8, value]), [20, INTS]]],
    ),
  ];
  const graph: Field[] = [
    ...nodes.map((each): Field => [1, node(each)]),
    [2, 'graph'],
    ...Object.entries(constants).map(
      ([name, { shape, data }]): Field => [
        5,
        [
          ...shape.map((n): Field => [1, n]),
          ...([
            [2, FLOAT],
            [8, name],
            [9, new Uint8Array(Float32Array.from(data).buffer)],
          ] as const),
        ],
      ],
    ),
    [11, valueInfo('x', input)],
    [12, valueInfo(nodes.at(-1)!.name, undefined)],
  ];
  return encode([
    [1, 8],
    [7, graph],
    [8, [[2, 13]]],
  ]);
}

/** Y_0 = scale |X_0 - X_1| and Y_1 = 0.5, with a batch axis of the given length. */
export function distanceNetwork({ scale = 1, batch = 1 }: { readonly scale?: number; readonly batch?: number } = {}) {
  return makeOnnx({
    input: [batch, 2],
    nodes: [
      { op: 'MatMul', inputs: ['x', 'w1'], name: 'a' },
      { op: 'Relu', inputs: ['a'], name: 'h' },
      { op: 'MatMul', inputs: ['h', 'w2'], name: 'b' },
      { op: 'Add', inputs: ['b', 'c'], name: 'y' },
    ],
    constants: {
      w1: { shape: [2, 2], data: [1, -1, -1, 1] },
      w2: { shape: [2, 2], data: [scale, 0, scale, 0] },
      c: { shape: [2], data: [0, 0.5] },
    },
  });
}

/** VNN-LIB: an assertion about the outputs in a box of inputs. */
export function vnnlib(
  assertion: string,
  {
    inputs = 2,
    outputs = 2,
    lower = '0',
    upper = '1',
  }: { readonly inputs?: number; readonly outputs?: number; readonly lower?: string; readonly upper?: string } = {},
): string {
  const each = (count: number, line: (i: number) => string) => Array.from({ length: count }, (_, i) => line(i));
  return [
    ...each(inputs, (i) => `(declare-const X_${i} Real)`),
    ...each(outputs, (i) => `(declare-const Y_${i} Real)`),
    ...each(inputs, (i) => `(assert (>= X_${i} ${lower}))\n(assert (<= X_${i} ${upper}))`),
    `(assert ${assertion})\n`,
  ].join('\n');
}
