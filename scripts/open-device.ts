/** Prints what a device runs on; fails where it does not open. */
import { CertError } from '@cert/core';
import { openDevice } from '@cert/jit/node';

try {
  const device = await openDevice(process.argv[2] ?? 'cpu');
  console.log(device.description);
  await device.dispose();
} catch (error) {
  if (!(error instanceof CertError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
