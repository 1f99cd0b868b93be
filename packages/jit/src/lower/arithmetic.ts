import type { TF } from '@cert/core';
import type { Builder } from '../graph/builder.js';
import type { Binary, Unary, Value } from '../graph/ir.js';
import { knownDtype } from './dtype.js';
import type { Kernel, Lowering, Lowerings } from './lowering.js';

/** Elementwise kernels of one operand. */
type UnaryKernel =
  | 'Abs'
  | 'Acos'
  | 'Acosh'
  | 'Asin'
  | 'Asinh'
  | 'Atan'
  | 'Atanh'
  | 'Ceil'
  | 'Cos'
  | 'Cosh'
  | 'Erf'
  | 'Exp'
  | 'Floor'
  | 'IsInf'
  | 'IsNan'
  | 'Log'
  | 'LogicalNot'
  | 'Neg'
  | 'Reciprocal'
  | 'Relu'
  | 'Round'
  | 'Sigmoid'
  | 'Sign'
  | 'Sin'
  | 'Sinh'
  | 'Softplus'
  | 'Sqrt'
  | 'Tan'
  | 'Tanh'
  | 'Elu'
  | 'Expm1'
  | 'Identity'
  | 'IsFinite'
  | 'Log1p'
  | 'Relu6'
  | 'Rsqrt'
  | 'Selu'
  | 'Square';

/** Elementwise kernels of two operands. */
type BinaryKernel =
  | 'Add'
  | 'Sub'
  | 'Multiply'
  | 'RealDiv'
  | 'Maximum'
  | 'Minimum'
  | 'Pow'
  | 'Equal'
  | 'Greater'
  | 'GreaterEqual'
  | 'Less'
  | 'LessEqual'
  | 'LogicalAnd'
  | 'LogicalOr'
  | 'LogicalXor'
  | 'NotEqual'
  | 'FloorDiv'
  | 'Mod'
  | 'SquaredDifference';

/** Kernels that compute element by element. */
export type ArithmeticKernels = { readonly [Name in UnaryKernel]: Kernel<TF.UnaryInputs> } & {
  readonly [Name in BinaryKernel]: Kernel<TF.BinaryInputs>;
} & {
  readonly AddN: Kernel<TF.AddNInputs>;
  readonly Cast: Kernel<TF.CastInputs, TF.CastAttrs>;
  readonly ClipByValue: Kernel<TF.ClipByValueInputs, TF.ClipByValueAttrs>;
  readonly EluGrad: Kernel<TF.EluGradInputs>;
  readonly LeakyRelu: Kernel<TF.LeakyReluInputs, TF.LeakyReluAttrs>;
  readonly Prelu: Kernel<TF.PreluInputs>;
  readonly Select: Kernel<TF.SelectInputs>;
  readonly Step: Kernel<TF.StepInputs, TF.StepAttrs>;
};

const unary =
  (f: Unary): Lowering<Kernel<TF.UnaryInputs>> =>
  (b, { x }) =>
    b.unary(f, x);

const binary =
  (f: Binary): Lowering<Kernel<TF.BinaryInputs>> =>
  (build, { a, b }) =>
    build.binary(f, a, b);

const float = (x: Value, build: Builder, value: number) => build.scalar(value, x.dtype);

/** a - floor(a / b) * b and floor(a / b), for both dtypes. */
const floorDiv = (build: Builder, a: Value, b: Value): Value => {
  if (a.dtype === 'float32') return build.unary('floor', build.binary('div', a, b));
  const quotient = build.unary('floor', build.binary('div', build.cast(a, 'float32'), build.cast(b, 'float32')));
  return build.cast(quotient, 'int32');
};

const leaky = (build: Builder, x: Value, alpha: Value): Value =>
  build.where(build.binary('ge', x, float(x, build, 0)), x, build.binary('mul', x, alpha));

const elu = (build: Builder, x: Value): Value =>
  build.where(
    build.binary('ge', x, float(x, build, 0)),
    x,
    build.binary('sub', build.unary('exp', x), float(x, build, 1)),
  );

/** Elementwise kernels. */
export const arithmetic: Lowerings<ArithmeticKernels> = {
  Abs: unary('abs'),
  Acos: unary('acos'),
  Acosh: unary('acosh'),
  Asin: unary('asin'),
  Asinh: unary('asinh'),
  Atan: unary('atan'),
  Atanh: unary('atanh'),
  Ceil: unary('ceil'),
  Cos: unary('cos'),
  Cosh: unary('cosh'),
  Erf: unary('erf'),
  Exp: unary('exp'),
  Floor: unary('floor'),
  IsInf: unary('isInf'),
  IsNan: unary('isNaN'),
  Log: unary('log'),
  LogicalNot: unary('not'),
  Neg: unary('neg'),
  Reciprocal: unary('reciprocal'),
  Relu: unary('relu'),
  Round: unary('round'),
  Sigmoid: unary('sigmoid'),
  Sign: unary('sign'),
  Sin: unary('sin'),
  Sinh: unary('sinh'),
  Softplus: unary('softplus'),
  Sqrt: unary('sqrt'),
  Tan: unary('tan'),
  Tanh: unary('tanh'),

  Add: binary('add'),
  Sub: binary('sub'),
  Multiply: binary('mul'),
  RealDiv: binary('div'),
  Maximum: binary('max'),
  Minimum: binary('min'),
  Pow: binary('pow'),
  Equal: binary('eq'),
  Greater: binary('gt'),
  GreaterEqual: binary('ge'),
  Less: binary('lt'),
  LessEqual: binary('le'),
  LogicalAnd: binary('and'),
  LogicalOr: binary('or'),
  LogicalXor: binary('xor'),
  NotEqual: (build, { a, b }) => build.unary('not', build.binary('eq', a, b)),
  // TensorFlow.js gives int32 for floats too.
  FloorDiv: (build, { a, b }) => build.cast(floorDiv(build, a, b), 'int32'),
  Mod: (build, { a, b }) => build.binary('sub', a, build.binary('mul', floorDiv(build, a, b), b)),
  SquaredDifference(build, { a, b }) {
    const difference = build.binary('sub', a, b);
    return build.binary('mul', difference, difference);
  },
  AddN: (build, inputs) => Object.values(inputs).reduce((sum, x) => build.binary('add', sum, x)),

  // Float to bool is "not zero" and float to int truncates, in both worlds.
  Cast: (build, { x }, { dtype }) => build.cast(x, knownDtype(dtype)),
  ClipByValue: (build, { x }, { clipValueMin, clipValueMax }) =>
    build.binary('min', build.binary('max', x, float(x, build, clipValueMin)), float(x, build, clipValueMax)),
  Elu: (build, { x }) => elu(build, x),
  EluGrad: (build, { dy, y }) =>
    build.binary(
      'mul',
      dy,
      build.where(
        build.binary('ge', y, float(y, build, 0)),
        float(y, build, 1),
        build.binary('add', y, float(y, build, 1)),
      ),
    ),
  Expm1: (build, { x }) => build.binary('sub', build.unary('exp', x), float(x, build, 1)),
  Identity: (_, { x }) => x,
  // Finite: x - x is 0; of an infinity or NaN it is NaN.
  IsFinite(build, { x }) {
    const zero = build.binary('sub', x, x);
    return build.binary('eq', zero, float(x, build, 0));
  },
  LeakyRelu: (build, { x }, { alpha }) => leaky(build, x, float(x, build, alpha)),
  Log1p: (build, { x }) => build.unary('log', build.binary('add', x, float(x, build, 1))),
  Prelu: (build, { x, alpha }) => leaky(build, x, alpha),
  Relu6: (build, { x }) => build.binary('min', build.unary('relu', x), float(x, build, 6)),
  Rsqrt: (build, { x }) => build.unary('reciprocal', build.unary('sqrt', x)),
  Select(build, { condition, t, e }) {
    const rank = t.shape.length;
    // A condition of rank 1 selects rows.
    const shape = condition.shape.length === rank ? condition.shape : [...condition.shape, ...Array(rank - 1).fill(1)];
    return build.where(build.reshape(condition, shape), t, e);
  },
  Selu: (build, { x }) => {
    const [scale, alpha] = [1.0507009873554805, 1.6732632423543772];
    const negative = build.binary(
      'mul',
      build.binary('sub', build.unary('exp', x), float(x, build, 1)),
      float(x, build, scale * alpha),
    );
    return build.where(
      build.binary('ge', x, float(x, build, 0)),
      build.binary('mul', x, float(x, build, scale)),
      negative,
    );
  },
  Square: (build, { x }) => build.binary('mul', x, x),
  /** 1 where x > 0, alpha elsewhere, NaN where x is NaN. */
  Step(build, { x }, { alpha }) {
    const above = build.cast(build.binary('gt', x, float(x, build, 0)), x.dtype);
    if (alpha === 0) return above;
    const scaled = build.binary('mul', above, float(x, build, 1 - alpha));
    return build.binary('add', scaled, float(x, build, alpha));
  },
};
