import type { ExampleWords } from '@cert/trainer/pipeline';
import { calledAs, quoted } from '../called-as.js';
import type { ComparedRun } from '../runs/compare-runs.js';
import { stateOf } from '../show/runs-table.js';
import type { FoundEvaluation } from './evaluations.js';
import { counted } from './text.js';
import type { Training } from './training.js';

/** Something that a report does not say. Plain data. */
export interface Missing {
  readonly what: string;
  /** What adds it; null where no command does. */
  readonly command: string | null;
}

/** What {@link missingParts} looks at. */
interface Parts {
  readonly run: ComparedRun;
  readonly which: string;
  readonly words: ExampleWords;
  readonly evaluation: FoundEvaluation | undefined;
  readonly unfinished: readonly { readonly file: string; readonly images: number }[];
  readonly training: Training;
  readonly hasRadii: boolean;
  /** Whether commands must load the plug-ins of the run. */
  readonly plugins: boolean;
  /** Why the test data could not be read. */
  readonly dataProblem: string | null;
  /** For a regression at another tolerance than that of the run: the option that says so, with a space before it; else empty. */
  readonly delta: string;
}

/** What a report of a run lacks, and the command that adds it. */
export function missingParts(parts: Parts): readonly Missing[] {
  const { run, which, words, evaluation, unfinished, training, hasRadii, plugins, dataProblem, delta } = parts;
  const folder = quoted(run.folder);
  const cert = calledAs();
  const asked = `${which === 'last' ? '' : ` --checkpoint ${which}`}${delta}`;
  const trust = plugins ? ' --trust' : '';
  const missing: Missing[] = [];
  if (run.state !== 'finished') {
    missing.push({
      what:
        run.state === 'in training'
          ? 'The run is still in training: this report is about its latest checkpoint.'
          : `Training is not finished (${stateOf(run)}): this report is about the latest checkpoint.`,
      command: run.state === 'in training' ? null : `${cert} train --resume ${folder}${trust}`,
    });
  }
  if (evaluation === undefined) {
    const [started] = unfinished;
    missing.push({
      what:
        started === undefined
          ? `No evaluation ${words.one} by ${words.one}: proofs that account for rounding, a stronger attack, and which ${words.many} are certified.`
          : `The evaluation ${started.file} has ${counted(started.images, words.one, words.many)} and is not finished; ${words.many} that are verified at once come first in it, so it is not counted.`,
      command: `${cert} eval ${folder}${asked}${trust}`,
    });
  } else if (evaluation.settings.attack === null) {
    const out = quoted(`${run.folder}/eval/with-attack.jsonl`);
    missing.push({
      what: `No attack was run: which of the ${words.many} that are not proved have an adversarial example.`,
      command: `${cert} eval ${folder}${asked} --out ${out}${trust}`,
    });
  }
  if (training.epochs === 0) {
    missing.push({
      what: 'No training curves: metrics.jsonl lists no finished epoch.',
      command: run.state === 'unfinished' ? `${cert} train --resume ${folder}${trust}` : null,
    });
  } else if (training.neurons.length === 0) {
    missing.push({
      what: 'No neurons: an older version of cert wrote the run. A new run counts them after every epoch.',
      command: `${cert} train --config ${quoted(`${run.folder}/config.json`)} --out runs/again${trust}`,
    });
  }
  if (dataProblem !== null) {
    missing.push({
      what: `No radii, no gallery, because the test data could not be read. ${dataProblem}`,
      command: null,
    });
  } else if (!hasRadii) {
    missing.push({ what: 'No certified radii.', command: `${cert} report ${folder}${asked}${trust}` });
  }
  return missing;
}
