import type { Shape } from '@cert/core';
import type * as Ort from 'onnxruntime-node';
import type { DeviceArray, DType, HostArray } from '../devices/device.js';
import { identityModel, inputName, outputName } from '../onnx/onnx.js';
import { usedAfterDispose } from './array-checks.js';
import type { Memory, Runtime, Session } from './memory.js';

/**
 * A session and the buffers that came out of it. They are freed through the session: one that is released while they are alive
 * crashes the process, so that it is released after the last of them.
 */
class SharedSession {
  private alive = 0;
  private unwanted = false;

  constructor(readonly session: Session) {}

  use(): void {
    this.alive++;
  }

  async free(): Promise<void> {
    this.alive--;
    await this.releaseWhenUnused();
  }

  async release(): Promise<void> {
    this.unwanted = true;
    await this.releaseWhenUnused();
  }

  private async releaseWhenUnused(): Promise<void> {
    if (this.unwanted && this.alive === 0) await this.session.release();
  }
}

/** A tensor in a buffer of the GPU with the session that frees it, or a tensor on the host. */
interface Held {
  readonly tensor: Ort.Tensor;
  readonly from?: SharedSession;
}

/** Copies tensors through sessions that do nothing else, one for each dtype and direction. */
class Copier {
  private readonly sessions = new Map<string, Promise<SharedSession>>();

  constructor(
    private readonly ort: Runtime,
    private readonly options: Ort.InferenceSession.SessionOptions,
  ) {}

  async toGpu(tensor: Ort.Tensor): Promise<Held> {
    const from = await this.session('gpu-buffer', tensor.type as DType);
    return { tensor: await copyBy(from, tensor), from };
  }

  /** Never getData() of a tensor on the GPU: the process would abort. */
  async toHost(tensor: Ort.Tensor): Promise<HostArray> {
    return (await copyBy(await this.session('cpu', tensor.type as DType), tensor)).data as HostArray;
  }

  async dispose(): Promise<void> {
    for (const session of this.sessions.values()) await (await session).release();
    this.sessions.clear();
  }

  private session(to: 'gpu-buffer' | 'cpu', dtype: DType): Promise<SharedSession> {
    const key = `${dtype} ${to}`;
    const known = this.sessions.get(key);
    if (known !== undefined) return known;
    const made = this.ort.InferenceSession.create(identityModel(dtype), {
      ...this.options,
      preferredOutputLocation: to,
    }).then((session) => new SharedSession(session));
    this.sessions.set(key, made);
    return made;
  }
}

const copyBy = async ({ session }: SharedSession, tensor: Ort.Tensor): Promise<Ort.Tensor> =>
  (await session.run({ [inputName(0)]: tensor }))[outputName(0)]!;

/** An array in a buffer of the GPU, or still on the host. */
class GpuArray implements DeviceArray {
  disposed = false;
  /** Whether a call was fed with it already. */
  private fed = false;

  constructor(
    readonly shape: Shape,
    readonly dtype: DType,
    private held: Held,
    private readonly copier: Copier,
    private readonly arrays: Set<GpuArray>,
  ) {
    arrays.add(this);
    held.from?.use();
  }

  /**
   * The tensor to feed. Most values that are put are used once: these go in from the host. From the second time on they stay on
   * the GPU.
   */
  async feed(): Promise<Ort.Tensor> {
    if (this.fed && this.held.tensor.location === 'cpu') {
      const onGpu = await this.copier.toGpu(this.held.tensor);
      // Two calls at once may both have copied it.
      if (this.disposed || this.held.tensor.location !== 'cpu') onGpu.tensor.dispose();
      else {
        onGpu.from?.use();
        this.held = onGpu;
      }
    }
    this.fed = true;
    return this.held.tensor;
  }

  async data(): Promise<HostArray> {
    if (this.disposed) throw usedAfterDispose(this.shape);
    const { tensor } = this.held;
    return tensor.location === 'cpu' ? (tensor.data as HostArray).slice() : this.copier.toHost(tensor);
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.arrays.delete(this);
    this.held.tensor.dispose();
    void this.held.from?.free();
  }
}

/**
 * Arrays in buffers of the GPU: results stay there and are fed to the next call as they are.
 *
 * @param options those of sessions that copy
 */
export function gpuMemory(ort: Runtime, options: Ort.InferenceSession.SessionOptions): Memory<GpuArray> {
  const arrays = new Set<GpuArray>();
  const copier = new Copier(ort, options);
  const shared = new Map<Session, SharedSession>();

  const share = (session: Session): SharedSession => {
    const known = shared.get(session) ?? new SharedSession(session);
    shared.set(session, known);
    return known;
  };

  return {
    arrays,
    owns: (array): array is GpuArray => array instanceof GpuArray && arrays.has(array),
    put(values, shape, dtype) {
      const tensor = new ort.Tensor(dtype as 'float32', values.slice() as Float32Array, shape);
      return new GpuArray(shape, dtype, { tensor }, copier, arrays);
    },
    async run(session, inputs, outputs) {
      const from = share(session);
      const feeds: { [name: string]: Ort.Tensor } = {};
      for (const [i, array] of inputs.entries()) feeds[inputName(i)] = await array.feed();
      const results = await session.run(feeds);
      return outputs.map(({ shape, dtype }, i) => {
        const tensor = results[outputName(i)]!;
        return new GpuArray(shape, dtype, { tensor, from }, copier, arrays);
      });
    },
    async release(session) {
      await share(session).release();
      shared.delete(session);
    },
    dispose: () => copier.dispose(),
  };
}
