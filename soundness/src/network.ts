import type { HostParams, Model } from '@cert/core';

/** A network in the memory of the process. Plain data. */
export interface HostNetwork {
  /** The graph; ops of plug-ins are not known here. */
  readonly model: Model;
  /** Its parameters. */
  readonly params: HostParams;
  /** `mean` and `variance` of every batchNorm node. */
  readonly stats: HostParams;
}
