#!/usr/bin/env node
// npm links a command only if its file exists at `npm ci`, before anything is built; so this one is committed.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

if (existsSync(path('../dist/cli.js'))) await import('../dist/cli.js');
else fromSource();

/** In a clone that has not been built. The condition that leads to sources is a flag of the process. */
function fromSource() {
  const flags = ['--import', import.meta.resolve('tsx'), '--conditions=@cert/source'];
  const child = spawn(process.execPath, [...flags, path('../src/cli.ts'), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  // A terminal sends Ctrl-C to both: the child ends when its step is finished, and this process after it.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1);
  });
}
