import { CertError } from '@cert/core';
import type { EvaluationSettings } from '@cert/verify/node';
import type { Kind } from './kind.js';

/** A file, or several that belong together, as whoever submitted them found them. */
export interface QueuedFiles {
  /** SHA-256 of each file in the store: a TensorFlow.js model is followed by its weight files in their order. */
  readonly sha256: readonly string[];
  /** Why a file could not be read: then the instance has an error, and no verdict. */
  readonly problem?: string;
}

/** A network and a property of it. */
export interface QueuedInstance {
  /** Its place in the list, from 0. */
  readonly index: number;
  /** The path of the network as the list has it: a name in the results, whose ending tells the format. No worker opens it. */
  readonly onnx: string;
  /** The same for the property. */
  readonly vnnlib: string;
  /** Seconds. */
  readonly timeout: number;
  /** Further columns of the list. */
  readonly columns: { readonly [name: string]: string };
  /** The network. */
  readonly network: QueuedFiles;
  /** The property. */
  readonly property: QueuedFiles;
  /** What identifies the contents of the files in a result. */
  readonly files: string;
}

/** Instances of a list as a queue knows them: references alone. Plain data. */
export interface QueuedInstances {
  /** How they are verified. */
  readonly settings: {
    /** The strongest claim that is tried. */
    readonly arithmetic: NonNullable<EvaluationSettings['arithmetic']>;
    /** What a search splits on; missing for what suits the network. */
    readonly split?: 'inputs' | 'relus';
    /** Name of the compute device, of which the worker knows the meaning. */
    readonly device: string;
  };
  /** Of the `cert` that submitted them: another version may compute other digits. */
  readonly version: string;
  /** Folder of the list as whoever submitted it named it, for messages. */
  readonly folder: string;
  /** In the order of the list. Redis holds them in parts. */
  readonly instances: readonly QueuedInstance[];
}

/** A result: the place of an instance and its line in the results. */
export interface InstanceResult {
  /** The place in the list, from 0. */
  readonly index: number;
  /** What `cert verify --instances` writes of it. */
  readonly line: { readonly [name: string]: unknown };
}

/** The instances of a list, in its order: those of one network mostly follow each other, and a worker keeps the last network. */
export const INSTANCES: Kind<QueuedInstances> = {
  items: 'instances',
  read(value) {
    if (isInstances(value)) return value;
    throw new CertError(
      'bad-data',
      'The instances in the queue are not those that cert queue submit writes.',
      'Remove them with cert queue remove, and submit them again.',
    );
  },
  count: ({ instances }) => instances.length,
  order: (count) => Array.from({ length: count }, (_, i) => i),
  cut: ({ instances, ...others }, items) => ({ ...others, instances: items.map((item) => instances[item]!) }),
  itemOf: (result, work) => (isInstanceResult(result, work) ? result.index : undefined),
  settings: ({ settings, version, folder }) => ({ ...settings, version, folder }),
};

/** The instance of a part. Its instances follow each other. */
export const instanceAt = ({ instances }: QueuedInstances, index: number): QueuedInstance | undefined => {
  const found = instances[index - (instances[0]?.index ?? 0)];
  return found?.index === index ? found : undefined;
};

const LEVELS: readonly unknown[] = ['nearest', 'real', 'deployed'];

/** Whether a value is a result of an instance of the part: about the files that were submitted, and without contradiction. */
export function isInstanceResult(value: unknown, work: QueuedInstances): value is InstanceResult {
  if (!isRecord(value) || !isRecord(value.line) || typeof value.index !== 'number') return false;
  const instance = instanceAt(work, value.index);
  if (instance === undefined) return false;
  const { onnx, vnnlib, timeout, asked, files, version, result, seconds, arithmetic, witness, reason } = value.line;
  const own = { onnx, vnnlib, timeout, files, asked, version };
  const expected = {
    ...{ onnx: instance.onnx, vnnlib: instance.vnnlib, timeout: instance.timeout },
    ...{ files: instance.files, asked: work.settings.arithmetic, version: work.version },
  };
  if (JSON.stringify(own) !== JSON.stringify(expected) || !isAmount(seconds)) return false;
  switch (result) {
    case 'unsat':
      return LEVELS.includes(arithmetic);
    case 'sat':
      return typeof witness === 'string' && witness !== '';
    default:
      return ['unknown', 'timeout', 'error'].some((verdict) => verdict === result) && typeof reason === 'string';
  }
}

const isRecord = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isAmount = (value: unknown): value is number => typeof value === 'number' && value >= 0 && Number.isFinite(value);

const isText = (value: unknown): value is string => typeof value === 'string';

/** That a name of the store is a hash is checked where it is opened, and the device and the version are by the worker. */
const isFiles = (value: unknown): boolean =>
  isRecord(value) &&
  Array.isArray(value.sha256) &&
  value.sha256.every(isText) &&
  (value.problem === undefined ? value.sha256.length > 0 : isText(value.problem));

function isInstances(value: unknown): value is QueuedInstances {
  if (!isRecord(value) || !isRecord(value.settings)) return false;
  const { settings, version, folder, instances } = value;
  return (
    LEVELS.includes(settings.arithmetic) &&
    [undefined, 'inputs', 'relus'].some((split) => split === settings.split) &&
    [settings.device, version, folder].every(isText) &&
    Array.isArray(instances) &&
    instances.length > 0 &&
    instances.every(isInstance)
  );
}

function isInstance(value: unknown): value is QueuedInstance {
  if (!isRecord(value) || !isRecord(value.columns)) return false;
  const { index, onnx, vnnlib, timeout, columns, network, property, files } = value;
  return (
    Number.isSafeInteger(index) &&
    [onnx, vnnlib, files, ...Object.values(columns)].every(isText) &&
    isAmount(timeout) &&
    isFiles(network) &&
    isFiles(property)
  );
}
