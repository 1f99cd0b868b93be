import { exampleWords, readRunConfig, readRunPlugins } from '@cert/trainer/pipeline';
import type { Command } from 'commander';
import { reluStatesFigure } from '../plots/relu-states.js';
import { painter } from '../show/paint.js';
import { formatReluEpochs, readReluEpochs } from '../show/relu-report.js';
import { tableFormat } from '../show/table.js';
import { widthOf, wrapText } from '../show/width.js';
import type { Terminal } from '../terminal.js';
import { GROUPS } from './groups.js';
import { addOutputOptions, noting, type OutputOptions } from './output-options.js';
import { addRunPluginOptions, catalogOf, type PluginOption } from './plugin-option.js';
import { saveDiagnosis } from './save.js';

/** Adds `cert diagnose relu`. */
export function addDiagnoseRelu(diagnose: Command, terminal: Terminal): void {
  const command = diagnose
    .command('relu')
    .description('show the shares of active, unstable and inactive neurons, layer by layer and epoch by epoch')
    .argument('<run>', 'folder of a run')
    .optionsGroup(GROUPS.output)
    .option('--out <folder>', 'folder for relu.json and relu.svg (default: the folder of the run)');
  addRunPluginOptions(command);
  addOutputOptions(command, 'the diagnosis').action(
    async (
      run: string,
      { out = run, json = false, quiet = false, plugin, trust }: PluginOption & OutputOptions & { out?: string },
    ) => {
      const { preset, method, model, seed, dataset } = await readRunConfig(
        run,
        await catalogOf({ plugin, trust }, { folder: run, plugins: await readRunPlugins(run) }),
      );
      const { epochs, damaged } = await readReluEpochs(run);
      if (damaged > 0) noting(terminal, { quiet })(`${damaged} damaged lines of ${run} were skipped.`);
      const title = `ReLU neurons by their bounds: ${preset} (${method})`;
      const images = Math.max(...epochs.map((epoch) => epoch.images));
      const subtitle = [
        `${model}, seed ${seed}, over the ball of each epoch's epsilon around ${images} test ${exampleWords(dataset).many}`,
      ];
      const result = { preset, method, model, seed, epochs };
      await saveDiagnosis(out, 'relu', result, reluStatesFigure(epochs, { title, subtitle }));
      const text = [
        ...[painter(terminal)('heading', title), ...subtitle.flatMap((line) => wrapText(line, widthOf(terminal))), ''],
        ...['active/unstable/inactive in per cent, by the layer before the ReLU', ''],
        ...[formatReluEpochs(epochs, tableFormat(terminal)), '', `relu.json and relu.svg are in ${out}`],
      ];
      terminal.out(json ? JSON.stringify({ ...result, folder: out }) : text.join('\n'));
    },
  );
}
