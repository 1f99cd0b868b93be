import type { Shape } from '@cert/core';
import type * as Ort from 'onnxruntime-node';
import type { DeviceArray, DType, HostArray } from '../devices/device.js';
import type { ArraySpec } from '../trace/trace.js';

/** A session of ONNX Runtime, as far as it is used here. */
export type Session = Pick<Ort.InferenceSession, 'run' | 'release' | 'endProfiling'>;

/** ONNX Runtime, as far as it is used here. */
export interface Runtime extends Pick<typeof Ort, 'Tensor'> {
  readonly InferenceSession: {
    create(model: Uint8Array, options: Ort.InferenceSession.SessionOptions): Promise<Session>;
  };
}

/** Where a provider of ONNX Runtime keeps arrays, and how a session runs on them. */
export interface Memory<A extends DeviceArray> {
  /** The arrays that are alive. */
  readonly arrays: ReadonlySet<A>;
  /** Whether a model with these outputs gets the output `EMPTY` too; default no. */
  wantsEmpty?(outputs: readonly ArraySpec[]): boolean;
  /** Whether an array is one of them. */
  owns(array: DeviceArray): array is A;
  /** Copies values; there are as many as the shape has elements. */
  put(values: HostArray, shape: Shape, dtype: DType): A;
  /** Feeds arrays to a session and keeps what comes out, in order. */
  run(session: Session, inputs: readonly A[], outputs: readonly ArraySpec[]): Promise<readonly A[]>;
  /** Frees a session, at the latest when the last array that came out of it is disposed. */
  release(session: Session): Promise<void>;
  /** Frees what is held besides arrays. */
  dispose(): Promise<void>;
}
