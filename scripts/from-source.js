/** Runs a command of a clone that has not been built. npm links a command at `npm ci` if its file exists then: so `bin` is in git, and `dist` is not. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

/** @param {URL} script the source of the command; it gets the arguments of this process */
export function fromSource(script) {
  // The condition that leads to sources is a flag of the process.
  const flags = ['--import', import.meta.resolve('tsx'), '--conditions=@cert/source'];
  const args = [...flags, fileURLToPath(script), ...process.argv.slice(2)];
  const child = spawn(process.execPath, args, { stdio: 'inherit' });
  // A terminal sends Ctrl-C to both: the child ends when its step is finished, and this process after it.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
}
