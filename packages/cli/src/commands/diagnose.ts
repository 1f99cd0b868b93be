import type { Command } from 'commander';
import type { Terminal } from '../terminal.js';
import { addDiagnoseInit } from './diagnose-init.js';
import { addDiagnoseRelu } from './diagnose-relu.js';

/** Makes `cert diagnose`: what bounds and neurons do, as tables and figures. */
export async function addDiagnose(
  diagnose: Command,
  terminal: Terminal,
  signal: AbortSignal,
  _done: (status: number) => void,
  args: readonly string[],
): Promise<void> {
  await addDiagnoseInit(diagnose, terminal, signal, args);
  addDiagnoseRelu(diagnose, terminal);
}
