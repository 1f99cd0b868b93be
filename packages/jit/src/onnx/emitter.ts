/** Collects the nodes, initializers and names of an ONNX graph, in the dialect of a provider. */
import onnxProto from 'onnx-proto';
import type { DType, HostArray } from '../devices/device.js';
import type { Unary, Value } from '../graph/ir.js';

const { onnx } = onnxProto;

/** An attribute of type float; plain numbers are integers. */
export class Float32 {
  constructor(readonly value: number) {}
}

type Attribute = number | string | Float32 | readonly number[];

/** ONNX's number of a dtype. */
export const TYPE: { readonly [D in DType]: number } = {
  float32: onnx.TensorProto.DataType.FLOAT,
  int32: onnx.TensorProto.DataType.INT32,
  bool: onnx.TensorProto.DataType.BOOL,
};

/** In what a provider of ONNX Runtime differs from the CPU's. */
export interface Dialect {
  /** Ops without a kernel there, written by other ops: the CPU would run them, with copies to it and back in the middle of a graph. */
  readonly lacks: ReadonlySet<'FusedMatMul' | 'Sign' | 'Or' | 'integer Pow' | 'broadcasting Pow'>;
  /** Functions that may make a number of NaN. They are written so that NaN stays NaN; infinity may become NaN too. */
  readonly losesNaN: ReadonlySet<Unary | 'softmax'>;
  /** Parts that one `Split` may have; without, each part is a `Slice`. */
  readonly splitsInto?: number;
}

/** The CPU provider's. */
export const CPU: Dialect = { lacks: new Set(), losesNaN: new Set() };

/** Every WebGPU adapter binds 8 tensors to an op: one result and this many operands, or the reverse. */
export const OPERANDS = 7;

/**
 * What ONNX Runtime 1.30's WebGPU provider leaves to the CPU. Rounding, IsNaN and IsInf are left there: no training step uses them,
 * and the CPU is the one place that surely sees a NaN.
 */
export const WEBGPU: Dialect = {
  lacks: new Set(['FusedMatMul', 'Sign', 'Or', 'integer Pow', 'broadcasting Pow']),
  losesNaN: new Set(['relu', 'exp', 'log', 'sigmoid', 'softplus', 'tanh', 'softmax']),
  splitsInto: OPERANDS,
};

/** Collects the nodes of an ONNX graph. */
export class Emitter {
  readonly nodes: InstanceType<typeof onnx.NodeProto>[] = [];
  readonly initializers: InstanceType<typeof onnx.TensorProto>[] = [];
  private readonly names = new Map<Value, string>();
  private readonly integers = new Map<string, string>();
  private readonly outputs = new Set<string>();
  private next = 0;
  /** Where the value being emitted comes from; kept as the node's documentation. */
  site = '';

  constructor(readonly dialect: Dialect) {}

  name(value: Value): string {
    return this.names.get(value)!;
  }

  has(value: Value): boolean {
    return this.names.has(value);
  }

  bind(value: Value, name: string): void {
    this.names.set(value, name);
  }

  node(
    opType: string,
    inputs: readonly string[],
    attrs: { readonly [name: string]: Attribute } = {},
    domain = '',
    output = `t${this.next++}`,
  ): string {
    this.add(opType, inputs, attrs, domain, [output]);
    return output;
  }

  /** Cuts a tensor along an axis into parts of the given sizes. Returns their names. */
  split(x: string, sizes: readonly number[], axis: number): string[] {
    const outputs = sizes.map(() => `t${this.next++}`);
    this.add('Split', [x, this.ints(sizes)], { axis }, '', outputs);
    return outputs;
  }

  private add(
    opType: string,
    inputs: readonly string[],
    attrs: { readonly [name: string]: Attribute },
    domain: string,
    output: readonly string[],
  ): void {
    const attribute = Object.entries(attrs).map(([name, value]) => encodeAttribute(name, value));
    this.nodes.push(
      onnx.NodeProto.create({
        opType,
        domain,
        name: output[0]!,
        input: [...inputs],
        output: [...output],
        attribute,
        docString: this.site,
      }),
    );
  }

  /**
   * Makes a value an output of the graph. An input, a constant, or what is an output already is copied; anything else gets the
   * output's name.
   */
  output(value: Value, name: string): void {
    const before = this.name(value);
    const node = this.nodes.find(({ output }) => output.includes(before));
    if (node === undefined || this.outputs.has(before)) return void this.node('Identity', [before], {}, '', name);
    for (const { input } of this.nodes) {
      input.forEach((operand, i) => {
        if (operand === before) input[i] = name;
      });
    }
    node.output = node.output.map((result) => (result === before ? name : result));
    this.outputs.add(name);
    this.bind(value, name);
  }

  /** `y`, or NaN where `x` is not finite: x - x is 0 or NaN on every GPU, whatever a function does with NaN. */
  keepNaN(f: Unary | 'softmax', y: string, x: string): string {
    return this.dialect.losesNaN.has(f) ? this.node('Add', [y, this.node('Sub', [x, x])]) : y;
  }

  or(x: string, y: string): string {
    if (!this.dialect.lacks.has('Or')) return this.node('Or', [x, y]);
    return this.node('Not', [this.node('And', [this.node('Not', [x]), this.node('Not', [y])])]);
  }

  /** An int64 constant: axes, shapes, pads. */
  ints(values: readonly number[]): string {
    const key = values.join();
    const known = this.integers.get(key);
    if (known !== undefined) return known;
    const name = `i${this.next++}`;
    const raw = new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer);
    this.initializers.push(
      onnx.TensorProto.create({ name, dims: [values.length], dataType: onnx.TensorProto.DataType.INT64, rawData: raw }),
    );
    this.integers.set(key, name);
    return name;
  }

  constant(data: HostArray, shape: readonly number[], dtype: DType): string {
    const name = `c${this.next++}`;
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.initializers.push(onnx.TensorProto.create({ name, dims: [...shape], dataType: TYPE[dtype], rawData }));
    return name;
  }
}

function encodeAttribute(name: string, value: Attribute): InstanceType<typeof onnx.AttributeProto> {
  const { AttributeType } = onnx.AttributeProto;
  if (typeof value === 'string') {
    return onnx.AttributeProto.create({ name, type: AttributeType.STRING, s: new TextEncoder().encode(value) });
  }
  if (value instanceof Float32) return onnx.AttributeProto.create({ name, type: AttributeType.FLOAT, f: value.value });
  if (typeof value === 'number') return onnx.AttributeProto.create({ name, type: AttributeType.INT, i: value });
  return onnx.AttributeProto.create({ name, type: AttributeType.INTS, ints: [...value] });
}
