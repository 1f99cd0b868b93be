import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** How steps are run. */
export interface StepSettings {
  readonly steps: number;
  readonly warmup: number;
  readonly threads: number;
  readonly device: string;
}

/** What `time-step.ts` prints: milliseconds of every timed step, and what belongs to the whole process. */
export interface Steps {
  readonly times: readonly number[];
  /** Waiting for minibatches. */
  readonly waits: readonly number[];
  /** Processor time, of all threads together. */
  readonly cpuTimes: readonly number[];
  /** Tracing, passes, writing the model and making the session. */
  readonly compileMs: number;
  /** Of these, up to the finished ONNX model. */
  readonly traceMs: number;
  /** Nodes of the ONNX model. */
  readonly nodes: number;
  readonly peakMiB: number;
  readonly traces: number;
  /** What the device says it runs on. */
  readonly device: string;
}

/**
 * Runs a workload in a process of its own, so that its peak memory is its own.
 *
 * @param profile where ONNX Runtime's profile goes: a prefix of file names; `<profile>.onnx` is the model
 */
export function runSteps(name: string, { steps, warmup, threads, device }: StepSettings, profile?: string): Steps {
  const timeStep = fileURLToPath(new URL('time-step.ts', import.meta.url));
  const args = [timeStep, name, steps, warmup, threads, device, ...(profile === undefined ? [] : [profile])].map(
    String,
  );
  const { stdout, stderr, status } = spawnSync(process.execPath, [...process.execArgv, ...args], {
    encoding: 'utf8',
    // It imports ONNX Runtime by itself, whose telemetry is on by default.
    env: { ORT_DISABLE_TELEMETRY: '1', ...process.env },
  });
  if (status !== 0) throw new Error(`${name} failed:\n${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Steps;
}
