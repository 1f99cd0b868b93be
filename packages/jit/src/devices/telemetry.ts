import { CertError } from '@cert/core';

/** What ONNX Runtime looks for in the environment of the process. */
const SWITCH = 'ORT_DISABLE_TELEMETRY';

/** Whether ONNX Runtime, loaded by this package, sends usage data: `on` only if enabled in the environment. */
export const telemetry = (): 'off' | 'on' => (['0', 'false', ''].includes(process.env[SWITCH] ?? '1') ? 'on' : 'off');

/**
 * Switches off the telemetry of the official ONNX Runtime binaries, which is on by default and stores a database and a device id in the
 * home folder. The only switch is an environment variable, read when the binaries load; a value set by the user is kept.
 *
 * @throws CertError `missing-device` in a worker thread whose environment is a copy, which the library does not see
 */
export async function disableTelemetry(): Promise<void> {
  const before = process.env[SWITCH];
  process.env[SWITCH] ??= '1';
  const { isMainThread } = await import('node:worker_threads');
  // In a worker the value may stand in a copy of the environment alone, whoever put it there.
  if (isMainThread || realEnvironment()[SWITCH] === process.env[SWITCH]) return;
  if (before === undefined) delete process.env[SWITCH];
  throw new CertError(
    'missing-device',
    'The telemetry of ONNX Runtime cannot be switched off from this worker thread, because its environment is a copy.',
    `Start the process with ${SWITCH}=1 (or 0 to leave it on), or create the worker with { env: SHARE_ENV } of node:worker_threads.`,
  );
}

/** The environment of the process itself, which in a worker is not `process.env`. */
function realEnvironment(): { readonly [name: string]: string | undefined } {
  // Otherwise a report looks up names of network interfaces.
  const settings: object & { excludeNetwork?: boolean } = process.report;
  const before = settings.excludeNetwork;
  settings.excludeNetwork = true;
  const { environmentVariables }: { environmentVariables?: Record<string, string> } = process.report.getReport();
  if (before !== undefined) settings.excludeNetwork = before;
  return environmentVariables ?? {};
}
