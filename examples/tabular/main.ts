/** Trains two classifiers on the rows of a CSV file, naturally and certified, and shows what can be proved about each. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { perturbationEnds, tf } from '@cert/core';
import { imagesOf } from '@cert/datasets';
import { csv } from '@cert/datasets/node';
import { openDevice } from '@cert/jit/node';
import { decodeCheckpoint } from '@cert/models';
import { freeRunFolder, perturbationOf, resolveConfig, runFiles, startRun } from '@cert/trainer/pipeline';
import { decideMonotone } from '@cert/verify';
import { certifiedRows, errorsOver } from './evaluate.js';

tf.enableProdMode(); // Keeps TensorFlow.js from advertising its native package.
const { values } = parseArgs({
  options: { epochs: { type: 'string', default: '60' }, rows: { type: 'string', default: '10' } },
});
const here = fileURLToPath(new URL('.', import.meta.url));
const data = join(here, 'data/breast-cancer.csv');
// What may change: "mean texture" stays, "worst radius" can only grow; all others move by epsilon standard deviations.
const perturbation = JSON.parse(await readFile(join(here, 'perturbation.json'), 'utf8'));
const rows = await csv(data);
// npm runs a workspace's script in its own folder; results belong where the user is.
const runs = join(process.env.INIT_CWD ?? '.', 'runs');
const device = await openDevice('cpu');

try {
  console.log(
    `${rows.train.count} training rows, ${rows.test.count} test rows, ${rows.featureNames!.length} features.\n`,
  );
  for (const method of ['natural', 'fast']) {
    const choices = { preset: 'tabular/mlp', method, data, perturbation, epochs: Number(values.epochs) };
    const config = resolveConfig(choices);
    const run = freeRunFolder(runs, config);
    await startRun(config, { folder: run });
    const file = runFiles(run).last;
    const bytes = await readFile(file);
    const network = decodeCheckpoint(bytes, file);
    const setOf = (epsilon: number) => perturbationOf({ epsilon, perturbation }, { ...rows, shape: rows.test.shape });

    console.log(method === 'natural' ? 'Trained naturally' : '\nTrained for certification');
    console.log('  epsilon  error  attacked  not verified');
    for (const { epsilon, standard, attacked, unverified } of await errorsOver(network, rows.test, setOf, device)) {
      const percent = (fraction: number) => `${(100 * fraction).toFixed(1)} %`.padStart(8);
      console.log(`  ${String(epsilon).padEnd(8)}${percent(standard)}${percent(attacked)}${percent(unverified)}`);
    }

    // Does the margin of "malignant" never fall when "worst area" grows, in the set around each row?
    const [benign, malignant] = rows.classNames!;
    const score = [-1, 1];
    const feature = rows.featureNames!.indexOf('worst area');
    let monotone = 0;
    for (let row = 0; row < Number(values.rows); row++) {
      const { images } = imagesOf(rows.test, [row]);
      const box = perturbationEnds(setOf(config.epsilon), images, rows.test.shape);
      const { verdict } = await decideMonotone(network, { box, feature, score, timeout: 1 });
      if (verdict === 'verified') monotone++;
    }
    console.log(
      `  Margin of ${malignant} over ${benign} proved to grow with "worst area": ${monotone} of ${values.rows} rows`,
    );

    // A certificate per row, which the independent checker proves again from the file of the network.
    const certificates = await certifiedRows({
      network,
      bytes,
      path: '../checkpoints/last.safetensors',
      split: rows.test,
      set: setOf(0.05),
      device,
    });
    const proved = certificates.filter(({ holds }) => holds).length;
    console.log(`  Certificates at epsilon 0.05 that the checker accepts: ${proved} of ${rows.test.count} rows`);
    await mkdir(join(run, 'certificates'));
    for (const { row, text } of certificates) await writeFile(join(run, 'certificates', `${row}.cert.json`), text);
    console.log(`  The run and its certificates are in ${run}`);
  }
} finally {
  await device.dispose();
}
