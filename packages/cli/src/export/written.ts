import { radiusText } from '@cert/trainer/pipeline';
import { calledAs, quoted } from '../called-as.js';
import { widthOf, wrapText } from '../show/width.js';
import type { Terminal } from '../terminal.js';
import { sha256Of } from './facts.js';
import { type ExportedFile, type ExportFormat, type ExportSettings, type FormatName, inputShapeIn } from './formats.js';
import type { ImageProperties } from './properties.js';
import type { ExportSource } from './source.js';

/** What was exported. */
export interface Written {
  readonly name: FormatName;
  readonly format: ExportFormat;
  readonly files: readonly ExportedFile[];
  readonly source: ExportSource;
  readonly settings: ExportSettings;
  /** From ONNX Runtime; undefined where that did not run. */
  readonly difference: number | undefined;
  readonly properties: ImageProperties | undefined;
}

/** What `--json` prints. */
export function jsonOf({ name, format, files, source, settings, difference, properties }: Written) {
  const { options } = format;
  const { path, bytes } = files[0]!;
  const shown = options.length > 0;
  return {
    ...{ file: path, format: name, bytes: bytes.length, sha256: sha256Of(bytes), network: source.path },
    ...(shown && { ...settings, ...(!settings.columns && { input: inputShapeIn(source.network, settings.layout) }) }),
    outputs: source.network.model.classes,
    ...(format.confirm !== undefined && { difference: difference ?? null }),
    facts: source.facts,
    ...(properties && {
      properties: {
        ...{ folder: properties.folder, instances: properties.instances, epsilon: properties.epsilon },
        images: properties.images,
      },
    }),
  };
}

/** Up to this many inputs are listed. */
const MOST_NAMES = 8;

/** What is told to people. */
export function textOf({ format, files, source, settings, difference, properties }: Written): string[] {
  const { model } = source.network;
  const first = settings.batch === 'any' ? 'batch' : '1';
  const names = settings.columns?.map(({ name }) => name);
  const inputs =
    names === undefined
      ? `input [${[first, ...inputShapeIn(source.network, settings.layout)]}]`
      : `${names.length} inputs [${first},1]${names.length > MOST_NAMES ? '' : ` ${names.join(', ')}`}`;
  const axes = format.options.length > 0 ? `, ${inputs}, output [${first},${model.classes}]` : '';
  const lines = [`Wrote ${files[0]!.path} (${sizeText(files[0]!.bytes.length)})${axes}.`];
  if (difference !== undefined) {
    lines.push(
      `ONNX Runtime computes the same outputs for 3 random inputs (largest difference ${difference.toExponential(1)} of the largest output).`,
    );
  } else if (format.confirm !== undefined) {
    lines.push('onnxruntime-node is not installed, so the file was not compared with ONNX Runtime.');
  }
  if (properties === undefined) return lines;
  const { images, tried, epsilon, folder, instances, words } = properties;
  return [
    ...lines,
    `Wrote ${images.length} ${images.length === 1 ? 'property' : 'properties'} (first ${tried} test ${words.many}, epsilon ${radiusText(epsilon)}) to ${folder}, and ${instances}.`,
    `Verify with: ${calledAs()} verify --instances ${quoted(instances)}`,
  ];
}

/** Lines with a command to copy stay whole. */
export const fitted = (line: string, terminal: Terminal): string[] =>
  line.startsWith('Verify with:') ? [line] : wrapText(line, widthOf(terminal));

function sizeText(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
