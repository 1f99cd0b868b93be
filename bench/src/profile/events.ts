/** One run of one node, as ONNX Runtime's profiler has it. */
export interface NodeRun {
  /** The node's name in the ONNX model, or one that ONNX Runtime gave to a node of its own. */
  readonly node: string;
  readonly op: string;
  readonly ms: number;
  /** Shapes such as `64x32x14x14`; a scalar's is `scalar`. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** One run of the session. */
export interface SessionRun {
  readonly ms: number;
  readonly nodes: readonly NodeRun[];
}

/** An event of the profile; times are in microseconds. */
interface Event {
  readonly cat: string;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly args?: {
    readonly op_name?: string;
    readonly input_type_shape?: readonly TypedShape[];
    readonly output_type_shape?: readonly TypedShape[];
  };
}
type TypedShape = { readonly [type: string]: readonly number[] };

const KERNEL = '_kernel_time';

/** Reads the text of a profile: the runs of the session in order, each with the nodes that ran in it. */
export function readProfile(text: string): SessionRun[] {
  const events = JSON.parse(text) as readonly Event[];
  const kernels = events.filter(({ cat, name }) => cat === 'Node' && name.endsWith(KERNEL));
  return events
    .filter(({ cat, name }) => cat === 'Session' && name === 'model_run')
    .sort((a, b) => a.ts - b.ts)
    .map(({ ts, dur }) => ({
      ms: dur / 1000,
      nodes: kernels.filter((kernel) => kernel.ts >= ts && kernel.ts < ts + dur).map(nodeRun),
    }));
}

const nodeRun = ({ name, dur, args }: Event): NodeRun => ({
  node: name.slice(0, -KERNEL.length),
  op: args?.op_name ?? '',
  ms: dur / 1000,
  inputs: (args?.input_type_shape ?? []).map(shapeOf),
  outputs: (args?.output_type_shape ?? []).map(shapeOf),
});

const shapeOf = (typed: TypedShape): string => Object.values(typed)[0]?.join('x') || 'scalar';
