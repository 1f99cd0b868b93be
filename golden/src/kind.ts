import type { Device } from '@cert/jit';
import type { Comparison } from './compare.js';
import type { Field } from './field.js';

/** Where a file comes from: its own content, and the others of its folder for `net_from`. */
interface Source {
  readonly file: Field;
  /** @throws CertError `bad-file` when there is no such file, or it is no JSON */
  sibling(name: string): Promise<Field>;
}

/** How one kind of file is compared. */
export type Kind =
  /** Computed by tensors, once on each device. */
  | { readonly on: 'devices'; compare(source: Source, device: Device, to: Comparison): Promise<void> }
  /** Plain numbers on the host, once. */
  | { readonly on: 'host'; compare(source: Source, to: Comparison): Promise<void> };
