import util from 'node:util';
import { CertError, tf } from '@cert/core';
import type { Device } from './device.js';
import { eagerDevice } from './eager.js';

/** Settings of the devices of TensorFlow's native packages. */
export interface TfjsNodeOptions {
  /** Loads the package; default `import()` of it. */
  readonly load?: () => Promise<unknown>;
}

/** The backend that both packages register with TensorFlow.js. */
const BACKEND = 'tensorflow';

/**
 * Runs functions eagerly on TensorFlow's CPU kernels, by the package `@tensorflow/tfjs-node`.
 *
 * @throws CertError `missing-package` when it is not installed, does not load or belongs to another version of TensorFlow.js
 */
export const tfjsNodeDevice = (options: TfjsNodeOptions = {}): Promise<Device> => open('tfjs-node', options);

/**
 * Runs functions eagerly on TensorFlow's CUDA kernels, by the package `@tensorflow/tfjs-node-gpu`. TensorFlow goes on with the CPU
 * when its CUDA libraries do not load, and the package does not say so: then the device has a `warning`.
 *
 * @throws CertError `missing-package` as {@link tfjsNodeDevice}
 */
export const tfjsNodeGpuDevice = (options: TfjsNodeOptions = {}): Promise<Device> => open('tfjs-node-gpu', options);

async function open(name: 'tfjs-node' | 'tfjs-node-gpu', options: TfjsNodeOptions): Promise<Device> {
  const packageName: string = `@tensorflow/${name}`;
  const wantsGpu = name === 'tfjs-node-gpu';
  // The package makes its backend the current one when it is loaded.
  tf.backend();
  const before = tf.getBackend();
  restoreUtil(util);
  const loaded = await load(name, options.load ?? (() => import(packageName)));
  try {
    const version = versionOf(loaded);
    if (version === undefined || minor(version) !== minor(tf.version_core)) throw otherVersion(name, version);
    const backend = tf.findBackend(BACKEND);
    if (backend === null) throw otherInstance(name);
    if (flag(backend, 'isGPUPackage') !== wantsGpu) throw otherPackage(name);
    const onGpu = flag(backend, 'isUsingGpuDevice');
    await tf.setBackend(BACKEND);
    return eagerDevice({
      name,
      description: `${packageName} ${version}, ${onGpu ? 'GPU' : 'CPU'}`,
      ...(wantsGpu && !onGpu && { warning: FELL_BACK }),
      dispose: () => tf.setBackend(before),
    });
  } catch (error) {
    await tf.setBackend(before);
    throw error;
  }
}

const FELL_BACK =
  'tfjs-node-gpu runs on the CPU: TensorFlow found no GPU that it can use. It needs the NVIDIA driver, CUDA 11 and cuDNN 8, with their folders in LD_LIBRARY_PATH.';

/**
 * Node 23 removed functions that the packages call (`util.isArray`, `util.isNullOrUndefined`). Without them the first op fails.
 *
 * @param target the module object of `node:util`
 */
export function restoreUtil(target: object): void {
  const removed = {
    isArray: Array.isArray,
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
    isString: (value: unknown) => typeof value === 'string',
  };
  for (const [name, value] of Object.entries(removed)) {
    if (!(name in target)) Object.defineProperty(target, name, { value, configurable: true, writable: true });
  }
}

async function load(name: string, importPackage: () => Promise<unknown>): Promise<unknown> {
  try {
    return await importPackage();
  } catch (cause) {
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    const absent = property(cause, 'code') === 'ERR_MODULE_NOT_FOUND';
    throw new CertError(
      'missing-package',
      `The device "${name}" needs the package @tensorflow/${name}, which ${absent ? 'is not installed' : `does not load: ${reason}`}.`,
      `Install it, its install script included: npm install @tensorflow/${name}@${tf.version_core}`,
      { cause },
    );
  }
}

/** `version['tfjs-node']` of the loaded package, which is CommonJS. */
function versionOf(loaded: unknown): string | undefined {
  const module = property(loaded, 'default') ?? loaded;
  const version = property(property(module, 'version'), 'tfjs-node');
  return typeof version === 'string' ? version : undefined;
}

const property = (from: unknown, name: string): unknown =>
  typeof from === 'object' && from !== null ? Object.entries(from).find(([key]) => key === name)?.[1] : undefined;

const flag = (backend: object, name: string): boolean => property(backend, name) === true;

const minor = (version: string): string => version.split('.').slice(0, 2).join('.');

const otherVersion = (name: string, version = 'of an unknown version') =>
  new CertError(
    'missing-package',
    `The package @tensorflow/${name} is ${version}, and TensorFlow.js is ${tf.version_core}: they do not fit together.`,
    `Install the same version: npm install @tensorflow/${name}@${tf.version_core}`,
  );

const otherInstance = (name: string) =>
  new CertError(
    'missing-package',
    `The package @tensorflow/${name} brought a TensorFlow.js of its own, so that ours does not see its backend.`,
    `Let npm share one: npm dedupe (npm ls @tensorflow/tfjs-core must list ${tf.version_core} alone).`,
  );

const otherPackage = (name: string) =>
  new CertError(
    'missing-package',
    `The device "${name}" is not there in this process, which loaded the other one of tfjs-node and tfjs-node-gpu: both have the same backend.`,
    'Use it in a process of its own.',
  );
