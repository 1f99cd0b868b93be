import { CertError } from '@cert/core';
import type { OnnxAttribute, OnnxNode } from './file.js';
import type { OnnxTensor } from './tensor.js';
import { badOnnx } from './wire.js';

/** A node in a message: its op and the name that the file gives it, or what it computes. */
const describeNode = ({ op, name, outputs }: OnnxNode): string =>
  `the node "${(name || outputs[0] || '').slice(0, 80)}" (${op.slice(0, 40)})`;

/** The error of a node that has no counterpart here. */
export const unsupported = (node: OnnxNode, problem: string, cure: string): CertError =>
  new CertError('missing-rule', `The import does not support ${describeNode(node)}: ${problem}.`, cure);

/** The error of a node that is wrong in itself. */
export const badNode = (node: OnnxNode, problem: string): CertError => badOnnx(`has ${describeNode(node)}, ${problem}`);

/** The attributes of a node, by name and type; a wrong type is a `bad-file`. */
export interface Attributes {
  /** A whole number. */
  int(name: string, otherwise: number): number;
  /** A number. */
  float(name: string, otherwise: number): number;
  /** Whole numbers; undefined where the attribute is left out. */
  ints(name: string): readonly number[] | undefined;
  /** Numbers; undefined where the attribute is left out. */
  floats(name: string): readonly number[] | undefined;
  /** A text. */
  text(name: string, otherwise: string): string;
  /** A tensor; undefined where the attribute is left out. */
  tensor(name: string): OnnxTensor | undefined;
  /** Whether the attribute is given. */
  has(name: string): boolean;
}

/**
 * The attributes of a node.
 *
 * @param known what its rule reads or may ignore
 * @throws CertError `missing-rule` for an attribute that is not known: ignoring it would import another network
 */
export function attributesOf(node: OnnxNode, known: readonly string[]): Attributes {
  const all = new Map<string, OnnxAttribute>();
  for (const attribute of node.attributes) {
    const { name } = attribute;
    if (all.has(name)) throw badNode(node, `which has the attribute "${name.slice(0, 40)}" twice`);
    if (!known.includes(name) || attribute.other) {
      throw unsupported(
        node,
        `it has the attribute "${name.slice(0, 40)}"`,
        known.length > 0 ? `Supported attributes: ${known.join(', ')}.` : 'No attributes are supported.',
      );
    }
    all.set(name, attribute);
  }
  const one = <T>(name: string, value: T | undefined, what: string): T => {
    if (value === undefined) throw badNode(node, `whose attribute "${name}" is not a ${what}`);
    return value;
  };
  const list = (name: string, kind: 'ints' | 'floats'): readonly number[] | undefined => {
    const attribute = all.get(name);
    if (attribute === undefined) return undefined;
    const { float, int, text, tensor, [kind === 'ints' ? 'floats' : 'ints']: others } = attribute;
    if ([float, int, text, tensor].some((value) => value !== undefined) || others.length > 0) {
      throw badNode(
        node,
        `whose attribute "${name}" is not a list of ${kind === 'ints' ? 'whole numbers' : 'numbers'}`,
      );
    }
    return attribute[kind];
  };
  return {
    has: (name) => all.has(name),
    int: (name, otherwise) => (all.has(name) ? one(name, all.get(name)!.int, 'whole number') : otherwise),
    float: (name, otherwise) => (all.has(name) ? one(name, all.get(name)!.float, 'number') : otherwise),
    text: (name, otherwise) => (all.has(name) ? one(name, all.get(name)!.text, 'text') : otherwise),
    tensor: (name) => (all.has(name) ? one(name, all.get(name)!.tensor, 'tensor') : undefined),
    ints: (name) => list(name, 'ints'),
    floats: (name) => list(name, 'floats'),
  };
}
