import { points } from './scaling/points.js';
import { type Workload, workloads } from './workloads.js';

/** A workload or a point of the scaling series, by its name. */
export const findWorkload = (name: string): Workload | undefined =>
  (Object.hasOwn(workloads, name) ? workloads[name] : undefined) ??
  points.find((point) => point.name === name)?.workload;
