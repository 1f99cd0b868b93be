import { CertError, type Tensor, type Tensor1D, type Tensor2D, type Tensor4D, tf } from '@cert/core';
import { afterAll, describe, expect, it } from 'vitest';
import { openTestDevice } from '../test/test-device.js';
import { eagerDevice } from './devices/eager.js';
import { disposeTree, readTree } from './index.js';
import { cpuDevice, openDevice } from './node/index.js';

const device = await openTestDevice(process.env.CERT_TEST_DEVICE ?? 'cpu');
afterAll(() => device.dispose());

const error = async (f: () => unknown): Promise<CertError> => {
  try {
    await f();
  } catch (e) {
    if (e instanceof CertError) return e;
    throw e;
  }
  throw new Error('nothing was thrown');
};

describe('a compiled function', () => {
  it('takes and returns trees', async () => {
    const f = device.jit((a: { x: Tensor; list: Tensor[] }, b: Tensor) => ({
      sum: tf.add(a.x, b),
      rest: [a.list[1]!, tf.neg(a.list[0]!)],
    }));
    const [one, two, three] = [1, 2, 3].map((x) => device.put(Float32Array.of(x, x), [2]));
    const out = await f({ x: one!, list: [two!, three!] }, three!);
    expect(await readTree(out)).toEqual({
      sum: Float32Array.of(4, 4),
      rest: [Float32Array.of(3, 3), Float32Array.of(-2, -2)],
    });
  });

  it('is traced once per signature, whatever the order of keys', async () => {
    let runs = 0;
    const f = device.jit((p: { a: Tensor; b: Tensor }) => {
      runs++;
      return tf.sub(p.a, p.b);
    });
    const [a, b] = [device.put(Float32Array.of(5), [1]), device.put(Float32Array.of(3), [1])];
    expect(await (await f({ a, b })).data()).toEqual(Float32Array.of(2));
    expect(await (await f({ b, a })).data()).toEqual(Float32Array.of(2));
    expect([runs, f.traces]).toEqual([1, 1]);
    const wide = device.put(Float32Array.of(1, 2), [2]);
    expect(await (await f({ a: wide, b })).data()).toEqual(Float32Array.of(-2, -1));
    expect([runs, f.traces]).toEqual([2, 2]);
    await Promise.all([f({ a: wide, b: wide }), f({ a: wide, b: wide })]);
    expect([runs, f.traces]).toEqual([3, 3]);
  });

  it('keeps the number of live arrays and tensors constant, and reuses memory', async () => {
    const step = device.jit((state: { w: Tensor }, x: Tensor) => {
      const grads = tf.grad((w: Tensor) => tf.mean(tf.square(tf.matMul(x as Tensor2D, w as Tensor2D))))(state.w);
      return { state: { w: tf.sub(state.w, tf.mul(grads, 0.1)) }, loss: tf.sum(grads) };
    });
    const x = device.put(new Float32Array(6).fill(0.5), [2, 3]);
    let state = { w: device.put(new Float32Array(3).fill(1), [3, 1]) };
    const counts: number[][] = [];
    for (let i = 0; i < 4; i++) {
      const next = await step(state, x);
      disposeTree(state);
      next.loss.dispose();
      state = next.state;
      counts.push([device.live, tf.memory().numTensors, tf.memory().numDataBuffers]);
    }
    expect(new Set(counts.map(String)).size).toBe(1);
  });

  it('treats a tensor from outside as a constant and leaves it alone', async () => {
    const outside = tf.tensor1d([1, 2, 3]);
    const f = device.jit((x: Tensor) => tf.add(x, outside));
    expect(await (await f(device.put(Float32Array.of(1), [1]))).data()).toEqual(Float32Array.of(2, 3, 4));
    expect(outside.dataSync()).toEqual(Float32Array.of(1, 2, 3));
    outside.dispose();
    expect(tf.getBackend()).toBe('cpu');
  });

  it('returns an argument, a constant, or one value twice as arrays of their own', async () => {
    const x = device.put(Float32Array.of(7), [1]);
    const out = await device.jit((a: Tensor) => [a, tf.scalar(3), tf.neg(a), tf.neg(a)])(x);
    x.dispose();
    device.put(Float32Array.of(99), [1]);
    expect(await readTree<Tensor[]>(out)).toEqual([7, 3, -7, -7].map((v) => Float32Array.of(v)));
  });

  it('may be freed while its results are alive', async () => {
    const f = device.jit((x: Tensor) => ({ twice: tf.mul(x, 2), up: tf.greater(x, 0) }));
    const x = device.put(Float32Array.of(1, -1), [2]);
    const out = await f(x);
    await f.dispose();
    const next = await device.jit((tree: typeof out & object) => tree)(out as never);
    expect(await readTree(next as typeof out)).toEqual({ twice: Float32Array.of(2, -2), up: Uint8Array.of(1, 0) });
    disposeTree([out, next]);
    expect(await (await device.jit((y: Tensor) => tf.neg(y))(x)).data()).toEqual(Float32Array.of(-1, 1));
  });

  it('can be called with one array many times, twice at once', async () => {
    const double = device.jit((y: Tensor) => tf.mul(y, 2));
    const y = device.put(Float32Array.of(3), [1]);
    await double(y);
    const both = await Promise.all([double(y), double(y)]);
    for (const result of both) expect(await result.data()).toEqual(Float32Array.of(6));
    expect(await y.data()).toEqual(Float32Array.of(3));
  });

  it('works on booleans, integers and empty batches', async () => {
    const f = device.jit((x: Tensor) => ({ up: tf.greater(x, 0), count: tf.sum(tf.cast(tf.greater(x, 0), 'int32')) }));
    expect(await readTree(await f(device.put(Float32Array.of(1, -1, 2), [3])))).toEqual({
      up: Uint8Array.of(1, 0, 1),
      count: Int32Array.of(2),
    });
    expect(await readTree(await f(device.put(new Float32Array(0), [0])))).toEqual({
      up: new Uint8Array(0),
      count: Int32Array.of(0),
    });
  });
});

it('an empty batch has the shapes that it has eagerly', async () => {
  const f = (x: Tensor, w: Tensor) => {
    const [left, right] = tf.split(x, 2, 3);
    const both = tf.concat([tf.conv2d(left as Tensor4D, w as Tensor4D, 1, 1), tf.relu(right!)], 3);
    return { both, rows: tf.mean(both, [1, 2]), sum: tf.sum(both) };
  };
  for (const on of [device, eagerDevice()]) {
    const out = await on.jit(f)(on.put(new Float32Array(0), [0, 3, 3, 2]), on.put(new Float32Array(18), [3, 3, 1, 2]));
    expect(Object.values(out).map(({ shape }) => shape)).toEqual([[0, 3, 3, 3], [0, 3], []]);
    expect(await out.sum.data()).toEqual(Float32Array.of(0));
    expect(await out.both.data()).toHaveLength(0);
  }
});

describe('errors say what happened, where, and the cure', () => {
  it('a run that fails, which leaves nothing behind', async () => {
    const cpu = await cpuDevice();
    const step = cpu.jit((x: Tensor, i: Tensor) => tf.gather(x, i as Tensor1D));
    const [x, i] = [cpu.put(Float32Array.of(1, 2), [2]), cpu.put(Int32Array.of(7), [1])];
    await expect(step(x, i)).rejects.toThrow(/indices element out of data bounds/);
    expect(cpu.live).toBe(2);
    await cpu.dispose();
  });

  it('a kernel that cannot be lowered', async () => {
    const e = await error(() =>
      device.jit((x: Tensor) => tf.topk(x, 1).values)(device.put(Float32Array.of(1, 2), [2])),
    );
    expect(e.code).toBe('unsupported-kernel');
    expect(e.message).toMatch(/kernel "TopK" cannot be compiled \(called at .*jit\.test\.ts/);
    expect(e.message).toContain('device "tfjs"');
  });

  it('a value that is read', async () => {
    for (const f of [
      (x: Tensor) => tf.scalar(x.dataSync()[0]!),
      (x: Tensor) => (tf.sum(x).arraySync() ? x : tf.neg(x)),
    ]) {
      const e = await error(() => device.jit(f)(device.put(Float32Array.of(1), [1])));
      expect(e.code).toBe('value-read');
      expect(e.message).toMatch(/at .*jit\.test\.ts/);
    }
  });

  it.each<[string, (x: Tensor) => Tensor]>([
    ['tf.randomNormal', (x) => tf.add(x, tf.randomNormal([1]))],
    ['tf.randomUniform', (x) => tf.add(x, tf.randomUniform([1]))],
    ['tf.truncatedNormal', (x) => tf.add(x, tf.truncatedNormal([1]))],
    ['tf.dropout', (x) => tf.dropout(x, 0.5)],
    ['tf.multinomial', (x) => tf.multinomial(tf.concat([x, x]) as Tensor1D, 1)],
    ['Math.random', (x) => tf.mul(x, Math.random())],
  ])('random numbers of %s, which would be the same in every call', async (_, f) => {
    const { random } = Math;
    const e = await error(() => device.jit(f)(device.put(Float32Array.of(1), [1])));
    expect(e.code).toBe('bad-argument');
    expect(e.problem).toMatch(/drew random numbers \(at .*jit\.test\.ts/);
    expect(e.cure).toContain('pass them in as an argument');
    expect(Math.random).toBe(random);
  });

  it('random numbers with a seed are those that they are eagerly', async () => {
    const f = (x: Tensor) => tf.add(x, tf.randomUniform([2], 0, 1, 'float32', 7));
    const x = device.put(Float32Array.of(1, 1), [2]);
    const wanted = tf.tidy(() => f(tf.ones([2])).dataSync());
    expect(await (await device.jit(f)(x)).data()).toEqual(wanted);
  });

  it('a tensor that was disposed, captured by the function or by its gradient', async () => {
    const captured = tf.scalar(2);
    captured.dispose();
    const late = tf.customGrad((a) => {
      const factor = tf.scalar(3);
      const gradFunc = (dy: Tensor) => tf.mul(dy, factor);
      const value = tf.neg(a as Tensor);
      factor.dispose();
      return { value, gradFunc };
    });
    for (const f of [(x: Tensor) => tf.mul(x, captured), (x: Tensor) => tf.grad((y: Tensor) => tf.sum(late(y)))(x)]) {
      const e = await error(() => device.jit(f)(device.put(Float32Array.of(1), [1])));
      expect([e.code, e.message]).toEqual(['bad-argument', expect.stringMatching(/disposed/)]);
    }
  });

  it('an async function', async () => {
    const f = async (x: Tensor) => tf.scalar((await x.data())[0]!);
    const e = await error(() => device.jit(f as unknown as (x: Tensor) => Tensor)(device.put(Float32Array.of(1), [1])));
    expect([e.code, e.problem]).toEqual(['bad-argument', 'The compiled function is async.']);
  });

  it.each<[string, (x: Tensor) => Tensor]>([
    ['complex64', (x) => tf.real(tf.cast(x, 'complex64'))],
    ['string', () => tf.fill([2], 'a')],
  ])('a tensor of dtype %s', async (dtype, f) => {
    const e = await error(() => device.jit(f)(device.put(Float32Array.of(1), [1])));
    expect([e.code, e.problem]).toEqual(['unsupported-kernel', `A ${dtype} tensor reached a compiled function.`]);
  });

  it('an op with an option that cannot be compiled', async () => {
    const x = device.put(new Float32Array(4), [2, 2]);
    const f = (a: Tensor) =>
      tf.mirrorPad(
        a,
        [
          [1, 1],
          [1, 1],
        ],
        'symmetric',
      );
    const e = await error(() => device.jit(f)(x));
    expect([e.code, e.problem]).toEqual(['unsupported-kernel', expect.stringContaining('tf.mirrorPad')]);
  });

  it('a result that is no tensor', async () => {
    const f = device.jit((x: Tensor) => ({ x, n: 3 as unknown as Tensor }));
    expect((await error(() => f(device.put(Float32Array.of(1), [1])))).message).toContain('number at "n"');
  });

  it('after an error the backend is what it was, and the function can be called again', async () => {
    let fail = true;
    const f = device.jit((x: Tensor) => {
      if (fail) throw new Error('mine');
      return tf.neg(x);
    });
    const x = device.put(Float32Array.of(1), [1]);
    await expect(f(x)).rejects.toThrow('mine');
    expect(tf.getBackend()).toBe('cpu');
    fail = false;
    expect(await (await f(x)).data()).toEqual(Float32Array.of(-1));
  });

  for (const [name, on] of Object.entries({ compiled: device, tfjs: eagerDevice() })) {
    it(`${name}: an array that was disposed, a wrong count`, async () => {
      const x = on.put(Float32Array.of(1), [1]);
      x.dispose();
      x.dispose();
      expect((await error(() => on.jit((a: Tensor) => tf.neg(a))(x))).message).toContain('used after dispose()');
      expect((await error(() => x.data())).code).toBe('bad-argument');
      expect((await error(() => on.put(Float32Array.of(1), [2]))).code).toBe('shape-mismatch');
    });
  }

  it('an array of another device', async () => {
    const eager = eagerDevice();
    const f = (x: Tensor) => tf.neg(x);
    const one = Float32Array.of(1);
    expect((await error(() => device.jit(f)(eager.put(one, [1])))).message).toContain('another device');
    expect((await error(() => eager.jit(f)(device.put(one, [1])))).message).toContain('device.put(await array.data()');
    expect((await error(() => eager.jit(f)(eagerDevice().put(one, [1])))).code).toBe('bad-argument');
  });

  it('a device that does not exist, a runtime that is not installed', async () => {
    expect((await error(() => openDevice('tpu'))).message).toContain('cpu, tfjs-node, tfjs');
    const e = await error(() => cpuDevice({ load: () => Promise.reject(new Error('Cannot find package')) }));
    expect(e.code).toBe('missing-package');
    expect(e.message).toContain('npm install onnxruntime-node');
    const other = await error(() => cpuDevice({ load: async () => ({ Tensor: null }) }));
    expect(other.code).toBe('missing-package');
  });
});
