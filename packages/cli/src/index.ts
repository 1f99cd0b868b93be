export { progressReporter } from './show/progress.js';
export { evaluationTable, resultTable } from './show/table.js';
export { processTerminal, type Terminal } from './terminal.js';
