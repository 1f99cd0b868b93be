export { type ProgressReporter, progressReporter } from './show/progress.js';
export { evaluationTable, type Look, resultTable } from './show/table.js';
export { processTerminal, type Terminal } from './terminal.js';
