/** Prints what the device webgpu runs on; fails where there is no adapter. */
import { webgpuDevice } from '@cert/jit/node';

const device = await webgpuDevice();
console.log(device.description);
await device.dispose();
