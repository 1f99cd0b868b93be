import { createHash } from 'node:crypto';
import type { Arithmetic } from '@cert/bounds';
import { CertError } from '@cert/core';
import type { Instance } from '@cert/interchange';
import type { Device } from '@cert/jit';
import { createDecider, type DecideProgress, type Decider } from '@cert/verify';
import { ownVersion } from '../version.js';
import { jsonOf, readProperty, replayOf, resultText } from './instance.js';
import type { VerifiedNetwork } from './network.js';
import type { ResultLine } from './result-lines.js';

/** What a fingerprint says of a file that cannot be read. */
export const UNREADABLE = 'unreadable';

/** What identifies the contents of a file, as it is on the disk, or of several that belong together: 32 hexadecimal digits. */
export function fingerprintOf(files: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const bytes of files) hash.update(bytes);
  return hash.digest('hex').slice(0, 32);
}

/** A network that is ready. */
interface OpenNetwork {
  /** What the network was asked for by. */
  readonly key: string;
  readonly loaded: VerifiedNetwork;
  readonly decider: Decider;
}

/** Keeps one network with its decider: instances of one network mostly follow each other. */
export interface NetworkKeeper {
  /** @param load is called unless the last network had the same key */
  network(key: string, load: () => Promise<VerifiedNetwork>): Promise<OpenNetwork>;
  close(): Promise<void>;
}

/** @param split what the search splits on; undefined for what suits the network */
export function networkKeeper(device: Device, split: 'inputs' | 'relus' | undefined): NetworkKeeper {
  let current: OpenNetwork | undefined;
  const close = async () => {
    await current?.decider.dispose();
    await current?.loaded.independent?.dispose();
    current = undefined;
  };
  return {
    async network(key, load) {
      if (current?.key === key) return current;
      await close();
      const loaded = await load();
      const decider = createDecider({
        ...{ device, network: loaded.network, ...replayOf(loaded) },
        ...(split !== undefined && { split }),
      });
      current = { key, loaded, decider };
      return current;
    },
    close,
  };
}

/** What {@link verifyInstance} is about. */
export interface InstanceTask {
  readonly instance: Pick<Instance, 'onnx' | 'vnnlib' | 'timeout'>;
  /** What identifies the contents of both files. */
  readonly files: string;
  /** The strongest claim that is tried. */
  readonly arithmetic: Arithmetic;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: DecideProgress) => void;
  network(): Promise<Pick<OpenNetwork, 'loaded' | 'decider'>>;
  /** The text of the property. */
  property(): Promise<string>;
}

/** An instance that cannot be read or computed is an error, with the reason; it is never a verdict. */
export async function verifyInstance(task: InstanceTask): Promise<ResultLine> {
  const { arithmetic, files, signal, onProgress } = task;
  const { onnx, vnnlib, timeout } = task.instance;
  const about = { onnx, vnnlib, timeout, asked: arithmetic };
  const version = ownVersion();
  const began = Date.now();
  const seconds = () => (Date.now() - began) / 1000;
  try {
    const { loaded, decider } = await task.network();
    const text = await task.property();
    const prepared = seconds();
    const decision = await decider.decide(readProperty(text, loaded), {
      ...{ timeout: Math.max(0, timeout - prepared), arithmetic, signal },
      ...(onProgress !== undefined && { onProgress }),
    });
    const result = jsonOf(decision, resultText(decision, loaded));
    return { ...about, ...result, prepare: prepared, seconds: seconds(), files, version };
  } catch (error) {
    if (signal.aborted) throw error;
    const reason = error instanceof CertError ? error.problem : error instanceof Error ? error.message : String(error);
    return { ...about, result: 'error', reason, seconds: seconds(), files, version };
  }
}
