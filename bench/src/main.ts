/** `npm run bench`: milliseconds a step, peak memory and images/s of the compiled training step, in turns with a peer. */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { compare, printComparison } from './compare.js';
import { fromCaller, readOptions } from './options.js';
import { printProfile } from './profile/print.js';
import { profileWorkload } from './profile/profile.js';
import { renderSvg, scalingFigure } from './scaling/figure.js';
import { measureScaling } from './scaling/measure.js';
import { scalingTable } from './scaling/table.js';

const { names, options } = readOptions();
const { json, steps, warmup, rounds, threads, svg } = options;
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
const print = (document: object) => console.log(JSON.stringify(document, null, 2));

if (options.profile) {
  const profiles = names.map((name) => profileWorkload(name, options));
  if (json) print({ machine, steps, warmup, threads, profiles });
  else for (const profile of profiles) printProfile(profile, options.top);
} else if (options.scaling) {
  const scaling = measureScaling(names, options);
  if (svg !== undefined) writeFileSync(fromCaller(svg), await renderSvg(scalingFigure(scaling)));
  if (json) print({ machine, steps, warmup, rounds, threads, scaling });
  else console.log(scalingTable(scaling));
} else {
  const results = compare(names, options);
  if (json) print({ machine, steps, warmup, rounds, threads, results });
  else printComparison(results);
}
