import type { Command } from 'commander';
import type { Terminal } from '../terminal.js';
import { addDiagnoseInit } from './diagnose-init.js';
import { addDiagnoseRelu } from './diagnose-relu.js';

/** Adds `cert diagnose`: what bounds and neurons do, as tables and figures. */
export function addDiagnose(program: Command, terminal: Terminal, signal: AbortSignal): void {
  const diagnose = program.command('diagnose').description('show what bounds and neurons do, as tables and figures');
  addDiagnoseInit(diagnose, terminal, signal);
  addDiagnoseRelu(diagnose, terminal);
}
