import type { Command } from 'commander';
import type { Terminal } from '../terminal.js';
import { addDiagnoseInit } from './diagnose-init.js';
import { addDiagnoseRelu } from './diagnose-relu.js';

/** Makes `cert diagnose`: what bounds and neurons do, as tables and figures. */
export function addDiagnose(diagnose: Command, terminal: Terminal, signal: AbortSignal): void {
  addDiagnoseInit(diagnose, terminal, signal);
  addDiagnoseRelu(diagnose, terminal);
}
