import { CertError, type Shape, type Tensor, tf } from '@cert/core';

/** A tensor in the memory of the process: row-major values and their shape. Plain data. */
export interface HostTensor {
  /** Length of each axis. */
  readonly shape: Shape;
  /** As many values as the shape has elements, row-major; the kind of array is the dtype (float32 or int32). */
  readonly data: Float32Array | Int32Array;
}

/** Nested records with host tensors at the leaves, such as an optimizer's state. */
export interface HostTree {
  readonly [key: string]: HostTensor | HostTree;
}

/** Parameters or running statistics on the host: `params.conv1.kernel`. */
export type HostParams = { readonly [node: string]: { readonly [name: string]: HostTensor } };

/** Something whose values can be read: a TensorFlow.js tensor, or an array on a device of `@cert/jit`. */
export interface Readable {
  /** Length of each axis. */
  readonly shape: Shape;
  /** Copies the values to the host, row-major. */
  data(): Promise<Float32Array | Int32Array | Uint8Array>;
}

/** The type of `T` with every host tensor replaced by a TensorFlow.js tensor. */
export type AsTensors<T> = T extends HostTensor ? Tensor : { readonly [K in keyof T]: AsTensors<T[K]> };

/** The type of `T` with every readable tensor replaced by a host tensor. */
export type AsHost<T> = T extends Readable ? HostTensor : { readonly [K in keyof T]: AsHost<T[K]> };

/** Whether a branch of a {@link HostTree} is a tensor. A record may hold a key `data`, but not a typed array there. */
const isHostTensor = (value: unknown): value is HostTensor =>
  typeof value === 'object' && value !== null && 'data' in value && ArrayBuffer.isView(value.data) && 'shape' in value;

const isReadable = (value: unknown): value is Readable =>
  typeof value === 'object' && value !== null && 'data' in value && typeof value.data === 'function';

/** TensorFlow.js tensors with copies of the values of a tree, in the same structure. The caller disposes them. */
export function toTensors<T extends HostTensor | HostTree>(tree: T): AsTensors<T> {
  const copy = (node: HostTensor | HostTree): unknown => {
    if (!isHostTensor(node)) return Object.fromEntries(Object.entries(node).map(([key, part]) => [key, copy(part)]));
    const dtype = node.data instanceof Int32Array ? 'int32' : 'float32';
    // A copy: tfjs keeps the very array that it is given, and a later write to the host tree would change the tensor.
    return tf.tensor(node.data.slice(), [...node.shape], dtype);
  };
  return copy(tree) as AsTensors<T>;
}

/**
 * Copies the values of every tensor of a tree to the host, in the same structure: nested records of TensorFlow.js tensors or of
 * arrays on a device. Frees nothing.
 *
 * @throws CertError `bad-argument` naming a leaf that is neither float32 nor int32, or no tensor at all
 */
export async function toHost<T extends object>(tree: T): Promise<AsHost<T>> {
  const read = async (node: unknown, path: string): Promise<unknown> => {
    if (isReadable(node)) {
      const data = await node.data();
      if (data instanceof Float32Array || data instanceof Int32Array) return { shape: [...node.shape], data };
    } else if (typeof node === 'object' && node !== null && !Array.isArray(node)) {
      const entries = Object.entries(node).map(
        async ([key, part]) => [key, await read(part, path === '' ? key : `${path}.${key}`)] as const,
      );
      return Object.fromEntries(await Promise.all(entries));
    }
    throw new CertError(
      'bad-argument',
      `"${path}" is not a tensor of dtype float32 or int32.`,
      'Store nested records of float32 and int32 tensors; convert others first.',
    );
  };
  return (await read(tree, '')) as AsHost<T>;
}

/** The tensors of a tree by their dotted path. */
export type FlatTensors = Readonly<Record<string, HostTensor>>;

/**
 * Lays a tree out flat: `{ params: { conv1: { kernel } } }` becomes `{ 'params.conv1.kernel': ... }`.
 *
 * @throws CertError `bad-argument` for a key with a dot (the way back would be ambiguous) and for anything that is no tensor
 */
export function flattenHost(tree: HostTree): FlatTensors {
  const flat: [string, HostTensor][] = [];
  const visit = (node: unknown, path: string): void => {
    if (isHostTensor(node)) {
      flat.push([path, node]);
      return;
    }
    if (typeof node !== 'object' || node === null || Array.isArray(node)) {
      throw new CertError(
        'bad-argument',
        `"${path}" is neither a host tensor nor a record of them.`,
        'Give nested records with { shape, data: Float32Array | Int32Array } at the leaves.',
      );
    }
    for (const [key, part] of Object.entries(node)) {
      if (key === '' || key.includes('.')) {
        throw new CertError(
          'bad-argument',
          `The key "${key}" in "${path}" cannot be part of a tensor's name.`,
          'Use names that are not empty and hold no dot ("layer1_0_conv1").',
        );
      }
      visit(part, path === '' ? key : `${path}.${key}`);
    }
  };
  visit(tree, '');
  return Object.fromEntries(flat);
}

/** Names have a few parts: more are no tree that anyone made. */
const MAX_DEPTH = 64;

/**
 * The tree of which {@link flattenHost} makes these tensors.
 *
 * @param source the file's name for messages
 * @throws CertError `bad-file` when one name is the beginning of another, or has more than 64 parts
 */
export function unflattenHost(tensors: FlatTensors, source = 'the tensors'): HostTree {
  const build = (entries: readonly (readonly [path: string, rest: string, tensor: HostTensor])[]): HostTree => {
    const groups = new Map<string, (readonly [string, string, HostTensor])[]>();
    for (const [path, rest, tensor] of entries) {
      const dot = rest.indexOf('.');
      const key = dot < 0 ? rest : rest.slice(0, dot);
      const entry = [path, dot < 0 ? '' : rest.slice(dot + 1), tensor] as const;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [entry]);
      else group.push(entry);
    }
    return Object.fromEntries(
      [...groups].map(([key, group]) => {
        const leaf = group.find(([, rest]) => rest === '');
        if (leaf === undefined) return [key, build(group)];
        if (group.length === 1) return [key, leaf[2]];
        throw new CertError(
          'bad-file',
          `${source} holds a tensor "${leaf[0]}" and others whose names begin with "${leaf[0]}.".`,
          'Write checkpoints with encodeCheckpoint, which keeps the names apart.',
        );
      }),
    );
  };
  for (const path of Object.keys(tensors)) {
    const parts = path.split('.').length;
    if (parts <= MAX_DEPTH) continue;
    throw new CertError(
      'bad-file',
      `${source} holds a tensor whose name has ${parts} parts, ${path.slice(0, 20)}...`,
      `Names may have ${MAX_DEPTH} parts.`,
    );
  }
  return build(Object.entries(tensors).map(([path, tensor]) => [path, path, tensor]));
}
