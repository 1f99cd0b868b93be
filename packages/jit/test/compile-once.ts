/** Compiles and runs one function: in this thread (`here`), or in a worker (`worker`, `worker-shared`, `worker-copied` with the switch in a copy of the environment alone). */
import { isMainThread, SHARE_ENV, Worker, workerData } from 'node:worker_threads';
import { type Tensor, tf } from '@cert/core';
import { cpuDevice } from '../src/node/index.js';

const where: string = process.argv[2] ?? workerData;
if (isMainThread && where.startsWith('worker')) {
  const code = `import('tsx/esm/api').then(({ register }) => (register(), import(${JSON.stringify(import.meta.url)})))`;
  new Worker(code, {
    ...{ eval: true, workerData: 'here', argv: ['here'] },
    ...(where === 'worker-shared' && { env: SHARE_ENV }),
    ...(where === 'worker-copied' && { env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' } }),
  });
} else {
  const device = await cpuDevice();
  const double = device.jit((x: Tensor) => tf.mul(x, 2));
  const result = await double(device.put(Float32Array.of(21), []));
  process.stdout.write(`${[...(await result.data())]}\n`);
  await device.dispose();
}
