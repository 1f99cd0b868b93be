/** `npm run bench`: milliseconds a step, peak memory and images/s of the compiled training step, in turns with a peer. */
import { cpus } from 'node:os';
import { compare, printComparison } from './compare.js';
import { readOptions } from './options.js';
import { printProfile } from './profile/print.js';
import { profileWorkload } from './profile/profile.js';

const { names, options } = readOptions();
const { json, steps, warmup, rounds, threads } = options;
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
const print = (document: object) => console.log(JSON.stringify(document, null, 2));

if (options.profile) {
  const profiles = names.map((name) => profileWorkload(name, options));
  if (json) print({ machine, steps, warmup, threads, profiles });
  else for (const profile of profiles) printProfile(profile, options.top);
} else {
  const results = compare(names, options);
  if (json) print({ machine, steps, warmup, rounds, threads, results });
  else printComparison(results);
}
