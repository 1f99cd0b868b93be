import type { HostParams, Model } from '@cert/core';

/** A network with its weights on the host. */
export interface HostNetwork {
  /** The graph. */
  readonly model: Model;
  /** Its parameters. */
  readonly params: HostParams;
  /** Its running statistics; empty for a model without batch normalization. */
  readonly stats: HostParams;
}
