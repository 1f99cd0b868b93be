/** Replaces a file over and over until it is killed: `write-forever.ts PATH BYTES`. Says `ready` after the first time. */
import { writeFileAtomic } from '../src/node/index.js';

const [path, bytes] = process.argv.slice(2);
for (let round = 0; ; round++) {
  await writeFileAtomic(path!, new Uint8Array(Number(bytes)).fill(1 + (round % 200)));
  if (round === 0) process.stdout.write('ready');
}
