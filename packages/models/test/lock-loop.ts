/**
 * Takes a lock again and again for some time, and tells when another process holds it too: inside, a file is made that must not be there.
 * Every third time it ends the work without giving the lock back, in the name of a process that has ended. Arguments: path of the lock,
 * milliseconds.
 */
import { unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { CertError } from '@cert/core';
import { lockFile } from '../src/node/index.js';

const [path = '', time = ''] = process.argv.slice(2);
const inside = `${path}.inside`;
const until = Date.now() + Number(time);
let [taken, shared, failed] = [0, 0, 0];
while (Date.now() < until) {
  try {
    const unlock = await lockFile(path, 'The lock');
    taken++;
    try {
      await writeFile(inside, '', { flag: 'wx' });
      await unlink(inside);
    } catch {
      shared++;
    }
    // No process has this id: Linux gives smaller ones.
    if (taken % 3 === 0)
      await writeFile(path, JSON.stringify({ pid: 2 ** 30, host: hostname(), id: `${process.pid} ${taken}` }));
    else await unlock();
  } catch (error) {
    if (!(error instanceof CertError && error.code === 'in-use')) failed++;
  }
}
process.stdout.write(JSON.stringify({ taken, shared, failed }));
