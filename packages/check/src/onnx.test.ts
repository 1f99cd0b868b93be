import { describe, expect, it } from 'vitest';
import { prepare } from '../test/execute.ts';
import { exactIbp, less, minus, of, toNumber } from '../test/fractions.ts';
import { certificate, NetBuilder, type NetSpec, networkFile, sealed, seeded, sizeOf } from '../test/make.ts';
import {
  channelsFirst,
  type encode,
  floats,
  type Numbers,
  type OnnxNet,
  type OnnxNode,
  onnxCertificate,
  onnxFile,
  toOnnx,
} from '../test/make-onnx.ts';
import { smallNet } from '../test/nets.ts';
import { checkCertificate, createChecker } from './check.js';

/** Fields of a message. */
type Fields = NonNullable<OnnxNode['more']>;

const check = (data: object, bytes: Uint8Array<ArrayBuffer>) =>
  checkCertificate(JSON.stringify(data), async () => bytes);

/** With constants that are float32 numbers, as ONNX has them. */
function roundedNet(seed: number): NetSpec {
  const net = smallNet(seed);
  const rounded = (list: unknown) => (list as number[]).map(Math.fround);
  const nodes = net.nodes.map((node) =>
    node.op === 'affine'
      ? { ...node, attrs: { scale: rounded(node.attrs.scale), shift: rounded(node.attrs.shift) } }
      : node,
  );
  return { ...net, nodes };
}

describe('a network as ONNX and as a checkpoint', () => {
  it.each([0, 1, 2, 3, 5, 6, 10, 15])('has the same margins, which contain the exact ones: net %i', async (seed) => {
    const random = seeded(seed + 50);
    const net = roundedNet(seed);
    const onnx = toOnnx(net);
    const x = Float32Array.from({ length: sizeOf(net.inputShape) }, () => Math.round(random() * 64) / 64);
    const epsilon = [0, 2 ** -12][seed % 2]!;
    const box = { lower: [...x].map((v) => of(v - epsilon)), upper: [...x].map((v) => of(v + epsilon)) };
    const exact = exactIbp(net, box, 1);
    const input = channelsFirst(x, net.inputShape);
    for (const level of ['real', 'deployed'] as const) {
      const relu = onnx.nodes.find(({ op }) => op === 'Relu')!;
      for (const slopes of [undefined, {}, { [relu.name]: new Float32Array(64).fill(0.5) }]) {
        const claim = { epsilon: epsilon === 0 ? '0' : '1/4096', label: 1, level, ...(slopes && { slopes }) };
        const one = await check(certificate({ net, input: x, ...claim }), networkFile(net));
        const two = await check(onnxCertificate(onnx, { input, classes: 3, ...claim }), onnxFile(onnx));
        expect(two.margins).toHaveLength(2);
        two.margins.forEach((margin, i) => {
          const size = 1 + Math.abs(margin);
          expect(Math.abs(margin - one.margins[i]!)).toBeLessThan((level === 'real' ? 1e-10 : 1e-4) * size);
          if (slopes !== undefined && epsilon > 0) return;
          expect(less(exact.margins[i]!, of(margin))).toBe(false);
          expect(toNumber(minus(exact.margins[i]!, of(margin)))).toBeLessThan((level === 'real' ? 1e-9 : 1e-3) * size);
        });
      }
    }
  });

  it('has executions within the margins', async () => {
    const random = seeded(4);
    for (let seed = 0; seed < 12; seed++) {
      const net = roundedNet(seed);
      const [onnx, execute] = [toOnnx(net), prepare(net)];
      const x = Float32Array.from({ length: sizeOf(net.inputShape) }, random);
      const claim = {
        input: channelsFirst(x, net.inputShape),
        epsilon: '0',
        label: 0,
        classes: 3,
        level: 'deployed',
      } as const;
      const { margins } = await check(onnxCertificate(onnx, claim), onnxFile(onnx));
      for (let i = 0; i < 50; i++) {
        const logits = execute(x, random);
        margins.forEach((margin, at) => {
          expect(logits[0]! - logits[at + 1]!).toBeGreaterThanOrEqual(margin);
        });
      }
    }
  });
});

/** The margin of class 0 over class 1 at a point, over the real numbers; the last node has two numbers. */
async function marginAt(input: readonly number[], net: OnnxNet): Promise<number> {
  const data = onnxCertificate(net, { input: Float32Array.from(input), epsilon: '0', label: 0 });
  const { margins, reason } = await check(data, onnxFile(net));
  if (margins.length === 0) throw new Error(reason);
  return margins[0]!;
}

const node = (
  op: string,
  name: string,
  inputs: readonly string[],
  attributes: OnnxNode['attributes'] = {},
): OnnxNode => ({
  ...{ op, name, inputs, attributes },
});
const net = (
  inputShape: readonly number[],
  tensors: { readonly [name: string]: Numbers },
  ...nodes: OnnxNode[]
): OnnxNet => ({
  ...{ inputShape, tensors, nodes },
});
const integers = (...values: number[]): Numbers => ({
  shape: [values.length],
  data: BigInt64Array.from(values, BigInt),
});

describe('ops', () => {
  const c = floats([2], 4, 0.5);
  it.each<[string, number, OnnxNet]>([
    ['Add', 7 - 5.5, net([1, 2], { c }, node('Add', 'y', ['input', 'c']))],
    ['Add, the tensor first', 7 - 5.5, net([1, 2], { c }, node('Add', 'y', ['c', 'input']))],
    ['Add of a value to itself', 2 * (3 - 5), net([1, 2], {}, node('Add', 'y', ['input', 'input']))],
    ['Sub', -1 - 4.5, net([1, 2], { c }, node('Sub', 'y', ['input', 'c']))],
    ['Sub, the tensor first', 1 + 4.5, net([1, 2], { c }, node('Sub', 'y', ['c', 'input']))],
    ['Mul', 12 - 2.5, net([1, 2], { c }, node('Mul', 'y', ['c', 'input']))],
    ['Mul by one number', 2 * (3 - 5), net([1, 2], { c: floats([], 2) }, node('Mul', 'y', ['input', 'c']))],
    ['Div', 0.75 - 10, net([0, 2], { c }, node('Div', 'y', ['input', 'c']))],
    ['Identity', 3 - 5, net([1, 2], {}, node('Identity', 'y', ['input']))],
    [
      'Identity of a tensor',
      7 - 5.5,
      net([1, 2], { c }, node('Identity', 'd', ['c']), node('Add', 'y', ['input', 'd'])),
    ],
    ['Constant', 7 - 5.5, net([1, 2], {}, node('Constant', 'd', [], { value: c }), node('Add', 'y', ['input', 'd']))],
    ['Relu', 1 - 0, net([1, 2], { c }, node('Sub', 'z', ['c', 'input']), node('Relu', 'y', ['z']))],
    [
      'MatMul and Add',
      3 * 1 + 5 * 3 + 4 - (3 * 2 + 5 * -1 + 0.5),
      net(
        [1, 2],
        { w: floats([2, 2], 1, 2, 3, -1), c },
        node('MatMul', 'z', ['input', 'w']),
        node('Add', 'y', ['z', 'c']),
      ),
    ],
    [
      'Gemm',
      3 * 1 + 5 * 3 + 4 - (3 * 2 + 5 * -1 + 0.5),
      net([1, 2], { w: floats([2, 2], 1, 2, 3, -1), c }, node('Gemm', 'y', ['input', 'w', 'c'])),
    ],
    [
      'Gemm, transposed, one bias for all',
      3 * 1 + 5 * 2 - (3 * 3 + 5 * -1),
      net(
        [1, 2],
        { w: floats([2, 2], 1, 2, 3, -1), c: floats([1], 9) },
        node('Gemm', 'y', ['input', 'w', 'c'], { transB: 1 }),
      ),
    ],
    [
      'Gemm without bias',
      3 * 1 + 5 * 3 - (3 * 2 + 5 * -1),
      net([1, 2], { w: floats([2, 2], 1, 2, 3, -1) }, node('Gemm', 'y', ['input', 'w'], { alpha: { float: 1 } })),
    ],
    ['Reshape', 3 - 5, net([1, 2, 1], { s: integers(0, -1) }, node('Reshape', 'y', ['input', 's']))],
    ['Flatten', 3 - 5, net([1, 1, 2, 1], {}, node('Flatten', 'y', ['input'], { axis: -3 }))],
    [
      'BatchNormalization of a vector',
      // (x - mean) gamma / sqrt(variance + 1/4) + beta
      ((3 - 1) * 3) / 1.5 + 1 - (((5 - 2) * -1) / 0.5 + 2),
      net(
        [1, 2],
        { g: floats([2], 3, -1), b: floats([2], 1, 2), m: floats([2], 1, 2), v: floats([2], 2, 0) },
        node('BatchNormalization', 'y', ['input', 'g', 'b', 'm', 'v'], { epsilon: { float: 0.25 }, training_mode: 0 }),
      ),
    ],
    [
      'a tensor for each pixel',
      3 - 10 - (5 - 20),
      net([1, 1, 1, 2], { c: floats([1, 2], 10, 20) }, node('Sub', 'z', ['input', 'c']), node('Flatten', 'y', ['z'])),
    ],
  ])('%s', async (_, expected, network) => {
    expect(await marginAt([3, 5], network)).toBeCloseTo(expected, 9);
  });

  it('Conv with sides that differ, groups, and windows over the edge', async () => {
    const random = seeded(3);
    const [height, width] = [5, 7];
    const [kh, kw] = [2, 3];
    const [strides, dilations, pads] = [
      [2, 1],
      [2, 1],
      [1, 0, 2, 3],
    ] as const;
    const x = Array.from({ length: 4 * height * width }, () => Math.round(random() * 8));
    const weight = Array.from({ length: 6 * 2 * kh * kw }, () => Math.round(random() * 8 - 4));
    const rows = Math.floor((height + 3 - (kh - 1) * 2 - 1) / 2) + 1;
    const columns = width + 3 - (kw - 1);
    const size = 6 * rows * columns;
    // The sum that ONNX describes, number by number.
    const out = Array.from({ length: size }, (_, i) => {
      const [f, row, column] = [Math.floor(i / rows / columns), Math.floor(i / columns) % rows, i % columns];
      let sum = f - 2;
      for (let k = 0; k < 2 * kh * kw; k++) {
        const [ch, ky, kx] = [Math.floor(k / kh / kw), Math.floor(k / kw) % kh, k % kw];
        const [iy, ix] = [row * 2 + ky * 2 - 1, column + kx];
        if (iy < 0 || iy >= height || ix >= width) continue;
        sum +=
          weight[(f * 2 + ch) * kh * kw + ky * kw + kx]! *
          x[((Math.floor(f / 3) * 2 + ch) * height + iy) * width + ix]!;
      }
      return sum;
    });
    const last = Array.from({ length: 2 * size }, (_, i) => (i < size ? ((i * 7) % 11) - 5 : 0));
    const network = net(
      [1, 4, height, width],
      { w: floats([6, 2, kh, kw], ...weight), b: floats([6], -2, -1, 0, 1, 2, 3), last: floats([2, size], ...last) },
      node('Conv', 'z', ['input', 'w', 'b'], { group: 2, strides, dilations, pads }),
      node('Flatten', 'flat', ['z']),
      node('Gemm', 'y', ['flat', 'last'], { transB: 1 }),
    );
    const expected = out.reduce((sum, value, i) => sum + value * last[i]!, 0);
    expect(await marginAt(x, network)).toBeCloseTo(expected, 8);
  });

  it('tensors for each pixel after a Conv, the sum of two values and a normalization', async () => {
    const [x, each] = [[1, 2, 3, 4], floats([1, 2], 10, 20)];
    const v = (...values: readonly number[]) => floats([1], ...values);
    const network = net(
      [1, 1, 2, 2],
      { w: floats([1, 1, 1, 2], 1, 2), each, g: v(3), b: v(1), m: v(2), s: v(0.75), row: floats([2, 1], 5, -1) },
      node('Conv', 'z', ['input', 'w'], { pads: [0, 0, 0, 1] }),
      node('Mul', 'scaled', ['each', 'z']),
      node('Add', 'both', ['scaled', 'input']),
      node('BatchNormalization', 'normal', ['both', 'g', 'b', 'm', 's'], { epsilon: { float: 0.25 } }),
      node('Sub', 'moved', ['row', 'normal']),
      node('AveragePool', 'p', ['moved'], { kernel_shape: [1, 2] }),
      node('Flatten', 'y', ['p']),
    );
    // z = [5, 2; 11, 4], times 10 and 20, plus the input, then 3 (z - 2) + 1, subtracted from 5 and -1; the mean of each row.
    const normal = [5 * 10 + 1, 2 * 20 + 2, 11 * 10 + 3, 4 * 20 + 4].map((both) => 3 * (both - 2) + 1);
    const rows = [0, 1].map((row) => [5, -1][row]! - (normal[2 * row]! + normal[2 * row + 1]!) / 2);
    expect(await marginAt(x, network)).toBeCloseTo(rows[0]! - rows[1]!, 8);
  });

  it('AveragePool with windows that overlap', async () => {
    const x = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const network = net(
      [1, 1, 3, 3],
      {},
      node('AveragePool', 'z', ['input'], { kernel_shape: [3, 2], strides: [1, 1] }),
      node('Flatten', 'y', ['z']),
    );
    expect(await marginAt(x, network)).toBeCloseTo(4.5 - 5.5, 9);
  });
});

describe('at level deployed', () => {
  it('a sum with a tensor for each pixel rounds', async () => {
    // 2^24 + 1 and 2^24 + 0.5 are both 2^24 in float32.
    const network = net(
      [1, 1, 1, 2],
      { w: floats([1, 1, 1, 1], 2 ** 24), b: floats([1, 2], 1, 0.5) },
      node('Conv', 'z', ['input', 'w']),
      node('Add', 'h', ['z', 'b']),
      node('Flatten', 'y', ['h']),
    );
    const holds = async (level: 'real' | 'deployed') => {
      const data = onnxCertificate(network, { input: Float32Array.of(1, 1), epsilon: '0', label: 0, level });
      return (await check(data, onnxFile(network))).holds;
    };
    expect(await holds('real')).toBe(true);
    expect(await holds('deployed')).toBe(false);
  });

  it('a MatMul and its Add may be one sum that begins with the bias', async () => {
    // 2^24 + 1 + ... + 1 - 2^24 - 2: with the bias first every 1 is lost, as a separate Add it is not.
    const ones = 8;
    const w = floats([ones, 2], ...Array.from({ length: 2 * ones }, (_, i) => (i % 2 === 0 ? 1 : 0)));
    const network = net(
      [1, ones],
      { w, b: floats([2], 2 ** 24, 2 ** 24 + 2) },
      node('MatMul', 'z', ['input', 'w']),
      node('Add', 'y', ['z', 'b']),
    );
    const holds = async (level: 'real' | 'deployed') => {
      const input = new Float32Array(ones).fill(1);
      return (await check(onnxCertificate(network, { input, epsilon: '0', label: 0, level }), onnxFile(network))).holds;
    };
    expect(await holds('real')).toBe(true);
    expect(await holds('deployed')).toBe(false);
  });
});

/** A small net that holds at [3, 1]. */
const small = net(
  [1, 2],
  { w: floats([2, 2], 1, -1, -1, 1), b: floats([2], 0.5, 0), s: integers(1, 2) },
  node('Gemm', 'z', ['input', 'w', 'b']),
  node('Relu', 'h', ['z']),
  node('Reshape', 'y', ['h', 's']),
);
const input = Float32Array.of(3, 1);
const claim = { input, epsilon: '1/10', label: 0, level: 'deployed' } as const;
const holding = onnxCertificate(small, claim);
const file = onnxFile(small);

describe('certificates of ONNX files', () => {
  it('hold, with slopes by the names of outputs', async () => {
    expect(await check(holding, file)).toMatchObject({ holds: true, property: 'label 0 within 1/10' });
    expect((await checkCertificate(sealed(holding), async () => file)).holds).toBe(true);
    const slopes = { h: Float32Array.of(1, 0) };
    expect((await check(onnxCertificate(small, { ...claim, slopes }), file)).holds).toBe(true);
    expect(await check(onnxCertificate(small, { ...claim, slopes: { z: slopes.h } }), file)).toMatchObject({
      holds: false,
      reason: 'the evidence names "z", which is no ReLU of the network',
    });
  });

  it('are refused for any changed byte of the file, and for one of a tensor also where the hash of the file is made to fit', async () => {
    const checker = createChecker(async () => file);
    expect((await checker(JSON.stringify(holding))).holds).toBe(true);
    const start = (data: Uint8Array) => Buffer.from(file).indexOf(data);
    const ofTensors = Object.values(small.tensors).flatMap(({ data }) => {
      const bytes = new Uint8Array(data.buffer);
      return Array.from(bytes, (_, i) => start(bytes) + i);
    });
    const accepted: number[] = [];
    let other = 0;
    for (let at = 0; at < file.length; at++) {
      for (const change of [1, 0x80, 0x55]) {
        const damaged = file.slice();
        damaged[at]! ^= change;
        if ((await check(holding, damaged)).holds) accepted.push(at);
        const fitting = onnxCertificate(small, { ...claim, file: damaged });
        if (!(await check(fitting, damaged)).holds) continue;
        if (ofTensors.includes(at)) accepted.push(at);
        else other++;
      }
      if ((await check(onnxCertificate(small, { ...claim, file: file.slice(0, at) }), file.slice(0, at))).holds)
        accepted.push(at);
    }
    expect(accepted).toEqual([]);
    // Names for people, and the version.
    expect(other).toBeLessThan(100);
  });

  it('are refused for tensors that are missing, or more', async () => {
    const { b, ...tensors } = holding.network.tensors;
    const named = (changed: object) => ({ ...holding, network: { ...holding.network, tensors: changed } });
    expect((await check(named(tensors), file)).reason).toBe('the SHA-256 of tensor "b" differs or is not listed');
    expect((await check(named({ ...holding.network.tensors, c: b }), file)).reason).toMatch(/lists the tensor "c"/);
  });
});

describe('fields that other readers of ONNX take differently are refused', () => {
  const kernel = floats([2, 2], 1, 2, 3, 4);
  const float = (value: number) => new Uint8Array(Float32Array.of(value).buffer);
  const alpha = (...values: Fields) => [[1, 'alpha'], ...values, [20, 1]] as const;
  const turned = [
    [1, 'transB'],
    [3, 1],
    [20, 2],
  ] as const;
  // The tag, taken as 32 bits, is that of the field 5.
  const hidden = 2 ** 29 + 5;
  it.each<[string, RegExp, Fields]>([
    ['a float that occurs twice', /occurs twice/, [[5, alpha([2, { float: 1 }], [2, { float: 0.5 }])]]],
    ['a float as bytes', /encoded in another way/, [[5, alpha([2, float(1)])]]],
    [
      'a whole number as a float',
      /encoded in another way/,
      [
        [
          5,
          [
            [1, 'transB'],
            [3, { float: 1 }],
            [20, 2],
          ],
        ],
      ],
    ],
    ['an input as a float', /encoded in another way/, [[1, { float: 1 }]]],
    ['a field with a tag beyond 32 bits', /not a protobuf message/, [[hidden, turned]]],
  ])('%s', async (_, reason, more) => {
    const onnx = net([1, 2], { w: kernel }, { ...node('Gemm', 'y', ['input', 'w']), more });
    const claim = { input: Float32Array.of(1, 2), classes: 2, epsilon: '0', label: 1, level: 'real' } as const;
    const { holds, reason: found } = await check(onnxCertificate(onnx, claim), onnxFile(onnx));
    expect([holds, found]).toEqual([false, expect.stringMatching(reason)]);
  });
});

describe('ONNX files that are refused', () => {
  const v = floats([2], 1, 2);
  const image = [1, 2, 2, 2];
  const pool = { kernel_shape: [2, 2] };
  it.each<[RegExp, OnnxNet]>([
    [/no rule for this op/, net([1, 2], {}, node('Sigmoid', 'y', ['input']))],
    [/not one of ONNX itself/, net([1, 2], {}, { ...node('Relu', 'y', ['input']), more: [[7, 'com.example']] })],
    [/of another type/, net([1, 2], {}, node('Flatten', 'y', ['input'], { axis: { float: 1 } }))],
    [/not one of ONNX itself/, net([1, 2], {}, node('relu', 'y', ['input']))],
    [/no rule for the attribute "slope"/, net([1, 2], {}, node('Relu', 'y', ['input'], { slope: 1 }))],
    [
      /occurs twice/,
      net(
        [1, 2],
        {},
        {
          ...node('Flatten', 'y', ['input'], { axis: 1 }),
          more: [
            [
              5,
              [
                [1, 'axis'],
                [3, 1],
                [20, 2],
              ],
            ],
          ],
        },
      ),
    ],
    [/"x" does not come before/, net([1, 2], {}, node('Relu', 'y', ['x']))],
    [/does not come before/, net([1, 2], { w: floats([2, 2], 1, 0, 0, 1) }, node('Gemm', 'y', ['input', 'w', 'none']))],
    [/another value has this name/, net([1, 2], {}, node('Relu', 'y', ['input']), node('Relu', 'y', ['y']))],
    [/another value has this name/, net([1, 2], { v }, node('Relu', 'v', ['input']))],
    [/does not have one output/, net([1, 2], {}, { ...node('Relu', 'y', ['input']), more: [[2, 'z']] })],
    [/does not have one output/, { ...net([1, 2], {}, node('Relu', 'y', ['input'])), more: [[12, [[1, 'z']]]] }],
    [/does not have one input/, { ...net([1, 2], {}, node('Relu', 'y', ['input'])), more: [[11, [[1, 'z']]]] }],
    [/sparse/, { ...net([1, 2], {}, node('Relu', 'y', ['input'])), more: [[15, []]] }],
    [/occurs twice/, { ...net([1, 2], {}, node('Relu', 'y', ['input'])), last: [[8, [[2, 18]]]] }],
    [/functions/, { ...net([1, 2], {}, node('Relu', 'y', ['input'])), last: [[25, []]] }],
    [/version 6/, { ...net([1, 2], {}, node('Relu', 'y', ['input'])), opset: 6 }],
    [/first dimension/, net([2, 2], {}, node('Relu', 'y', ['input']))],
    [/no rule for values/, net([1, 2], {}, node('Mul', 'y', ['input', 'input']))],
    [/no float32 tensor/, net([1, 2], { s: integers(1, 2) }, node('Mul', 'y', ['input', 's']))],
    [/does not fit/, net([1, 2], { c: floats([3, 2], 1, 2, 3, 4, 5, 6) }, node('Mul', 'y', ['input', 'c']))],
    [/does not fit/, net([1, 2], { c: floats([1, 1, 2], 1, 2) }, node('Mul', 'y', ['input', 'c']))],
    [/divisor/, net([1, 2], { v }, node('Div', 'y', ['v', 'input']))],
    [/divisor/, net([1, 2], { c: floats([2], 1, 0) }, node('Div', 'y', ['input', 'c']))],
    [/not finite/, net([1, 2], { c: floats([2], 1, Number.NaN) }, node('Add', 'y', ['input', 'c']))],
    [/may overflow/, net([1, 2], { c: floats([2], 1, 2 ** 127) }, node('Mul', 'y', ['input', 'c']))],
    [
      /no rule for the product/,
      net([1, 2], { w: floats([3, 2], 1, 2, 3, 4, 5, 6) }, node('MatMul', 'y', ['input', 'w'])),
    ],
    [
      /no rule for the product/,
      net([1, 2], { w: floats([2, 2], 1, 2, 3, 4) }, node('Gemm', 'y', ['input', 'w'], { alpha: { float: 2 } })),
    ],
    [
      /no rule for the product/,
      net([1, 2], { w: floats([2, 2], 1, 2, 3, 4) }, node('Gemm', 'y', ['input', 'w'], { transA: 1 })),
    ],
    [
      /no rule for the product/,
      net([1, 2], { w: floats([2, 2], 1, 2, 3, 4) }, node('Gemm', 'y', ['input', 'w'], { transB: 2 })),
    ],
    [/cannot be reshaped/, net([1, 2], { s: integers(3, -1) }, node('Reshape', 'y', ['input', 's']))],
    [/cannot be reshaped/, net([1, 6], { s: integers(4, -1) }, node('Reshape', 'y', ['input', 's']))],
    [/cannot be reshaped/, net([1, 2], { s: integers(-1, -1) }, node('Reshape', 'y', ['input', 's']))],
    [/not in the file/, net([1, 2], {}, node('Reshape', 'y', ['input', 'input']))],
    [/no logits/, net(image, {}, node('Relu', 'y', ['input']))],
    [/not one image/, net([1, 8], {}, node('GlobalAveragePool', 'y', ['input']))],
    [/over padding/, net(image, {}, node('AveragePool', 'y', ['input'], { ...pool, pads: [1, 0, 0, 0] }))],
    [/over padding/, net(image, {}, node('AveragePool', 'y', ['input'], { ...pool, ceil_mode: 1 }))],
    [/given by its numbers/, net(image, {}, node('AveragePool', 'y', ['input'], { ...pool, auto_pad: 'SAME_UPPER' }))],
    [/not one of images/, net(image, {}, node('AveragePool', 'y', ['input']))],
    [/not one of images/, net(image, {}, node('AveragePool', 'y', ['input'], { ...pool, strides: [0, 1] }))],
    [/larger than the input/, net(image, {}, node('AveragePool', 'y', ['input'], { kernel_shape: [3, 2] }))],
    [/does not fit 2 channels/, net(image, { w: floats([1, 1, 2, 2], 1, 2, 3, 4) }, node('Conv', 'y', ['input', 'w']))],
    [
      /given by its numbers/,
      net(image, { w: floats([1, 2, 1, 1], 1, 2) }, node('Conv', 'y', ['input', 'w'], { kernel_shape: [2, 2] })),
    ],
    [
      /not one number for each of 1 channels/,
      net(image, { w: floats([1, 2, 1, 1], 1, 2), v }, node('Conv', 'y', ['input', 'w', 'v'])),
    ],
    [
      /training/,
      net([1, 2], { v }, node('BatchNormalization', 'y', ['input', 'v', 'v', 'v', 'v'], { training_mode: 1 })),
    ],
    [
      /attribute "spatial"/,
      net([1, 2], { v }, node('BatchNormalization', 'y', ['input', 'v', 'v', 'v', 'v'], { spatial: 1 })),
    ],
    [
      /one number for each/,
      net(image, { v: floats([1], 1) }, node('BatchNormalization', 'y', ['input', 'v', 'v', 'v', 'v'])),
    ],
  ])('%s', async (reason, network) => {
    const data = onnxCertificate(network, { input: new Float32Array(sizeOf(network.inputShape.slice(1))), label: 0 });
    const verdict = await check(data, onnxFile(network));
    expect(verdict).toMatchObject({ holds: false, reason: expect.stringMatching(reason), margins: [] });
  });

  it('tensors with numbers elsewhere, of another type or cut off', async () => {
    const tensor = (...fields: Parameters<typeof encode>[0]) => ({
      ...small,
      more: [[5, [[8, 'x'], ...fields]]] as const,
    });
    const four = new Uint8Array(4);
    for (const [reason, network] of [
      [/in another file/, tensor([1, 1], [2, 1], [14, 1])],
      [
        /in another file/,
        tensor(
          [1, 1],
          [2, 1],
          [9, four],
          [
            13,
            [
              [1, 'location'],
              [2, 'x'],
            ],
          ],
        ),
      ],
      [/data type 10/, tensor([1, 1], [2, 10], [9, four])],
      [/4 bytes do not fit/, tensor([1, 2], [2, 1], [9, four])],
      [/4 bytes do not fit/, tensor([1, -1], [1, -1], [2, 1], [9, four])],
      [/occurs twice/, tensor([1, 1], [2, 1], [9, four], [4, four])],
      [/of another type/, tensor([1, 2], [2, 1], [7, 5])],
      [
        /named "w"/,
        {
          ...small,
          more: [
            [
              5,
              [
                [8, 'w'],
                [1, 1],
                [2, 1],
                [9, four],
              ],
            ],
          ],
        },
      ],
      [
        /has no name/,
        {
          ...small,
          more: [
            [
              5,
              [
                [1, 1],
                [2, 1],
                [9, four],
              ],
            ],
          ],
        },
      ],
    ] as const) {
      const bytes = onnxFile(network);
      const { reason: found } = await check(onnxCertificate(small, { ...claim, file: bytes }), bytes);
      expect(found).toMatch(reason);
    }
    const checkpoint = networkFile(new NetBuilder([2], () => 1).dense(2).build());
    expect((await check(onnxCertificate(small, { ...claim, file: checkpoint }), checkpoint)).holds).toBe(false);
  });

  it('what is no protobuf message', async () => {
    for (const bytes of [
      [0x0b],
      [0x08],
      [0x08, ...new Array(10).fill(0xff), 1],
      [0x0a, 5, 0],
      // A length of -3 would lead back.
      [0x0a, 0xfd, ...new Array(8).fill(0xff), 1],
      [0x0d, 0, 0],
      [],
    ]) {
      const damaged = Uint8Array.from(bytes);
      const { holds, reason } = await check(onnxCertificate(small, { ...claim, file: damaged }), damaged);
      expect([holds, reason]).toEqual([false, expect.any(String)]);
    }
  });
});
