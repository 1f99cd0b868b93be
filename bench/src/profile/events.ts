import { sizeOf } from '@cert/core';
import { sum } from '../statistics.js';

/** One run of one node, as ONNX Runtime's profiler has it. */
export interface NodeRun {
  /** The node's name in the ONNX model, or one that ONNX Runtime gave to a node of its own. */
  readonly node: string;
  readonly op: string;
  /** On a GPU the time that its dispatches take there. */
  readonly ms: number;
  /** Programs that it starts on a GPU; 0 on a CPU. */
  readonly dispatches: number;
  /** What these read and write, in MiB: the elements of all operands and results once, 4 bytes each. */
  readonly movedMiB: number;
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
    /** Of a dispatch: `inputs[0] = {32,64} outputs[0] = {} `. */
    readonly shapes?: string;
  };
}
type TypedShape = { readonly [type: string]: readonly number[] };

const KERNEL = '_kernel_time';

/** Reads the text of a profile: the runs of the session in order, each with the nodes that ran in it. */
export function readProfile(text: string): SessionRun[] {
  const events = JSON.parse(text) as readonly Event[];
  const kernels = events.filter(({ cat, name }) => cat === 'Node' && name.endsWith(KERNEL));
  const dispatches = events.filter(({ cat }) => cat === 'Api');
  return events
    .filter(({ cat, name }) => cat === 'Session' && name === 'model_run')
    .sort((a, b) => a.ts - b.ts)
    .map((run) => {
      const within = ({ ts }: Event) => ts >= run.ts && ts < run.ts + run.dur;
      const byNode = new Map<string, Event[]>();
      for (const dispatch of dispatches.filter(within)) {
        // `t84&Conv&Conv2dMM`: the node, its op, the program.
        const [node = ''] = dispatch.name.split('&');
        byNode.set(node, [...(byNode.get(node) ?? []), dispatch]);
      }
      const nodes = kernels.filter(within).map((kernel) => nodeRun(kernel, byNode));
      return { ms: run.dur / 1000, nodes };
    });
}

function nodeRun({ name, dur, args }: Event, byNode: ReadonlyMap<string, readonly Event[]>): NodeRun {
  const node = name.slice(0, -KERNEL.length);
  const dispatches = byNode.get(node) ?? [];
  return {
    node,
    op: args?.op_name ?? '',
    ms: (dispatches.length === 0 ? dur : sum(dispatches.map((dispatch) => dispatch.dur))) / 1000,
    dispatches: dispatches.length,
    movedMiB: sum(dispatches.map((dispatch) => elements(dispatch.args?.shapes ?? ''))) / 2 ** 18,
    inputs: (args?.input_type_shape ?? []).map(shapeOf),
    outputs: (args?.output_type_shape ?? []).map(shapeOf),
  };
}

/** The elements of all shapes `{32,64}` in a text; `{}` is a scalar. */
const elements = (shapes: string): number =>
  sum([...shapes.matchAll(/\{([\d,]*)\}/g)].map(([, shape]) => sizeOf(shape!.split(',').filter(Boolean).map(Number))));

const shapeOf = (typed: TypedShape): string => Object.values(typed)[0]?.join('x') || 'scalar';
