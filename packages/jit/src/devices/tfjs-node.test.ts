/** The loaders of TensorFlow's native packages, with fake packages: JavaScript kernels under the name of their backend. */
import { CertError, type Tensor, tf } from '@cert/core';
import { afterEach, describe, expect, it } from 'vitest';
import { restoreUtil, tfjsNodeDevice, tfjsNodeGpuDevice } from './tfjs-node.js';

await tf.ready();
const version = tf.version_core;
const JavaScript = tf.backend().constructor as new () => ReturnType<typeof tf.backend>;
tf.copyRegisteredKernels('cpu', 'tensorflow');

interface Fake {
  readonly isGPUPackage: boolean;
  readonly isUsingGpuDevice: boolean;
  readonly version?: string;
  readonly registers?: boolean;
}

/** Does what loading the package does: registers its backend and makes it the current one. */
const fakePackage =
  ({ isGPUPackage, isUsingGpuDevice, version: own = version, registers = true }: Fake) =>
  async () => {
    if (registers) {
      tf.registerBackend('tensorflow', () => Object.assign(new JavaScript(), { isGPUPackage, isUsingGpuDevice }), 3);
      await tf.setBackend('tensorflow');
    }
    return { default: { version: { 'tfjs-core': version, 'tfjs-node': own } } };
  };

const CPU = { isGPUPackage: false, isUsingGpuDevice: false };
const GPU = { isGPUPackage: true, isUsingGpuDevice: true };

/** As in a process that has loaded no package. */
async function forget(): Promise<void> {
  await tf.setBackend('cpu');
  if (tf.findBackendFactory('tensorflow') !== null) tf.removeBackend('tensorflow');
}
afterEach(forget);

const failure = async (opening: Promise<unknown>): Promise<CertError> => {
  const error = await opening.catch((e: unknown) => e);
  if (!(error instanceof CertError)) throw new Error(`no CertError: ${String(error)}`);
  expect(tf.getBackend()).toBe('cpu');
  return error;
};

describe('tfjs-node and tfjs-node-gpu', () => {
  it('run on their backend, say on what, and leave the current one as it is', async () => {
    const device = await tfjsNodeGpuDevice({ load: fakePackage(GPU) });
    expect(device.name).toBe('tfjs-node-gpu');
    expect(device.description).toBe(`@tensorflow/tfjs-node-gpu ${version}, GPU`);
    expect(device.warning).toBeUndefined();
    // Their arithmetic depends on the environment: no sound bounds on the device.
    expect(device.roundsToNearest).toBe(false);
    expect(tf.getBackend()).toBe('cpu');
    const seen: string[] = [];
    const twice = device.jit((x: Tensor) => {
      seen.push(tf.getBackend());
      return tf.mul(x, 2);
    });
    const out = await twice(device.put(Float32Array.of(1, 2), [2]));
    expect([await out.data(), seen]).toEqual([Float32Array.of(2, 4), ['tensorflow']]);
    const failing = device.jit((): Tensor => {
      throw new Error('mine');
    });
    await expect(failing()).rejects.toThrow('mine');
    expect(tf.getBackend()).toBe('cpu');
    await device.dispose();
    expect(device.live).toBe(0);
    // The backend of the first package stays: a process has one of the two.
    const cpu = await failure(tfjsNodeDevice({ load: fakePackage(CPU) }));
    expect([cpu.code, cpu.problem]).toEqual(['in-use', expect.stringContaining('the other one is already loaded')]);
  });

  it('on the CPU: as promised, or with a warning', async () => {
    const plain = await tfjsNodeDevice({ load: fakePackage(CPU) });
    expect([plain.description, plain.warning]).toEqual([`@tensorflow/tfjs-node ${version}, CPU`, undefined]);
    await plain.dispose();
    await forget();
    const fellBack = await tfjsNodeGpuDevice({ load: fakePackage({ ...GPU, isUsingGpuDevice: false }) });
    expect(fellBack.description).toMatch(/CPU$/);
    expect(fellBack.warning).toMatch(/runs on the CPU: .*CUDA 11 and cuDNN 8/);
    await fellBack.dispose();
  });

  it('not installed', async () => {
    const absent = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
    const error = await failure(tfjsNodeDevice({ load: () => Promise.reject(absent) }));
    expect(error.code).toBe('missing-package');
    expect(error.problem).toContain('@tensorflow/tfjs-node, which is not installed.');
    expect(error.cure).toContain(`npm install @tensorflow/tfjs-node@${version}`);
    expect(error.cure).toContain('(or use the device "cpu"');
  });

  it('installed, but without what its install script brings', async () => {
    const path = '/x/@tensorflow/tfjs-node-gpu/lib/napi-v8/tfjs_binding.node';
    // As the packages say it.
    const addon = new Error(
      `The Node.js native addon module (tfjs_binding.node) can not be found at path: ${path}. \nPlease run command`,
    );
    const error = await failure(tfjsNodeGpuDevice({ load: () => Promise.reject(addon) }));
    expect(error.problem).toMatch(
      /is installed without its native library: The Node\.js native .*tfjs_binding\.node\.$/,
    );
    expect(error.cure).toContain('npm rebuild @tensorflow/tfjs-node-gpu');
  });

  it.each([
    'libtensorflow.so.2: cannot open shared object file: No such file or directory',
    '/x/tfjs_binding.node: undefined symbol: TFE_OpSetAttrStringList',
    '/x/tfjs_binding.node: invalid ELF header',
  ])('with a native library that does not load: %s', async (message) => {
    const cause = Object.assign(new Error(message), { code: 'ERR_DLOPEN_FAILED' });
    const error = await failure(tfjsNodeDevice({ load: () => Promise.reject(cause) }));
    expect(error.code).toBe('missing-package');
    expect(error.problem).toBe(
      `The device "tfjs-node" needs the package @tensorflow/tfjs-node, which does not load its native library: ${message}.`,
    );
    expect(error.cure).toContain(`npm uninstall @tensorflow/tfjs-node && npm install @tensorflow/tfjs-node@${version}`);
  });

  it('without a package that it needs', async () => {
    const cause = Object.assign(new Error("Cannot find module '@mapbox/node-pre-gyp'\nRequire stack:"), {
      code: 'MODULE_NOT_FOUND',
    });
    const error = await failure(tfjsNodeDevice({ load: () => Promise.reject(cause) }));
    expect(error.problem).toMatch(/does not load: Cannot find module '@mapbox\/node-pre-gyp'\.$/);
  });

  it('of another version, or with a TensorFlow.js of its own', async () => {
    const old = await failure(tfjsNodeDevice({ load: fakePackage({ ...CPU, version: '4.21.1' }) }));
    expect(old.problem).toContain(`is 4.21.1, but TensorFlow.js is ${version}`);
    await forget();
    const strange = await failure(tfjsNodeDevice({ load: async () => ({}) }));
    expect(strange.problem).toContain('of an unknown version');
    const apart = await failure(tfjsNodeDevice({ load: fakePackage({ ...CPU, registers: false }) }));
    expect(apart.cure).toContain('npm dedupe');
  });
});

it('replaces what Node 22 deprecates and Node 23 removed from util, and nothing else', () => {
  const deprecated = () => {
    throw new Error('prints a warning');
  };
  const util: { [name: string]: unknown } = { isArray: deprecated, inspect: 'kept' };
  restoreUtil(util);
  const { isArray, isNullOrUndefined, isString } = util as { [name: string]: (x: unknown) => boolean };
  expect([[], 'a'].map((x) => isArray!(x))).toEqual([true, false]);
  expect([null, undefined, 0].map((x) => isNullOrUndefined!(x))).toEqual([true, true, false]);
  expect(['', 0].map((x) => isString!(x))).toEqual([true, false]);
  expect(util.inspect).toBe('kept');
});
