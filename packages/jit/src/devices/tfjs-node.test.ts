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
  it('run on their backend, say on what, and give the old one back', async () => {
    const device = await tfjsNodeGpuDevice({ load: fakePackage(GPU) });
    expect(device.name).toBe('tfjs-node-gpu');
    expect(device.description).toBe(`@tensorflow/tfjs-node-gpu ${version}, GPU`);
    expect(device.warning).toBeUndefined();
    expect(tf.getBackend()).toBe('tensorflow');
    const out = await device.jit((x: Tensor) => tf.mul(x, 2))(device.put(Float32Array.of(1, 2), [2]));
    expect(await out.data()).toEqual(Float32Array.of(2, 4));
    await device.dispose();
    expect([device.live, tf.getBackend()]).toEqual([0, 'cpu']);
    const cpu = await tfjsNodeDevice({ load: fakePackage(CPU) }).catch((e: CertError) => e.message);
    // The backend of the first package stays: a process has one of the two.
    expect(cpu).toContain('the other one is already loaded');
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

  it('not installed, or without its native library', async () => {
    const absent = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
    const error = await failure(tfjsNodeDevice({ load: () => Promise.reject(absent) }));
    expect(error.code).toBe('missing-package');
    expect(error.problem).toContain('@tensorflow/tfjs-node, which is not installed.');
    expect(error.cure).toContain(`npm install @tensorflow/tfjs-node@${version}`);
    const broken = new Error('The Node.js native addon module can not be found\nPlease run');
    const other = await failure(tfjsNodeGpuDevice({ load: () => Promise.reject(broken) }));
    expect(other.problem).toMatch(/does not load: The Node\.js native addon module can not be found\.$/);
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

it('restores what Node 23 removed from util, and nothing else', () => {
  const util: { [name: string]: unknown } = { isArray: 'kept' };
  restoreUtil(util);
  expect(util.isArray).toBe('kept');
  const { isNullOrUndefined } = util as { isNullOrUndefined: (x: unknown) => boolean };
  expect([null, undefined, 0].map(isNullOrUndefined)).toEqual([true, true, false]);
});
