import onnxProto from 'onnx-proto';

const { onnx } = onnxProto;
const { DataType } = onnx.TensorProto;

/** A constant of a graph: float32 where nothing else is said. */
export interface TestTensor {
  readonly shape: readonly number[];
  readonly data: readonly number[];
  readonly type?: 'float32' | 'float64' | 'int64' | 'int32';
  /** Written as a list of numbers instead of raw bytes. */
  readonly listed?: boolean;
}

/** An attribute: whole numbers, a text, a tensor, and floats as `{ float }` and `{ floats }`. */
export type TestAttribute =
  | number
  | string
  | readonly number[]
  | TestTensor
  | { readonly float: number }
  | { readonly floats: readonly number[] };

/** A node; it computes the value of its own name. */
export interface TestNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly name: string;
  readonly attributes?: { readonly [name: string]: TestAttribute };
  readonly domain?: string;
  readonly moreOutputs?: readonly string[];
}

/** A graph with the input `x`. */
export interface TestGraph {
  readonly opset?: number;
  /** The shape of `x`; texts are symbolic lengths. */
  readonly input: readonly (number | string)[];
  readonly inputType?: 'float32' | 'float64';
  readonly nodes: readonly TestNode[];
  readonly constants?: { readonly [name: string]: TestTensor };
  /** Whether constants are listed as inputs too, as old exporters do. */
  readonly constantsAsInputs?: boolean;
  /** Default: the last node. */
  readonly output?: string;
}

const TYPES = {
  float32: DataType.FLOAT,
  float64: DataType.DOUBLE,
  int64: DataType.INT64,
  int32: DataType.INT32,
} as const;

function rawOf({ data, type = 'float32' }: TestTensor): Uint8Array {
  const array = {
    float32: () => Float32Array.from(data),
    float64: () => Float64Array.from(data),
    int64: () => BigInt64Array.from(data, BigInt),
    int32: () => Int32Array.from(data),
  }[type]();
  return new Uint8Array(array.buffer);
}

function tensorProto(name: string, tensor: TestTensor) {
  const { shape, data, type = 'float32', listed = false } = tensor;
  const field = { float32: 'floatData', float64: 'doubleData', int64: 'int64Data', int32: 'int32Data' }[type];
  return onnx.TensorProto.create({
    name,
    dims: [...shape],
    dataType: TYPES[type],
    ...(listed ? { [field]: [...data] } : { rawData: rawOf(tensor) }),
  });
}

function attributeProto(name: string, value: TestAttribute) {
  const { AttributeType } = onnx.AttributeProto;
  if (typeof value === 'number') return onnx.AttributeProto.create({ name, type: AttributeType.INT, i: value });
  if (typeof value === 'string') {
    return onnx.AttributeProto.create({ name, type: AttributeType.STRING, s: new TextEncoder().encode(value) });
  }
  if ('shape' in value) {
    return onnx.AttributeProto.create({ name, type: AttributeType.TENSOR, t: tensorProto('', value) });
  }
  if ('float' in value) return onnx.AttributeProto.create({ name, type: AttributeType.FLOAT, f: value.float });
  if ('floats' in value) {
    return onnx.AttributeProto.create({ name, type: AttributeType.FLOATS, floats: [...value.floats] });
  }
  return onnx.AttributeProto.create({ name, type: AttributeType.INTS, ints: [...value] });
}

const valueInfo = (name: string, type: number, shape?: readonly (number | string)[]) =>
  onnx.ValueInfoProto.create({
    name,
    type: {
      tensorType: {
        elemType: type,
        ...(shape && {
          shape: { dim: shape.map((n) => (typeof n === 'number' ? { dimValue: n } : { dimParam: n })) },
        }),
      },
    },
  });

/** The bytes of an ONNX file with a graph. */
export function buildOnnx(graph: TestGraph): Uint8Array {
  const { opset = 13, input, inputType = 'float32', nodes, constants = {}, constantsAsInputs = false } = graph;
  const tensors = Object.entries(constants);
  const model = onnx.ModelProto.create({
    irVersion: 8,
    producerName: 'test',
    opsetImport: [{ domain: '', version: opset }],
    graph: {
      name: 'g',
      node: nodes.map(({ op, inputs, name, attributes = {}, domain = '', moreOutputs = [] }) => ({
        opType: op,
        domain,
        name: `node_${name}`,
        input: [...inputs],
        output: [name, ...moreOutputs],
        attribute: Object.entries(attributes).map(([key, value]) => attributeProto(key, value)),
      })),
      initializer: tensors.map(([name, tensor]) => tensorProto(name, tensor)),
      input: [
        valueInfo('x', TYPES[inputType], input),
        ...(constantsAsInputs
          ? tensors.map(([name, { shape, type = 'float32' }]) => valueInfo(name, TYPES[type], shape))
          : []),
      ],
      output: [valueInfo(graph.output ?? nodes.at(-1)?.name ?? 'x', TYPES[inputType])],
    },
  });
  return onnx.ModelProto.encode(model).finish();
}
