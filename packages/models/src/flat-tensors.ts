import { CertError, type HostTensor, type HostTree, isHostTensor } from '@cert/core';

/** The tensors of a tree by their dotted path. */
export type FlatTensors = Readonly<Record<string, HostTensor>>;

/**
 * Flattens a tree: `{ params: { conv1: { kernel } } }` becomes `{ 'params.conv1.kernel': ... }`.
 *
 * @throws CertError `bad-argument` for a key with a dot (which would be ambiguous) and for values that are not tensors
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
 * Restores the tree from the result of {@link flattenHost}.
 *
 * @param source the file's name for messages
 * @throws CertError `bad-file` if one name is a prefix of another, or a name has more than 64 parts
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
